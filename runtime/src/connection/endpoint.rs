use std::fmt;
use std::sync::Arc;

use redis::Client;

use super::credentials::{Credentials, Provider};
use super::lazy::LazyConnection;
use super::options::{Options, Target};
use super::server::Server;
use super::tls::Tls;
use crate::error::{BoxError, Result};

/// A server for the commands of a [`Publisher`](crate::Publisher) or a
/// [`FailureSink`](crate::FailureSink).
///
/// Both also accept a URL or a redis-rs client. An `Endpoint` is for options that neither can express.
///
/// ```no_run
/// use redis_push::{Endpoint, Publisher, Tls};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = Tls::new().root_certificate(std::fs::read("ca.pem")?);
/// let publisher = Publisher::new(Endpoint::new("rediss://redis.internal:6380/").tls(tls))?;
/// # Ok(())
/// # }
/// ```
pub struct Endpoint {
    target: Target,
    options: Options,
}

impl Endpoint {
    /// Creates an endpoint for a URL, in the forms that [`Subscriber::new`](crate::Subscriber::new)
    /// accepts.
    pub fn new(url: impl Into<String>) -> Self {
        Self::to(Target::Url(url.into()))
    }

    fn to(target: Target) -> Self {
        let options = Options::default();
        Self { target, options }
    }

    /// Sets the trusted roots and the client identity of a `rediss://` connection, like
    /// [`Subscriber::tls`](crate::Subscriber::tls).
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.options.tls = Some(tls);
        self
    }

    /// Sets a provider of the user name and the password, which is called before each attempt to
    /// connect, like [`Subscriber::credentials`](crate::Subscriber::credentials).
    #[must_use]
    pub fn credentials<F, R, E>(mut self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = std::result::Result<Credentials, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.options.credentials = Some(Provider::new(provider));
        self
    }

    /// Sets the name of each connection, like
    /// [`Subscriber::client_name`](crate::Subscriber::client_name).
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.options.client_name = Some(name.into());
        self
    }

    /// Returns the endpoint at another URL, whose credentials apply. The name stays, and so does TLS if
    /// the URL asks for it.
    #[cfg(feature = "testing")]
    pub(crate) fn moved_to(self, url: &str) -> Self {
        let Options {
            tls, client_name, ..
        } = self.options;
        let options = Options {
            tls: tls.filter(|_| url.starts_with("rediss:")),
            client_name,
            credentials: None,
        };
        Self {
            target: Target::Url(url.to_owned()),
            options,
        }
    }

    /// Returns the server, for a link. With `reads_socket`, this crate must do the TLS.
    pub(crate) fn into_server(self, reads_socket: bool) -> Result<Server> {
        self.target.into_server(self.options, reads_socket)
    }

    /// Returns a connection for commands, without pushes.
    pub(crate) fn into_lazy(self) -> Result<LazyConnection> {
        Ok(LazyConnection::new(Arc::new(self.into_server(false)?)))
    }
}

impl From<&str> for Endpoint {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<&String> for Endpoint {
    fn from(url: &String) -> Self {
        Self::new(url)
    }
}

impl From<String> for Endpoint {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<Client> for Endpoint {
    fn from(client: Client) -> Self {
        Self::to(Target::Client(Box::new(client)))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL may contain a password.
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}
