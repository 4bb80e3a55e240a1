use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

/// How a future of the user's ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    Returned(T),
    Panicked,
    TimedOut,
}

/// Runs a future of the user's until it returns or panics, or until the time is up; then it is
/// dropped.
///
/// What it shares with others is theirs to keep whole after a panic, as with a panic in any other
/// task.
pub(crate) async fn attempt<T>(
    limit: Option<Duration>,
    future: impl Future<Output = T>,
) -> Ended<T> {
    let mut future = pin!(Some(future));
    let mut run = pin!(poll_fn(|cx| poll(future.as_mut(), cx)));
    let Some(limit) = limit else {
        return run.await;
    };
    // Most deliveries never wait. Those need no timer, and no look at the clock.
    if let Poll::Ready(ended) = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await {
        return ended;
    }
    if let Ok(ended) = tokio::time::timeout(limit, run).await {
        return ended;
    }
    // Its destructors are the user's code too.
    match catch_unwind(AssertUnwindSafe(|| future.set(None))) {
        Ok(()) => Ended::TimedOut,
        Err(_) => Ended::Panicked,
    }
}

fn poll<F: Future>(
    mut future: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Poll<Ended<F::Output>> {
    // It is there until it has ended, and is not polled again after that.
    let Some(running) = future.as_mut().as_pin_mut() else {
        return Poll::Pending;
    };
    match catch_unwind(AssertUnwindSafe(|| running.poll(cx))) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ended::Returned(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Ended::Panicked),
    }
}
