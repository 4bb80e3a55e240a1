use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::handle::Handle;
use super::report::ShutdownReport;
use super::running::Running;
use crate::delivery::Mounted;
use crate::tasks::Task;
use crate::telemetry::HandlerStats;
use crate::util::clock;

/// How long a shutdown waits after its deadline for a delivery under way, so that the report counts
/// it.
const GRACE: Duration = Duration::from_millis(50);

impl Handle {
    /// Ends the subscriptions, lets the handlers finish what has arrived, and returns a report.
    ///
    /// Messages that are not delivered by the deadline are counted `cancelled`, including a delivery
    /// under way, whose future is dropped at its next await. The shutdown waits for that for at most
    /// 50 milliseconds after the deadline: a handler that blocks its thread for longer runs until it
    /// returns. Works without a connection too.
    ///
    /// A later call returns the report of the first call; a concurrent call waits for it. It makes no
    /// difference which clone of the handle a call is made on.
    ///
    /// # Inside a handler
    ///
    /// A handler, a gap handler or the failure hook may call this. The shutdown does not wait for the
    /// calling delivery, which the report counts as `running`, or as a failure that is `queued`. It
    /// continues when this returns, and is the last one of its task: the messages that wait for the
    /// same task are counted `cancelled`. This applies to a call in the handler's own future. If the
    /// handler waits for another task that calls this, the shutdown waits for the handler.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped has ended the subscriptions. The next call continues from there, with
    /// its own deadline.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.running.shutdown(deadline).await
    }
}

impl Running {
    async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let _call = self.callers.enter();
        let report = self.report.get_or_init(|| self.drain(deadline)).await;
        self.stopped.cancel();
        report.clone()
    }

    /// Shuts down in order: the sessions, the handlers, the failure hook, the background tasks.
    ///
    /// The tasks stay in their place, where the next call or the drop can still end them if this future is dropped at an await.
    async fn drain(&self, deadline: Duration) -> ShutdownReport {
        let start = clock::now();
        self.stop.cancel();
        self.monitor.health();
        // Streams end first: a server that answers web requests from them ends with them.
        self.dispatcher.close_streams();
        // The server has half of the time to confirm the end of the subscriptions; the handlers have
        // at least the other half.
        let half = after(start, deadline / 2);
        for session in &self.sessions {
            session.end(half).await;
        }
        self.dispatcher.close();
        // Nothing is mounted any more.
        let handlers = self.handlers.running();
        let end = after(start, deadline);
        let deadline = match self.hooks.has_stop() {
            // What runs after the handlers needs some time too.
            true => after(start, deadline / 10 * 9),
            false => end,
        };
        self.end_handlers(&handlers, deadline).await;
        self.failures.close();
        let hook_calls = self.end_hook(deadline).await;
        self.hooks.run_stop(end).await;
        self.background.iter().for_each(Task::abort);
        self.failures.drop_rest(hook_calls);
        for handler in handlers.iter() {
            handler.context.flush_log();
        }
        self.streams.registry.flush_log();
        self.monitor.end();
        let mut stats = self.read_stats();
        for (counts, handler) in stats.handlers.iter_mut().zip(handlers.iter()) {
            counts.cancel_rest(self.callers.of(handler).count());
        }
        ShutdownReport {
            stats,
            took: clock::now() - start,
        }
    }

    /// Waits until handlers whose channels are closed have delivered everything, without the deliveries
    /// that wait for this. Aborts them at the deadline.
    pub(super) async fn end_handlers(&self, handlers: &[Arc<Mounted>], deadline: Instant) {
        for handler in handlers {
            handler.context.gate.end_pause();
        }
        for handler in handlers {
            self.end_handler(handler, deadline).await;
        }
        // A loop that still runs stops before its next delivery, or at its next await. Until then it
        // continues, and counts.
        for handler in handlers {
            handler.context.gate.end();
        }
        let grace = after(deadline, GRACE);
        for handler in handlers {
            if self.callers.of(handler).is_any() {
                self.callers.abort_other_workers(handler);
                continue;
            }
            handler.task.end(grace).await;
            let workers_end = async { handler.loop_state.lock().await.end_workers().await };
            let _ = timeout_at(grace, workers_end).await;
        }
    }

    /// Waits until a handler has delivered everything, without the deliveries that wait for this
    /// shutdown. Aborts it at the deadline.
    async fn end_handler(&self, handler: &Mounted, deadline: Instant) {
        loop {
            let added = self.callers.added();
            let callers = self.callers.of(handler);
            if callers.is_loop {
                return;
            }
            if callers.workers > 0 {
                let _ = timeout_at(deadline, self.other_workers_end(handler)).await;
                return;
            }
            tokio::select! {
                () = handler.task.end(deadline) => return,
                () = added => {}
            }
        }
    }

    /// Waits until every worker of a handler is idle or waits for this shutdown, and no worker takes
    /// another message: there is none, or those that are left wait for a worker that calls.
    async fn other_workers_end(&self, handler: &Mounted) {
        const PAUSE: Duration = Duration::from_millis(5);
        const UNCHANGED: u32 = 20;
        let mut unchanged = 0;
        let mut before = None;
        loop {
            let stats = HandlerStats::read(&handler.context, Vec::new(), &handler.meter);
            let is_idle = stats.running <= self.callers.of(handler).workers;
            if is_idle && stats.queued == 0 {
                return;
            }
            let begun = Some(stats.delivered() + stats.running);
            unchanged = if is_idle && before == begun {
                unchanged + 1
            } else {
                0
            };
            if unchanged == UNCHANGED {
                return;
            }
            before = begun;
            sleep(PAUSE).await;
        }
    }

    /// Waits until the hook has received every failure, and aborts it at the deadline. Returns `true`
    /// without waiting if the hook itself waits for this shutdown.
    async fn end_hook(&self, deadline: Instant) -> bool {
        let Some(hook) = &self.failure_hook else {
            return false;
        };
        loop {
            let added = self.callers.added();
            if self.callers.contain(hook.id()) {
                return true;
            }
            tokio::select! {
                () = hook.end(deadline) => return false,
                () = added => {}
            }
        }
    }
}

/// Returns the moment `delay` after `start`.
pub(super) fn after(start: Instant, delay: Duration) -> Instant {
    start + delay.min(clock::LONGEST)
}
