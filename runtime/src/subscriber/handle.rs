use std::fmt;
use std::sync::Arc;

use super::running::Running;
use crate::delivery::{Mounted, PauseGate};
use crate::dispatch::Pushes;
use crate::error::{Error, Result};
use crate::health::{Health, HealthChanges};
use crate::router::Wiring;
use crate::telemetry::{Stats, Topology};

/// A running subscriber.
///
/// A clone is another handle to the same subscriber, and cheap. Dropping the last one stops
/// everything at once, on any thread; [`shutdown`](Self::shutdown) lets the handlers finish.
///
/// A handler's state that holds a `Handle` keeps the subscriber alive by itself: the handler's task
/// holds the state. Such a state holds a [`WeakHandle`](crate::WeakHandle).
#[must_use = "dropping the last handle stops the subscriber"]
#[derive(Clone)]
pub struct Handle {
    pub(super) running: Arc<Running>,
}

impl Handle {
    pub(super) fn new(running: Running) -> Self {
        let running = Arc::new(running);
        Self { running }
    }

    /// Whether every subscription is confirmed on the current connection, and nothing else keeps the
    /// subscriber from being [ready](Health::is_ready).
    pub fn is_ready(&self) -> bool {
        self.running.monitor.is_ready()
    }

    /// Waits until the subscriber [is ready](Self::is_ready). Returns at once if it is.
    ///
    /// Also returns when the subscriber is shut down; [`is_ready`](Self::is_ready) is then false.
    /// Cancel safe.
    pub async fn ready(&self) {
        self.running.ready().await;
    }

    /// Returns the current health: live or not, ready or not, and the reasons.
    ///
    /// Reads a few counters and waits for nothing, so a probe may call this on any thread.
    pub fn health(&self) -> Health {
        self.running.monitor.health()
    }

    /// Returns a receiver of the changes of the [health](Self::health) from now on.
    ///
    /// ```
    /// # use redis_push::{Subscriber, handlers, push_handler, testing::Broker};
    /// # #[push_handler(channel = "news")]
    /// # async fn on_news(_text: &str) {}
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).handlers(handlers![on_news]).start().await?;
    /// let mut changes = handle.watch_health();
    /// tokio::spawn(async move {
    ///     while let Some(health) = changes.changed().await {
    ///         println!("{health}");
    ///     }
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_health(&self) -> HealthChanges {
        self.running.monitor.changes()
    }

    /// Returns the servers that the subscriber is connected to, with what each of them has.
    ///
    /// ```
    /// # use redis_push::{Subscriber, handlers, push_handler, testing::Broker};
    /// # #[push_handler(channel = "news")]
    /// # async fn on_news(_text: &str) {}
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).handlers(handlers![on_news]).start().await?;
    /// for node in handle.topology().nodes {
    ///     println!("{node}"); // server 127.0.0.1:6379: 1 of 1 names confirmed, ping 312µs
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn topology(&self) -> Topology {
        let dispatcher = &self.running.dispatcher;
        self.running
            .board
            .topology(|node| dispatcher.names_on(node))
    }

    /// Returns the counts so far. After a shutdown these are the counts of its report.
    pub fn stats(&self) -> Stats {
        if let Some(report) = self.running.report.get() {
            return report.stats.clone();
        }
        self.running.read_stats()
    }

    /// Returns the wiring: the same table that [`Subscriber::wiring`](crate::Subscriber::wiring)
    /// returned before the start.
    pub fn wiring(&self) -> Wiring {
        let handlers = self.running.handlers.running();
        Wiring::of(handlers.iter().map(|handler| &handler.context.spec))
    }

    /// Returns a receiver of every push that arrives on the connection from now on, of any kind.
    ///
    /// With `invalidate` handlers, confirmations of names such as `redis-push:tracking-on:user:` are
    /// among them: the server confirms tracking this way.
    ///
    /// Without a receiver this costs nothing. A receiver may lag by 4,096 pushes or 8 MiB, and what
    /// waits for it is part of [`memory_limit`](crate::Subscriber::memory_limit). If it lags by
    /// more, it loses the oldest pushes and receives their exact number
    /// ([`PushesError::Lagged`](crate::PushesError::Lagged)). A push that was received belongs to the
    /// caller and is not limited. A shutdown closes the receiver
    /// ([`PushesError::Closed`](crate::PushesError::Closed)) when it has received what waits.
    ///
    /// ```
    /// # use redis_push::{RawPush, Subscriber, handlers, push_handler, testing::Broker};
    /// # #[push_handler(channel = "news")]
    /// # async fn on_news(_text: &str) {}
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).handlers(handlers![on_news]).start().await?;
    /// let mut pushes = handle.pushes();
    /// server.publish("news", "hello");
    /// if let RawPush::Message { channel, payload, .. } = pushes.recv().await? {
    ///     println!("{channel:?}: {payload:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn pushes(&self) -> Pushes {
        self.running.dispatcher.pushes()
    }

    /// Pauses a handler: its messages stay in its buffer, and messages that do not fit are dropped
    /// as at any other time. A delivery under way continues: at most one, or one for each of the
    /// [`workers`](crate::Spec::workers). A [resync](Self::resync) waits for the end of the pause.
    ///
    /// A shutdown delivers nothing to a paused handler; its waiting messages are counted
    /// `cancelled`.
    ///
    /// # Errors
    ///
    /// Returns an error if no handler has this name ([`Error::is_config`](crate::Error::is_config)).
    /// If several handlers have it, all of them are paused.
    pub fn pause(&self, handler: &str) -> Result<()> {
        self.each_named(handler, PauseGate::pause)
    }

    /// Resumes a paused handler. Has no effect on a handler that is not paused.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub fn resume(&self, handler: &str) -> Result<()> {
        self.each_named(handler, PauseGate::resume)
    }

    /// Requests a resync: the gap handler of this handler runs before its next message, or at once if no
    /// message waits, with the cause [`GapCause::Requested`](crate::GapCause).
    ///
    /// This returns without waiting. Until the gap handler has succeeded, the handler is not synced and
    /// the subscriber is not [ready](Self::is_ready), so [`ready`](Self::ready) waits for it. Requests
    /// that wait are served by one run of the gap handler; a request that is made during a run by
    /// another one. With [`workers`](crate::Spec::workers), the deliveries under way end first.
    ///
    /// A handler whose subscriptions were never live is not called before they are: its initial gap serves
    /// the request. A [paused](Self::pause) handler resyncs when it is resumed. A shutdown serves the
    /// request unless the handler has delivered its last message.
    ///
    /// A handler may call this for itself, but must not wait for the result. It can return
    /// [`Fault::resync`](crate::Fault::resync) instead.
    ///
    /// ```
    /// # use redis_push::{Gap, Subscriber, gap_handler, handlers, push_handler, testing::Broker};
    /// # #[gap_handler]
    /// # async fn reload(_gap: Gap) {}
    /// # #[push_handler(channel = "prices", on_gap = reload)]
    /// # async fn on_price(_text: &str) {}
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).handlers(handlers![on_price]).start().await?;
    /// handle.resync("on_price")?;
    /// handle.ready().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if no handler has this name, or if one that has it has no gap handler
    /// ([`Error::is_config`](crate::Error::is_config)). Nothing is requested then. If several handlers have
    /// the name, all of them are.
    pub fn resync(&self, handler: &str) -> Result<()> {
        let named = self.named(handler)?;
        if let Some(one) = named.iter().find(|mounted| !mounted.context.can_resync()) {
            return Err(Error::config(format!(
                "the handler {} cannot resync: it has no gap handler; name one with `on_gap`",
                one.context.spec.label()
            )));
        }
        for mounted in named {
            mounted.context.request_resync();
        }
        Ok(())
    }

    fn each_named(&self, handler: &str, change: fn(&PauseGate)) -> Result<()> {
        let named = self.named(handler)?;
        named
            .iter()
            .for_each(|mounted| change(&mounted.context.gate));
        Ok(())
    }

    /// Returns the handlers with this name, at least one.
    pub(super) fn named(&self, handler: &str) -> Result<Vec<Arc<Mounted>>> {
        let all = self.running.handlers.running();
        let named = all
            .iter()
            .filter(|mounted| mounted.context.spec.name == handler);
        let named: Vec<_> = named.cloned().collect();
        if named.is_empty() {
            return Err(Error::config(format!("no handler is named `{handler}`")));
        }
        Ok(named)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("handlers", &self.running.handlers.len())
            .field("is_ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}
