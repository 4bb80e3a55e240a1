//! Keeps the subscriptions live: one generation after another, for as long as it takes.

mod heartbeat;
mod keepalive;
mod status;
mod subscribe;

pub(crate) use heartbeat::{Pulse, Tick};
pub(crate) use status::{Phase, Status};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::sleep;

use crate::config::Settings;
use crate::connection::Connection;
use crate::dispatch::{Feed, is_confirmed};
use crate::error::Error;
use crate::gap::Missed;
use crate::link::Link;
use crate::push::ConnectionEvent;
use crate::util::Backoff;

pub(crate) struct Supervisor {
    pub(crate) link: Link,
    pub(crate) feed: Arc<Feed>,
    pub(crate) settings: Settings,
    pub(crate) status: watch::Sender<Status>,
    /// Turns true when it is time to drain and end.
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) pulse: Arc<Pulse>,
    /// The number of the last generation: 0 before the first.
    pub(crate) last: u64,
    /// Whether there was a connection in it whose end has not been told.
    pub(crate) is_connected: bool,
}

/// How many subscribe commands go out before the first reply is waited for.
const AT_ONCE: usize = 256;

/// How long a command other than `PING` may take, and a confirmation may be behind its reply.
const ANSWER: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Works as the task of the supervisor, and ticks for as long as that is polled.
    pub(crate) async fn run(supervisor: Arc<Mutex<Self>>, tick: Arc<Tick>) {
        let mut supervisor = supervisor.lock().await;
        tokio::select! {
            () = supervisor.supervise() => {}
            never = tick.keep_ticking() => never,
        }
    }

    /// Connects, subscribes and watches until it is stopped.
    async fn supervise(&mut self) {
        let (first, most) = self.settings.reconnect_delay;
        let mut backoff = Backoff::new(first, most);
        let mut stop = self.stop.clone();
        if self.last > 0 {
            // The task before this one has ended unasked, and its connection with it.
            self.pulse.disconnected();
            self.feed.end(Missed::Unknown);
            let error = "the supervisor's task had ended; the connection is built anew";
            self.set_phase(Phase::Connecting, Some(Error::connection(error)));
            self.tell_disconnected();
        }
        loop {
            self.last += 1;
            self.feed.open(self.last);
            let ended = self.generation(self.last).await;
            self.pulse.disconnected();
            let Some(error) = ended else {
                break;
            };
            let was_ready = self.status.borrow().phase == Phase::Ready;
            if was_ready {
                backoff.reset();
            }
            // Before the feed counts the loss: who sees that must not find it ready still.
            self.set_phase(Phase::Connecting, Some(error));
            self.feed.end(Missed::Unknown);
            self.tell_disconnected();
            tokio::select! {
                () = stopped(&mut stop) => break,
                () = sleep(backoff.next()) => {}
            }
        }
        self.feed.close();
    }

    /// Lives through one generation and returns why it ended; `None` when it was stopped.
    async fn generation(&mut self, generation: u64) -> Option<Error> {
        let mut stop = self.stop.clone();
        let connected = tokio::select! {
            biased;
            () = stopped(&mut stop) => return None,
            connected = self.link.connect(
                generation,
                &self.feed,
                self.settings.connect_timeout,
            ) => connected,
        };
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(error) => return Some(error),
        };
        self.pulse.connected();
        self.is_connected = true;
        self.feed.tell_connection(ConnectionEvent::Connected);
        tokio::select! {
            biased;
            () = stopped(&mut stop) => {
                self.drain(&mut connection).await;
                None
            }
            error = self.disconnected() => Some(error),
            error = self.keep_subscribed(connection.clone()) => Some(error),
            error = self.keep_alive(connection.clone()) => Some(error),
        }
    }

    /// Tells who listens to the connection that it has ended, if there was one, and why.
    fn tell_disconnected(&mut self) {
        if std::mem::take(&mut self.is_connected) {
            let error = self.status.borrow().error.clone();
            let reason = error.map_or_else(String::new, |error| error.to_string());
            let event = ConnectionEvent::Disconnected { reason: &reason };
            self.feed.tell_connection(event);
        }
    }

    /// Returns when the feed has seen the end of the connection.
    async fn disconnected(&self) -> Error {
        let mut news = self.feed.news();
        while self.feed.is_open() {
            let _ = news.changed().await;
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
        let confirmed = self.feed.subscriptions(is_confirmed);
        let mut news = self.feed.news();
        let unsubscribed = async {
            for some in confirmed.chunks(AT_ONCE) {
                connection.unsubscribe(some).await?;
            }
            while self.feed.any_stands(is_confirmed) {
                let _ = news.changed().await;
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
            (Phase::Ready, _) if before != Phase::Ready => {
                tracing::info!(target: "redis_push", "every subscription is confirmed");
            }
            (Phase::Connecting, Some(error)) => {
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

/// Returns when it is time to end: the word was given, or nobody is left to give it.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
