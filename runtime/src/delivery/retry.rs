use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;

use super::context::HandlerContext;
use crate::error::Fault;
use crate::handler::Retry;
use crate::util::{Backoff, Ended, drop_caught, runs_without_panic};

/// How one attempt ended.
pub(super) type Attempt = Ended<Result<(), Fault>>;

/// Has one type for all handlers, so that they do not each compile it.
type Waiting<'c> = Pin<Box<dyn Future<Output = Result<(), Attempt>> + Send + 'c>>;

impl HandlerContext {
    /// Waits before a delivery is repeated that has not succeeded. Returns the attempt back if the
    /// delivery ends with it.
    #[cold]
    #[inline(never)]
    pub(super) fn before_retry(&self, ended: Attempt, retried: u32) -> Waiting<'_> {
        Box::pin(async move {
            let Some(retry) = self.spec.retry.as_deref() else {
                return Err(ended);
            };
            if retried >= retry.times || !may_succeed_later(&ended) {
                return Err(ended);
            }
            let delay = jittered(retry, retried);
            let handler = &*self.spec.name;
            runs_without_panic(|| {
                tracing::debug!(target: "redis_push", handler, retried, ?delay, "delivery is repeated");
            });
            tokio::select! {
                biased;
                // The deadline of a shutdown: no attempt would begin.
                () = self.gate.over() => return Err(ended),
                () = tokio::time::sleep(delay) => {}
            }
            self.retries.fetch_add(1, Relaxed);
            drop_caught(ended);
            Ok(())
        })
    }
}

/// A payload that does not decode never will, and a panic is a mistake in the program. After a request for
/// a resync, the gap handler comes first.
fn may_succeed_later(ended: &Attempt) -> bool {
    match ended {
        Ended::TimedOut => true,
        Ended::Returned(Err(fault @ Fault::Failed(_))) => !fault.requests_resync(),
        Ended::Returned(_) | Ended::Panicked(_) => false,
    }
}

fn jittered(retry: &Retry, retried: u32) -> std::time::Duration {
    let span = retry.delay_after(retried);
    Backoff::new(span, span).next()
}
