use super::clock;
use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep_until};

/// How a future of the user's ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    Returned(T),
    Panicked,
    TimedOut,
}

/// Runs a future of the user's until it returns or panics.
///
/// What it shares with others is theirs to keep whole after a panic, as with a panic in any other
/// task. The caller keeps the future, in a place that it is not moved from again: each async
/// function on the way would hold a copy of its size.
pub(crate) async fn attempt<F: Future>(mut future: Pin<&mut F>) -> Ended<F::Output> {
    poll_fn(|cx| poll(future.as_mut(), cx)).await
}

/// Runs a future of the user's likewise, or until the time is up; then it is dropped.
pub(crate) async fn attempt_within<F: Future>(
    limit: Duration,
    timer: &mut Timer,
    mut future: Pin<&mut Option<F>>,
) -> Ended<F::Output> {
    let mut is_timed = false;
    let ended = poll_fn(|cx| {
        let Some(running) = future.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if let Poll::Ready(ended) = poll(running, cx) {
            return Poll::Ready(ended);
        }
        // Most deliveries never wait. Those need no timer, and no look at the clock.
        if !std::mem::replace(&mut is_timed, true) {
            timer.set(limit);
        }
        timer.poll(cx).map(|()| Ended::TimedOut)
    })
    .await;
    // Its destructors are the user's code too.
    match runs_without_panic(|| future.set(None)) {
        true => ended,
        false => Ended::Panicked,
    }
}

/// Runs code of the user's that is no future, such as the `Display` of an error, and says whether
/// it did not panic.
pub(crate) fn runs_without_panic(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).map_err(let_go).is_ok()
}

/// Drops what a panic carried, which may be the user's too and panic again.
fn let_go(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Runs a future that may run code of the user's: `None` if it panics.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    match attempt(pin!(future)).await {
        Ended::Returned(value) => Some(value),
        Ended::Panicked | Ended::TimedOut => None,
    }
}

fn poll<F: Future>(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Ended<F::Output>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ended::Returned(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(payload) => {
            let_go(payload);
            Poll::Ready(Ended::Panicked)
        }
    }
}

/// A timer that is made when it is first needed, and used again.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn set(&mut self, limit: Duration) {
        // A moment that the clock cannot hold never comes.
        let Some(deadline) = clock::now().checked_add(limit) else {
            self.0 = None;
            return;
        };
        match &mut self.0 {
            Some(timer) => timer.as_mut().reset(deadline),
            None => self.0 = Some(Box::pin(sleep_until(deadline))),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = &mut self.0 else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(())
    }
}
