use std::time::Duration;

use tokio::time::Instant;

use super::handle::Handle;
use super::report::ShutdownReport;
use crate::tasks::Task;
use crate::util::clock;

impl Handle {
    /// Ends the subscriptions, lets the handlers finish what has arrived, and reports.
    ///
    /// What is not delivered when the deadline has passed is counted `cancelled`, a delivery under
    /// way included: its future is dropped at its next await. That is waited for, 50 milliseconds
    /// beyond the deadline at the most: a handler that blocks its thread for longer goes on until it
    /// returns. Works without a connection too.
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

    pub(super) async fn shutdown_and_log(&self, deadline: Duration) {
        let report = self.shutdown(deadline).await;
        tracing::info!(target: "redis_push", "{report}");
    }

    /// The tasks stay where the handle can end them: this future may be dropped at any await.
    async fn drain(&self, deadline: Duration) -> ShutdownReport {
        let begun = clock::now();
        self.stop.cancel();
        self.monitor.publish();
        // Half of the time for the server to let go, at the least half for the handlers.
        let half = later(begun, deadline / 2);
        self.session.end(half).await;
        self.dispatcher.close();
        for handler in &self.handlers {
            handler.context.gate.end_pause();
        }
        let deadline = later(begun, deadline);
        for handler in &self.handlers {
            handler.task.end(deadline).await;
        }
        // One at work sees its end before its next delivery, or at its next await. Until then it
        // goes on, and counts.
        self.handlers
            .iter()
            .for_each(|handler| handler.context.gate.end());
        let grace = later(deadline, GRACE);
        for handler in &self.handlers {
            handler.task.end(grace).await;
            let gone = async { handler.loop_state.lock().await.workers.shutdown().await };
            let _ = tokio::time::timeout_at(grace, gone).await;
        }
        self.failures.close();
        if let Some(hook) = &self.failure_hook {
            hook.end(deadline).await;
        }
        self.background.iter().for_each(Task::abort);
        self.failures.drop_rest();
        self.monitor.end();
        let mut stats = self.read_stats();
        for handler in &mut stats.handlers {
            handler.cancel_rest();
        }
        ShutdownReport {
            stats,
            took: clock::now() - begun,
        }
    }
}

/// How long behind the deadline a handler at work is waited for, so that the report is right.
const GRACE: Duration = Duration::from_millis(50);

/// A moment after another; one that the clock cannot hold is thirty years away.
fn later(than: Instant, by: Duration) -> Instant {
    const LONG: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    than + by.min(LONG)
}
