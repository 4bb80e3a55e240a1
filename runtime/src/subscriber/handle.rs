use std::fmt;
use std::sync::Arc;

use tokio::sync::{OnceCell, broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::report::ShutdownReport;
use crate::broadcast::BacklogMeter;
use crate::delivery::{HandlerContext, PauseGate, SharedLoopState};
use crate::dispatch::Dispatcher;
use crate::error::{Error, Result};
use crate::failure::Failures;
use crate::health::{DeafWatch, Health, HealthChanges, HealthMonitor};
use crate::push::RawPush;
use crate::router::Wiring;
use crate::session::Status;
use crate::tasks::{Task, Tasks};
use crate::telemetry::{HandlerStats, Stats};

/// A running subscriber. Dropping it ends everything at once; [`shutdown`](Self::shutdown) lets
/// the handlers finish.
#[must_use = "dropping the handle ends the subscriber"]
pub struct Handle {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) handlers: Vec<Mounted>,
    pub(super) session: Task,
    pub(super) failure_hook: Option<Task>,
    /// Tasks that a shutdown does not wait for.
    pub(super) background: Vec<Task>,
    pub(super) tasks: Arc<Tasks>,
    /// Cancelled when the shutdown begins.
    pub(super) stop: CancellationToken,
    pub(super) status: watch::Receiver<Status>,
    pub(super) failures: Failures,
    pub(super) monitor: Arc<HealthMonitor>,
    /// Ends with the handle.
    pub(super) _deadline: Option<DeafWatch>,
    pub(super) report: OnceCell<ShutdownReport>,
}

/// A handler that is mounted, with its loop.
pub(super) struct Mounted {
    pub(super) context: Arc<HandlerContext>,
    /// What the loop works with, to see that its workers are gone as well.
    pub(super) loop_state: SharedLoopState,
    pub(super) meter: BacklogMeter,
    pub(super) task: Task,
}

impl Handle {
    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        if let Some(report) = self.report.get() {
            return report.stats.clone();
        }
        self.read_stats()
    }

    /// Whether every subscription is confirmed on the connection of this moment, and nothing else
    /// keeps it from being [ready](Health::is_ready).
    pub fn is_ready(&self) -> bool {
        self.monitor.is_ready()
    }

    /// Waits until it [is ready](Self::is_ready), at once if it is.
    ///
    /// Also returns when the subscriber is shut down: [`is_ready`](Self::is_ready) is then false.
    /// Cancel safe.
    pub async fn ready(&self) {
        let mut changes = self.monitor.changes();
        let mut status = self.status.clone();
        // What changes from here on is seen below.
        while !self.is_ready() && !self.monitor.is_shutting_down() {
            tokio::select! {
                _ = changes.changed() => {}
                Ok(()) = status.changed() => {}
            }
        }
    }

    /// How it is at this moment: live or not, ready or not, and why.
    ///
    /// Reads a few counters and waits for nothing, so a probe may ask on any thread.
    pub fn health(&self) -> Health {
        self.monitor.health()
    }

    /// The changes of the [health](Self::health) from now on.
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
        self.monitor.changes()
    }

    /// What is mounted: as [`Subscriber::wiring`](crate::Subscriber::wiring) gave it before the
    /// start.
    pub fn wiring(&self) -> Wiring {
        Wiring::of(self.handlers.iter().map(|handler| &handler.context.spec))
    }

    /// Lets a handler wait: what comes for it stays in its buffer, and what the buffer has no room
    /// for is dropped as at any time. A delivery under way goes on.
    ///
    /// A shutdown delivers nothing to a paused handler; what waits for it is counted `cancelled`.
    ///
    /// # Errors
    ///
    /// When no handler has this name ([`Error::is_config`](crate::Error::is_config)). Where
    /// several have, all of them wait.
    pub fn pause(&self, handler: &str) -> Result<()> {
        self.each_named(handler, PauseGate::pause)
    }

    /// Lets a paused handler go on; one that is not paused goes on anyway.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub fn resume(&self, handler: &str) -> Result<()> {
        self.each_named(handler, PauseGate::resume)
    }

    fn each_named(&self, handler: &str, change: fn(&PauseGate)) -> Result<()> {
        let named = |mounted: &&Mounted| mounted.context.spec.name == handler;
        let mut found = self.handlers.iter().filter(named).peekable();
        if found.peek().is_none() {
            return Err(Error::config(format!("no handler is named `{handler}`")));
        }
        found.for_each(|mounted| change(&mounted.context.gate));
        Ok(())
    }

    /// A receiver of every push that comes off the connection from now on, of whatever kind.
    ///
    /// For handlers with `invalidate` the confirmations of names such as
    /// `redis-push:tracking-on:user:` are among them: they are how tracking is confirmed.
    ///
    /// While nobody holds one, it costs nothing. A receiver that is 4,096 pushes behind loses the
    /// oldest and is told how many (`RecvError::Lagged`); no handler is affected by that. The
    /// channel is closed by a shutdown.
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
    pub fn pushes(&self) -> broadcast::Receiver<RawPush> {
        self.dispatcher.pushes()
    }

    pub(super) fn read_stats(&self) -> Stats {
        let handlers = self.handlers.iter().map(|Mounted { context, meter, .. }| {
            let subscriptions = context.spec.subscriptions.iter().map(ToString::to_string);
            let subscriptions = subscriptions.collect();
            HandlerStats::read(context, subscriptions, meter)
        });
        Stats {
            handlers: handlers.collect(),
            feed: self.dispatcher.stats(),
            failures: self.failures.stats(),
            restarts: self.tasks.restarts(),
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("handlers", &self.handlers.len())
            .field("is_ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}
