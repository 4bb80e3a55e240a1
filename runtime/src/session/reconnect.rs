//! One connection after another: when the session reconnects, and after what pause.

use tokio::time::sleep;

use super::coordinator::Notice;
use super::{Phase, Session};
use crate::error::Error;
use crate::gap::Missed;
use crate::push::{ConnectionEvent, Generation};
use crate::telemetry::NodeRole;
use crate::util::Backoff;

impl Session {
    /// Runs one generation after another until the session is stopped.
    pub(super) async fn keep_connected(&mut self) {
        let (first, max) = self.settings.reconnect_delay;
        let mut backoff = Backoff::new(first, max);
        if self.last.number() > 0 {
            // The previous run panicked, and its connection was dropped with it.
            self.dispatcher.end(self.node, Missed::Unknown);
            let error = "the session's task exited unexpectedly; reconnecting";
            self.set_phase(Phase::Pending, Some(Error::connection(error)));
            self.publish_disconnected();
        }
        loop {
            self.last = self.last.next();
            self.dispatcher.open(self.last);
            let Some(error) = self.run_generation(self.last).await else {
                break;
            };
            let was_started = self.board.of(self.node).phase != Phase::Pending;
            if was_started {
                backoff.reset();
            }
            // Before the dispatcher counts the loss: a caller that sees the count must not find the
            // subscriber still ready.
            self.set_phase(Phase::Pending, Some(error));
            self.dispatcher.end(self.node, Missed::Unknown);
            self.publish_disconnected();
            if let Some(notices) = &self.notices {
                let _ = notices.send(Notice::Lost);
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = sleep(backoff.next()) => {}
                // A failover is over: the pauses have grown while it was under way.
                () = self.link.news() => backoff.reset(),
            }
        }
        self.dispatcher.close_node(self.node);
    }

    /// Runs one generation, and returns why it ended: `None` if the session was stopped.
    async fn run_generation(&mut self, generation: Generation) -> Option<Error> {
        let connected = tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            connected = self.link.connect(
                generation,
                &self.dispatcher,
                self.settings.connect_timeout,
            ) => connected,
        };
        let (address, is_primary) = (self.link.address(), self.link.is_to_a_primary());
        let is_of_cluster = self.notices.is_some();
        self.board.learn(self.node, |facts| {
            if !is_of_cluster {
                // The coordinator knows a node by the address that the others tell.
                facts.address = address;
            }
            if is_primary {
                facts.role = NodeRole::Primary;
            }
        });
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => return Some(error),
        };
        let _connected = self.heartbeat.connected();
        self.is_connected = true;
        self.dispatcher
            .publish_connection_event(self.node, ConnectionEvent::Connected);
        let error = tokio::select! {
            biased;
            () = self.stop.cancelled() => {
                self.drain(&mut connection).await;
                return None;
            }
            error = self.disconnected() => error,
            error = self.keep_subscribed(connection.clone()) => error,
            error = self.keep_alive(connection.clone()) => error,
            error = self.keep_to_the_primary(connection.clone()) => error,
            error = self.keep_fencing(connection.clone()) => error,
        };
        Some(match connection.primary() {
            Some(primary) => primary.in_context(error),
            None => error,
        })
    }

    /// Nobody requests fences without the test kit.
    #[cfg(not(feature = "testing"))]
    async fn keep_fencing(&self, _connection: crate::connection::Connection) -> Error {
        std::future::pending().await
    }

    /// Publishes the end of the connection, with the reason, if there was one.
    fn publish_disconnected(&mut self) {
        if std::mem::take(&mut self.is_connected) {
            let error = self.board.of(self.node).error;
            let reason = error.map_or_else(String::new, |error| error.to_string());
            let event = ConnectionEvent::Disconnected { reason: &reason };
            self.dispatcher.publish_connection_event(self.node, event);
        }
    }
}
