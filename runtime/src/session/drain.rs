//! The end of a connection: seen by the dispatcher, or brought about by a shutdown.

use super::{MAX_PIPELINED, Session};
use crate::connection::Connection;
use crate::dispatch::SubscriptionState;
use crate::error::Error;

impl Session {
    /// Waits until the dispatcher has seen the end of the connection.
    pub(super) async fn disconnected(&self) -> Error {
        let mut changed = self.dispatcher.changed();
        while self.dispatcher.is_open() {
            let _ = changed.changed().await;
        }
        Error::connection("the connection was lost: the server or the network closed it")
    }

    /// Unsubscribes, and waits until the dispatcher has seen every subscription end. What was
    /// published before that is then in the broadcast channels. The replies to the commands do not
    /// prove this, because redis-rs queues pushes separately from replies.
    pub(super) async fn drain(&self, connection: &mut Connection) {
        // The owner of a shared connection may use the same names.
        if connection.is_shared() {
            return;
        }
        let confirmed = self
            .dispatcher
            .subscriptions(SubscriptionState::is_confirmed);
        let mut changed = self.dispatcher.changed();
        let unsubscribed = async {
            for chunk in confirmed.chunks(MAX_PIPELINED) {
                connection.unsubscribe(chunk).await?;
            }
            while self.has_confirmed() {
                let _ = changed.changed().await;
            }
            Ok::<_, Error>(())
        };
        tokio::select! {
            _ = self.disconnected() => {}
            _ = unsubscribed => {}
        }
    }

    fn has_confirmed(&self) -> bool {
        let agenda = self.dispatcher.agenda();
        agenda.handlers.confirmed + agenda.streams.confirmed > 0
    }
}
