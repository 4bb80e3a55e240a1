//! Keeps the subscriptions live: one generation after another, for as long as it takes.

mod heartbeat;
mod keepalive;
mod status;
mod subscribe;

pub(crate) use heartbeat::{Heartbeat, LastSeen};
pub(crate) use status::{Phase, Status};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::connection::Connection;
use crate::dispatch::{Dispatcher, SubscriptionState};
use crate::error::Error;
use crate::gap::Missed;
use crate::link::Link;
use crate::push::ConnectionEvent;
use crate::util::Backoff;

pub(crate) struct Session {
    pub(crate) link: Link,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) settings: Settings,
    pub(crate) status: watch::Sender<Status>,
    /// Cancelled when it is time to drain and end.
    pub(crate) stop: CancellationToken,
    pub(crate) heartbeat: Arc<Heartbeat>,
    /// The number of the last generation: 0 before the first.
    pub(crate) last: u64,
    /// Whether there was a connection in it whose end has not been told.
    pub(crate) is_connected: bool,
}

/// How many subscribe commands go out before the first reply is waited for.
const AT_ONCE: usize = 256;

/// How long a command other than `PING` may take, and a confirmation may be behind its reply.
const ANSWER: Duration = Duration::from_secs(5);

impl Session {
    /// Works as the task of the supervisor, and ticks for as long as that is polled.
    pub(crate) async fn run(session: Arc<Mutex<Self>>, last_seen: Arc<LastSeen>) {
        let mut session = session.lock().await;
        tokio::select! {
            () = session.keep_connected() => {}
            never = last_seen.keep_touching() => never,
        }
    }

    /// Connects, subscribes and watches until it is stopped.
    async fn keep_connected(&mut self) {
        let (first, most) = self.settings.reconnect_delay;
        let mut backoff = Backoff::new(first, most);
        if self.last > 0 {
            // The task before this one has ended unasked, and its connection with it.
            self.dispatcher.end(Missed::Unknown);
            let error = "the session's task exited unexpectedly; reconnecting";
            self.set_phase(Phase::Pending, Some(Error::connection(error)));
            self.publish_disconnected();
        }
        loop {
            self.last += 1;
            self.dispatcher.open(self.last);
            let ended = self.generation(self.last).await;
            let Some(error) = ended else {
                break;
            };
            let was_ready = self.status.borrow().phase == Phase::Confirmed;
            if was_ready {
                backoff.reset();
            }
            // Before the feed counts the loss: who sees that must not find it ready still.
            self.set_phase(Phase::Pending, Some(error));
            self.dispatcher.end(Missed::Unknown);
            self.publish_disconnected();
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = sleep(backoff.next()) => {}
            }
        }
        self.dispatcher.close();
    }

    /// Lives through one generation and returns why it ended; `None` when it was stopped.
    async fn generation(&mut self, generation: u64) -> Option<Error> {
        let connected = tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            connected = self.link.connect(
                generation,
                &self.dispatcher,
                self.settings.connect_timeout,
            ) => connected,
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => return Some(error),
        };
        let _connected = self.heartbeat.connected();
        self.is_connected = true;
        self.dispatcher
            .publish_connection_event(ConnectionEvent::Connected);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {
                self.drain(&mut connection).await;
                None
            }
            error = self.disconnected() => Some(error),
            error = self.keep_subscribed(connection.clone()) => Some(error),
            error = self.keep_alive(connection.clone()) => Some(error),
        }
    }

    /// Tells who listens to the connection that it has ended, if there was one, and why.
    fn publish_disconnected(&mut self) {
        if std::mem::take(&mut self.is_connected) {
            let error = self.status.borrow().error.clone();
            let reason = error.map_or_else(String::new, |error| error.to_string());
            let event = ConnectionEvent::Disconnected { reason: &reason };
            self.dispatcher.publish_connection_event(event);
        }
    }

    /// Returns when the feed has seen the end of the connection.
    async fn disconnected(&self) -> Error {
        let mut changed = self.dispatcher.changed();
        while self.dispatcher.is_open() {
            let _ = changed.changed().await;
        }
        Error::connection("the connection was lost: the server or the network closed it")
    }

    /// Ends the subscriptions and waits until the feed has seen that they ended: what was
    /// published before is then in the rings. The commands' replies would say less, for redis-rs
    /// keeps pushes in a queue beside them.
    async fn drain(&self, connection: &mut Connection) {
        // The names on a shared connection may be somebody else's.
        if connection.is_shared() {
            return;
        }
        let confirmed = self
            .dispatcher
            .subscriptions(SubscriptionState::is_confirmed);
        let mut changed = self.dispatcher.changed();
        let unsubscribed = async {
            for some in confirmed.chunks(AT_ONCE) {
                connection.unsubscribe(some).await?;
            }
            while self.dispatcher.any_is(SubscriptionState::is_confirmed) {
                let _ = changed.changed().await;
            }
            Ok::<_, Error>(())
        };
        tokio::select! {
            _ = self.disconnected() => {}
            _ = unsubscribed => {}
        }
    }

    fn set_phase(&self, phase: Phase, error: Option<Error>) {
        let before = self.status.borrow().phase;
        match (phase, &error) {
            (Phase::Confirmed, _) if before != Phase::Confirmed => {
                tracing::info!(target: "redis_push", "every subscription is confirmed");
            }
            (Phase::Pending, Some(error)) => {
                tracing::warn!(target: "redis_push", %error, "not every subscription is live");
            }
            _ => {}
        }
        self.status.send_modify(|status| {
            status.phase = phase;
            if let Some(error) = error {
                status.error = Some(Arc::new(error));
            }
        });
    }
}
