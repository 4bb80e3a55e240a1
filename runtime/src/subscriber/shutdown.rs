use std::time::Duration;

use tokio::time::Instant;

use super::handle::Handle;
use super::report::ShutdownReport;
use crate::tasks::Task;
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
    /// A later call returns the report of the first call; a concurrent call waits for it.
    ///
    /// # Cancel safety
    ///
    /// A call that is dropped has ended the subscriptions. The next call continues from there, with
    /// its own deadline.
    pub async fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.report
            .get_or_init(|| self.drain(deadline))
            .await
            .clone()
    }

    pub(super) async fn shutdown_and_log(&self, deadline: Duration) {
        let report = self.shutdown(deadline).await;
        tracing::info!(target: "redis_push", "{report}");
    }

    /// Shuts down in order: the session, the handlers, the failure hook, the background tasks.
    ///
    /// The tasks stay in the handle, which can still end them if this future is dropped at an await.
    async fn drain(&self, deadline: Duration) -> ShutdownReport {
        let start = clock::now();
        self.stop.cancel();
        self.monitor.publish();
        // The server has half of the time to confirm the end of the subscriptions; the handlers have
        // at least the other half.
        let half = after(start, deadline / 2);
        self.session.end(half).await;
        self.dispatcher.close();
        for handler in &self.handlers {
            handler.context.gate.end_pause();
        }
        let deadline = after(start, deadline);
        for handler in &self.handlers {
            handler.task.end(deadline).await;
        }
        // A loop that still runs stops before its next delivery, or at its next await. Until then it
        // continues, and counts.
        for handler in &self.handlers {
            handler.context.gate.end();
        }
        let grace = after(deadline, GRACE);
        for handler in &self.handlers {
            handler.task.end(grace).await;
            let workers_end = async { handler.loop_state.lock().await.end_workers().await };
            let _ = tokio::time::timeout_at(grace, workers_end).await;
        }
        self.failures.close();
        if let Some(hook) = &self.failure_hook {
            hook.end(deadline).await;
        }
        self.background.iter().for_each(Task::abort);
        self.failures.drop_rest();
        for handler in &self.handlers {
            handler.context.flush_log();
        }
        self.monitor.end();
        let mut stats = self.read_stats();
        for handler in &mut stats.handlers {
            handler.cancel_rest();
        }
        ShutdownReport {
            stats,
            took: clock::now() - start,
        }
    }
}

/// Returns the moment `delay` after `start`, but at most thirty years: a clock cannot represent more.
fn after(start: Instant, delay: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    start + delay.min(LONG)
}
