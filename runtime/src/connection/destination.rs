//! Where connections go: to one server, or to the primary that sentinels name.

use std::sync::Arc;
use std::time::Duration;

use super::commands::Connection;
use super::sentinel::{News, Primary, Sentinels};
use super::server::Server;
use crate::error::Error;

/// Where connections go. Cheap to clone; clones share what they know of the primary.
#[derive(Clone)]
pub(crate) enum Destination {
    Server(Arc<Server>),
    /// The primary, which each connection looks up.
    Primary(Arc<Sentinels>),
}

/// The server for one attempt to connect.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) server: Arc<Server>,
    /// Set if sentinels have named it.
    primary: Option<Arc<Primary>>,
}

impl Destination {
    /// Returns the server to connect to. Asks the sentinels, if there are any.
    ///
    /// # Errors
    ///
    /// Returns an error if no sentinel names a primary.
    pub(crate) async fn find(&self, timeout: Duration) -> Result<Found, Error> {
        match self {
            Self::Server(server) => Ok(Found {
                server: Arc::clone(server),
                primary: None,
            }),
            Self::Primary(sentinels) => {
                let primary = Arc::new(sentinels.look_up(timeout).await?);
                Ok(Found {
                    server: Arc::clone(primary.server()),
                    primary: Some(primary),
                })
            }
        }
    }

    /// Returns what waits for another primary than the last one that was found. Without sentinels there is
    /// nothing to wait for.
    pub(crate) fn news(&self) -> Option<News> {
        match self {
            Self::Server(_) => None,
            Self::Primary(sentinels) => Some(sentinels.news()),
        }
    }

    /// Returns the address of the server, unless sentinels name it.
    #[cfg(feature = "testing")]
    pub(super) fn address(&self) -> Option<&redis::ConnectionAddr> {
        match self {
            Self::Server(server) => Some(server.address()),
            Self::Primary(_) => None,
        }
    }

    /// Returns the error text for a server that has not answered.
    pub(super) fn silence(&self, timeout: Duration) -> String {
        match self {
            Self::Server(server) => server.silence(timeout),
            Self::Primary(sentinels) => {
                let name = sentinels.name();
                format!("the primary of `{name}` did not answer within {timeout:?}")
            }
        }
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Server(server) => server.address().fmt(f),
            Self::Primary(sentinels) => write!(f, "the primary of `{}`", sentinels.name()),
        }
    }
}

impl Found {
    /// Waits for a connection to the server. If sentinels have named it, the server itself must say that it
    /// is the primary, and the wait ends when they name another one.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is not made, or if the server is not the primary.
    pub(crate) async fn confirmed(
        &self,
        timeout: Duration,
        connecting: impl Future<Output = Result<Connection, Error>>,
    ) -> Result<Connection, Error> {
        match &self.primary {
            None => connecting.await,
            Some(primary) => primary.confirmed(timeout, connecting).await,
        }
    }

    /// Returns the primary, if sentinels have named it.
    pub(crate) fn primary(&self) -> Option<&Arc<Primary>> {
        self.primary.as_ref()
    }
}
