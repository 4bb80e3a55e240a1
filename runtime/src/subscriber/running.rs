use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

use super::callers::Callers;
use super::hooks::BoundHooks;
use super::mount_kit::MountKit;
use super::report::ShutdownReport;
#[cfg(feature = "cache")]
use crate::cache::CacheContext;
use crate::delivery::Handlers;
use crate::dispatch::Dispatcher;
use crate::failure::Failures;
use crate::health::{DeafWatch, HealthMonitor};
use crate::session::Board;
use crate::session::Status;
use crate::stream::SubscribeContext;
use crate::tasks::{Task, Tasks};
use crate::telemetry::Stats;

/// A running subscriber, which all clones of a [`Handle`](super::Handle) share. Dropping it ends
/// everything.
///
/// None of its tasks may hold it, or it would never be dropped.
pub(super) struct Running {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) handlers: Arc<Handlers>,
    /// What a handler needs that is mounted later.
    pub(super) kit: MountKit,
    /// The session of each node.
    pub(super) sessions: Vec<Task>,
    pub(super) failure_hook: Option<Task>,
    /// Tasks that a shutdown aborts without waiting for them.
    pub(super) background: Vec<Task>,
    pub(super) tasks: Arc<Tasks>,
    /// Cancelled when the shutdown begins.
    pub(super) stop: CancellationToken,
    /// Cancelled when the shutdown is complete.
    pub(super) stopped: CancellationToken,
    pub(super) status: watch::Receiver<Status>,
    pub(super) failures: Failures,
    pub(super) board: Arc<Board>,
    pub(super) monitor: Arc<HealthMonitor>,
    /// Dropping it ends the watch.
    pub(super) _deaf_watch: Option<DeafWatch>,
    /// What streams need.
    pub(super) streams: SubscribeContext,
    /// What caches need.
    #[cfg(feature = "cache")]
    pub(super) caches: CacheContext,
    /// How long `run` and `run_until` let handlers finish.
    pub(super) drain_deadline: Duration,
    /// The tasks that wait for a shutdown.
    pub(super) callers: Callers,
    /// Set by the first shutdown that completes.
    pub(super) report: OnceCell<ShutdownReport>,
    pub(super) hooks: BoundHooks,
    /// Where the test kit requests fences of each session.
    #[cfg(feature = "testing")]
    pub(super) fences: Vec<crate::session::Fences>,
}

impl Running {
    /// Aborts every task, without waiting for any.
    pub(super) fn abort(&self) {
        self.hooks.clear();
        let handlers = self.handlers.running();
        let handlers = handlers.iter().map(|handler| &handler.task);
        let others = self.failure_hook.iter().chain(&self.background);
        handlers
            .chain(others)
            .chain(&self.sessions)
            .for_each(Task::abort);
    }

    pub(super) fn read_stats(&self) -> Stats {
        let (handlers, unmounted) = self.handlers.stats();
        Stats {
            handlers,
            unmounted,
            streams: self
                .streams
                .registry
                .stats(|labels| self.dispatcher.entered_for_streams(labels)),
            #[cfg(feature = "cache")]
            caches: self.caches.registry.stats(),
            #[cfg(not(feature = "cache"))]
            caches: Vec::new(),
            feed: self.dispatcher.stats(),
            failures: self.failures.stats(),
            restarts: self.tasks.restarts(),
            now: self.monitor.state(),
        }
    }
}

/// Needs no runtime: the last handle may be dropped on any thread.
impl Drop for Running {
    fn drop(&mut self) {
        self.abort();
        // Streams, receivers of the health, and futures that wait for the end, may outlive the last handle.
        self.stop.cancel();
        self.dispatcher.close();
        self.monitor.end();
        self.stopped.cancel();
    }
}
