use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{OnceCell, broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::feed::Feed;
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

    /// A receiver of every push that comes off the connection from now on, of whatever kind.
    ///
    /// While nobody holds one, it costs nothing. A receiver that is 4,096 pushes behind loses the
    /// oldest and is told how many (`RecvError::Lagged`); no handler is affected by that.
    pub fn pushes(&self) -> broadcast::Receiver<RawPush> {
        self.feed.pushes()
    }

    /// Ends the subscriptions, lets the handlers finish what has arrived, and reports.
    ///
    /// What is not delivered when the deadline has passed is counted `cancelled`, a delivery under
    /// way included: its future is dropped at its next await. Works without a connection too. A
    /// second call returns the report of the first.
    ///
    /// Not cancel safe in one respect: a call that is dropped has ended the subscriptions, and the
    /// next one goes on from there.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.report
            .get_or_init(|| self.drain(deadline))
            .await
            .clone()
    }

    async fn drain(&self, deadline: Duration) -> ShutdownReport {
        let begun = Instant::now();
        self.stop.send_replace(true);
        let Tasks {
            supervisor,
            handlers,
            waking,
        } = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        // Half of the time for the server to let go, at the least half for the handlers.
        if let Some(mut supervisor) = supervisor {
            let _ = timeout_at(begun + deadline / 2, &mut supervisor).await;
            supervisor.abort();
        }
        self.feed.close();
        for mut handler in handlers {
            let _ = timeout_at(begun + deadline, &mut handler).await;
            handler.abort();
        }
        if let Some(waking) = waking {
            waking.abort();
        }
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
            HandlerStats::read(lane.spec.name, subscriptions, &lane.counters, meter)
        });
        Stats {
            handlers: handlers.collect(),
            feed: self.feed.stats(),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let tasks = self.tasks.get_mut().unwrap_or_else(PoisonError::into_inner);
        for task in tasks
            .handlers
            .iter()
            .chain(&tasks.supervisor)
            .chain(&tasks.waking)
        {
            task.abort();
        }
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
