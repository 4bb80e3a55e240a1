//! The end of a connection: seen by the dispatcher, or brought about by a shutdown.

use super::{MAX_PIPELINED, Session};
use crate::connection::Connection;
use crate::error::Error;

impl Session {
    /// Waits until the dispatcher has seen the end of the connection.
    pub(super) async fn disconnected(&self) -> Error {
        let mut changed = self.dispatcher.changed();
        while self.dispatcher.is_open(self.node) {
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
        // Nothing is asked for any more. What was asked for is confirmed later.
        let asked = self.dispatcher.asked_names(self.node);
        let mut changed = self.dispatcher.changed();
        let unsubscribed = async {
            let mut refused = 0;
            for chunk in asked.chunks(MAX_PIPELINED) {
                refused += connection.unsubscribe(chunk).await?;
            }
            while self.names_left() > refused {
                let _ = changed.changed().await;
            }
            Ok::<_, Error>(())
        };
        tokio::select! {
            _ = self.disconnected() => {}
            _ = unsubscribed => {}
        }
    }

    /// Returns how many names somebody wants that are confirmed, or asked for without an answer.
    fn names_left(&self) -> u64 {
        let agenda = self.dispatcher.agenda(self.node);
        agenda.handlers.confirmed + agenda.streams.confirmed + agenda.in_flight
    }
}
