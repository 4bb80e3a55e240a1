use std::pin::Pin;
use std::sync::Arc;

use super::queue::{Failures, HookOutcome};
use super::{Failure, FailureHook};
use crate::error::BoxError;
use crate::util::{RateLimit, caught};

/// A hook, under a type that a subscriber can hold. One box a failure: failures are rare.
pub(crate) type BoxedHook = Arc<dyn Fn(Failure) -> Telling + Send + Sync>;

type Telling = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

pub(crate) fn boxed(hook: impl FailureHook) -> BoxedHook {
    let hook = Arc::new(hook);
    Arc::new(move |failure| {
        let hook = Arc::clone(&hook);
        Box::pin(async move { hook.tell(failure).await })
    })
}

/// Tells the hook of one failure after another, until the queue is closed and empty.
pub(crate) async fn run(failures: Failures, hook: BoxedHook) {
    failures.account_for_last_run();
    let mut limit = RateLimit::default();
    while let Some(failure) = failures.next().await {
        let name = failure.handler().to_owned();
        let told = match caught(hook(failure)).await {
            Some(Ok(())) => HookOutcome::Well,
            Some(Err(error)) => {
                limit.report(|suppressed| {
                    tracing::error!(
                        target: "redis_push", handler = name, %error, suppressed,
                        "a failure could not be told"
                    );
                });
                HookOutcome::Failed
            }
            None => {
                limit.report(|suppressed| {
                    tracing::error!(
                        target: "redis_push", handler = name, suppressed,
                        "the failure hook panicked"
                    );
                });
                HookOutcome::Panicked
            }
        };
        failures.ended(told);
    }
}
