use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OnceCell, broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::gate::Gate;
use crate::mount::Lane;
use crate::raw::RawPush;
use crate::ring::Meter;
use crate::stats::{HandlerStats, Stats};
use crate::supervisor::{Phase, Status};

/// A running subscriber. Dropping it ends everything at once; [`shutdown`](Self::shutdown) lets
/// the handlers finish.
#[must_use = "dropping the handle ends the subscriber"]
pub struct Handle {
    pub(crate) feed: Arc<Feed>,
    pub(crate) lanes: Vec<(Arc<Lane>, Meter)>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) tasks: Mutex<Tasks>,
    pub(crate) report: OnceCell<ShutdownReport>,
}

/// The tasks of a subscriber; they end with it.
#[derive(Default)]
pub(crate) struct Tasks {
    pub(crate) supervisor: Option<JoinHandle<()>>,
    pub(crate) handlers: Vec<JoinHandle<()>>,
    /// Wakes handlers; without it the feed does so itself.
    pub(crate) waking: Option<JoinHandle<()>>,
}

impl Handle {
    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        if let Some(report) = self.report.get() {
            return report.stats.clone();
        }
        self.read_stats()
    }

    /// Whether every subscription is confirmed on the connection of this moment.
    pub fn is_ready(&self) -> bool {
        // Without a supervisor, what it said last is worth nothing.
        let is_supervised = self.status.has_changed().is_ok();
        is_supervised && self.status.borrow().phase == Phase::Ready
    }

    /// Waits until every subscription is confirmed, at once if they are.
    ///
    /// Also returns when the subscriber is shut down: [`is_ready`](Self::is_ready) is then false.
    /// Cancel safe.
    pub async fn ready(&self) {
        let mut status = self.status.clone();
        let _ = status.wait_for(|status| status.phase == Phase::Ready).await;
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
        self.each_named(handler, Gate::pause)
    }

    /// Lets a paused handler go on; one that is not paused goes on anyway.
    ///
    /// # Errors
    ///
    /// As [`pause`](Self::pause).
    pub fn resume(&self, handler: &str) -> Result<()> {
        self.each_named(handler, Gate::resume)
    }

    fn each_named(&self, handler: &str, change: fn(&Gate)) -> Result<()> {
        let named = |(lane, _): &&(Arc<Lane>, Meter)| lane.spec.name == handler;
        let mut found = self.lanes.iter().filter(named).peekable();
        if found.peek().is_none() {
            return Err(Error::config(format!("no handler is named `{handler}`")));
        }
        found.for_each(|(lane, _)| change(&lane.gate));
        Ok(())
    }

    /// A receiver of every push that comes off the connection from now on, of whatever kind.
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
        self.feed.pushes()
    }

    /// Ends the subscriptions, lets the handlers finish what has arrived, and reports.
    ///
    /// What is not delivered when the deadline has passed is counted `cancelled`, a delivery under
    /// way included: its future is dropped at its next await, so a handler that blocks its thread
    /// goes on until it returns. Works without a connection too.
    ///
    /// A call after the first returns the first one's report; a call beside it waits for it. Cancel
    /// safe in so far as a call that is dropped has ended the subscriptions, and the next one goes
    /// on from there, with its own deadline.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.report
            .get_or_init(|| self.drain(deadline))
            .await
            .clone()
    }

    /// The tasks stay where the handle can end them: this future may be dropped at any await.
    async fn drain(&self, deadline: Duration) -> ShutdownReport {
        let begun = Instant::now();
        self.stop.send_replace(true);
        let mut tasks = self.tasks.lock().await;
        // Half of the time for the server to let go, at the least half for the handlers.
        if let Some(task) = &mut tasks.supervisor {
            end(task, later(begun, deadline / 2)).await;
        }
        self.feed.close();
        for (lane, _) in &self.lanes {
            lane.gate.end_pause();
        }
        for task in &mut tasks.handlers {
            end(task, later(begun, deadline)).await;
        }
        tasks.abort();
        drop(tasks);
        let mut stats = self.read_stats();
        for handler in &mut stats.handlers {
            handler.cancel_rest();
        }
        ShutdownReport {
            stats,
            took: begun.elapsed(),
        }
    }

    fn read_stats(&self) -> Stats {
        let handlers = self.lanes.iter().map(|(lane, meter)| {
            let subscriptions = lane.spec.subscriptions.iter().map(ToString::to_string);
            let subscriptions = subscriptions.collect();
            HandlerStats::read(lane, subscriptions, meter)
        });
        Stats {
            handlers: handlers.collect(),
            feed: self.feed.stats(),
        }
    }
}

/// Waits for a task until the deadline, then ends it.
async fn end(task: &mut JoinHandle<()>, deadline: Instant) {
    // A task that has been waited for must not be polled again.
    if !task.is_finished() {
        let _ = timeout_at(deadline, &mut *task).await;
        task.abort();
    }
}

/// A moment after another; one that the clock cannot hold is thirty years away.
fn later(than: Instant, by: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    than + by.min(LONG)
}

impl Tasks {
    fn abort(&self) {
        let tasks = self.handlers.iter().chain(&self.supervisor);
        tasks.chain(&self.waking).for_each(JoinHandle::abort);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tasks.get_mut().abort();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("handlers", &self.lanes.len())
            .field("is_ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}

/// What a shutdown has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The final counts.
    pub stats: Stats,
    /// How long it took.
    pub took: Duration,
}

impl ShutdownReport {
    /// How many messages had arrived and were not delivered.
    #[must_use]
    pub fn cancelled(&self) -> u64 {
        self.stats
            .handlers
            .iter()
            .map(|handler| handler.cancelled)
            .sum()
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stats, took } = self;
        writeln!(f, "{stats}")?;
        write!(f, "shut down in {took:.3?}, {} cancelled", self.cancelled())
    }
}
