//! The primary that a connection goes to, and whether it still is the primary.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::timeout;

use super::role::Role;
use super::watch::Watch;
use super::{SentinelView, Sentinels, best};
use crate::connection::commands::Connection;
use crate::connection::exchange::Replies;
use crate::connection::look::LookError;
use crate::connection::node_address::NodeAddress;
use crate::connection::requests::Request;
use crate::connection::server::Server;
use crate::error::Error;

/// The primary that sentinels have named for one connection.
pub(crate) struct Primary {
    pub(super) sentinels: Arc<Sentinels>,
    pub(super) server: Arc<Server>,
    pub(super) address: NodeAddress,
    /// The number of the last failover that is known to have made, or left, it the primary.
    pub(super) epoch: AtomicU64,
    pub(super) watch: Arc<Watch>,
    /// What each sentinel has said.
    pub(super) said: String,
}

impl Primary {
    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// The number of the failover, and the address.
    pub(super) fn term(&self) -> (u64, NodeAddress) {
        (self.epoch.load(Relaxed), self.address.clone())
    }

    /// Waits for a connection to the server, until the sentinels name another one, and asks the server
    /// itself whether it is the primary.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is not made, or if the server is not the primary.
    pub(in crate::connection) async fn confirmed(
        self: &Arc<Self>,
        limit: Duration,
        connecting: impl Future<Output = Result<Connection, Error>>,
    ) -> Result<Connection, Error> {
        let confirmed = async {
            let mut connection = connecting.await?;
            let role = timeout(limit, self.role(&mut connection)).await;
            let role = role.map_err(|_| Error::connection(self.server.silence(limit)))??;
            self.accept(role)?;
            Ok(connection.with_primary(Arc::clone(self)))
        };
        let confirmed = tokio::select! {
            confirmed = confirmed => confirmed,
            // The one that they have named may be frozen, and would never answer.
            error = self.replaced() => Err(error),
        };
        confirmed.map_err(|error| self.in_context(error))
    }

    /// Judges what the server says of itself.
    fn accept(&self, role: Result<Role, LookError>) -> Result<(), Error> {
        let address = &self.address;
        match role {
            Ok(Role::Primary) => {
                self.sentinels.confirm(address, self.epoch.load(Relaxed));
                Ok(())
            }
            Ok(role) => Err(self.is_no_primary(&role)),
            Err(LookError::Refused(why)) => Err(Error::auth(format!(
                "the server does not allow this user to run `ROLE`, which is to confirm that it is the \
                 primary ({why}); grant `+role`"
            ))),
            Err(error) => Err(Error::connection(format!(
                "the server does not say whether it is the primary: {error}"
            ))),
        }
    }

    fn is_no_primary(&self, role: &Role) -> Error {
        Error::connection(format!(
            "the server says that it is {role}; when the connection was made, the sentinels said: {}",
            self.said
        ))
    }

    /// Asks the server what it is.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost, or its replies are out of step.
    async fn role(&self, connection: &mut Connection) -> Result<Result<Role, LookError>, Error> {
        let request = Request::new(redis::cmd("ROLE"));
        let Replies { values, are_proven } = connection.exchange(vec![request]).await?;
        Ok(match values.first() {
            Some(reply) if are_proven => Role::parse(reply),
            _ => Err(LookError::NotNow("it does not answer `PING`".to_owned())),
        })
    }

    /// Asks the server over an established connection whether it still is the primary.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not, or if the connection is lost. A server that does not say what it is
    /// has not been demoted, as far as that is known.
    pub(crate) async fn check(&self, connection: &mut Connection) -> Result<(), Error> {
        match self.role(connection).await? {
            Ok(Role::Primary) | Err(_) => Ok(()),
            Ok(role) => Err(self.is_no_primary(&role)),
        }
    }

    /// Whether a sentinel knows of a newer failover to another server.
    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced_by(&self.watch.views()).is_some()
    }

    /// Waits until a sentinel knows of a newer failover to another server. Returns it as the reason why
    /// the connection is of no use any more.
    pub(crate) async fn replaced(&self) -> Error {
        let mut views = self.watch.subscribe();
        loop {
            let by = self.replaced_by(&views.borrow_and_update());
            if let Some(SentinelView { primary, epoch, .. }) = by {
                return Error::connection(format!(
                    "it is not the primary any more: sentinels name {primary} (failover {epoch})"
                ));
            }
            // The sender lives as long as the watch.
            let _ = views.changed().await;
        }
    }

    fn replaced_by(&self, views: &[Option<SentinelView>]) -> Option<SentinelView> {
        replaced_by(views, &self.address, &self.epoch)
    }

    /// Adds to an error which server it is about.
    pub(crate) fn in_context(&self, error: Error) -> Error {
        let (name, address) = (self.sentinels.name(), &self.address);
        error.in_words(|text| format!("{address}, the primary of `{name}`: {text}"))
    }
}

/// Judges what the sentinels say at present of a primary, of which the number of the last failover is known.
/// A sentinel that knows of an older one does not count: it was cut off, or has just started.
fn replaced_by(
    views: &[Option<SentinelView>],
    address: &NodeAddress,
    epoch: &AtomicU64,
) -> Option<SentinelView> {
    let newest = best(views.iter().flatten())?;
    if newest.primary == *address {
        epoch.fetch_max(newest.epoch, Relaxed);
        return None;
    }
    (newest.epoch > epoch.load(Relaxed)).then(|| newest.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_newer_failover_to_another_server_replaces_a_primary() {
        let view = |port, epoch| {
            Some(SentinelView {
                primary: NodeAddress::new("a", port),
                epoch,
                is_down: false,
            })
        };
        let (address, epoch) = (NodeAddress::new("a", 1), AtomicU64::new(7));
        let replaced = |views: &[Option<SentinelView>]| {
            let by = replaced_by(views, &address, &epoch);
            by.map(|by| by.primary.port())
        };
        assert_eq!(replaced(&[]), None);
        assert_eq!(replaced(&[None, None]), None);
        assert_eq!(replaced(&[view(2, 6), view(1, 7)]), None);
        assert_eq!(replaced(&[view(2, 7), view(1, 7)]), None);
        assert_eq!(replaced(&[view(2, 7)]), None, "the others are silent");
        assert_eq!(replaced(&[view(1, 7), view(1, 7), view(2, 8)]), Some(2));
        // It has become the primary again. What was between does not count any more.
        assert_eq!(replaced(&[view(2, 8), view(1, 9)]), None);
        assert_eq!(replaced(&[view(2, 8), None]), None);
        assert_eq!(replaced(&[view(2, 10), None]), Some(2));
    }
}
