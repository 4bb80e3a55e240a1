//! The failure hook, and the task that calls it.

use std::pin::{Pin, pin};
use std::sync::Arc;

use super::queue::{Failures, HookOutcome};
use super::{Failure, FailureHook};
use crate::error::BoxError;
use crate::util::{Ended, PanicMessage, RateLimit, Shown, attempt, drop_caught};

/// A hook without its type, for a subscriber to store. Costs one box for each failure; failures are
/// rare.
pub(crate) type BoxedHook = Arc<dyn Fn(Failure) -> HookFuture + Send + Sync>;

type HookFuture = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// Erases the type of a hook.
pub(crate) fn boxed(hook: impl FailureHook) -> BoxedHook {
    let hook = Arc::new(hook);
    Arc::new(move |failure| {
        let hook = Arc::clone(&hook);
        Box::pin(async move { hook.tell(failure).await })
    })
}

/// Passes one failure after another to the hook, until the queue is closed and empty.
pub(crate) async fn run(failures: Failures, hook: BoxedHook) {
    failures.account_for_last_run();
    let errors = RateLimit::new("failure hook", "failure hook returned an error");
    let panics = RateLimit::new("failure hook", "failure hook panicked");
    while let Some(failure) = failures.next().await {
        let name = failure.handler().to_owned();
        let outcome = match attempt(pin!(None), || hook(failure)).await {
            Ended::Returned(Ok(())) => HookOutcome::Accepted,
            Ended::Returned(Err(error)) => {
                let log = |suppressed| {
                    let error = Shown(&error);
                    tracing::error!(
                        target: "redis_push", handler = name, %error, suppressed,
                        "failure hook returned an error"
                    );
                };
                errors.report(log);
                drop_caught(error);
                HookOutcome::Failed
            }
            Ended::Panicked(message) => {
                log_panic(&panics, &name, &message);
                HookOutcome::Panicked
            }
            Ended::TimedOut => unreachable!("a hook has no timeout"),
        };
        failures.ended(outcome);
    }
}

fn log_panic(limit: &RateLimit, name: &str, message: &PanicMessage) {
    limit.report(|suppressed| {
        tracing::error!(
            target: "redis_push", handler = name, panic = message.as_str(), suppressed,
            "failure hook panicked"
        );
    });
}
