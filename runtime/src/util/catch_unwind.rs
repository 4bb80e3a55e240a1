//! Calls of user code: a panic is caught, and a time limit can be set.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep_until};

use super::clock;

/// How a future ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    Returned(T),
    Panicked,
    TimedOut,
}

/// Runs a user's future until it returns or panics.
///
/// State that the future shares with other code may be inconsistent after a panic, as after a panic in
/// any other task; the owners of that state have to handle this. The caller owns the future and pins
/// it, because every async function that it is moved through would reserve its size again.
pub(crate) async fn attempt<F: Future>(mut future: Pin<&mut F>) -> Ended<F::Output> {
    poll_fn(|cx| poll(future.as_mut(), cx)).await
}

/// Like [`attempt`], with a timeout. The future is dropped when it has ended or the time is up.
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
        // Most deliveries never wait. They need neither a timer nor the time.
        if !std::mem::replace(&mut is_timed, true) {
            timer.set(limit);
        }
        timer.poll(cx).map(|()| Ended::TimedOut)
    })
    .await;
    // Its destructors are user code too.
    if runs_without_panic(|| future.set(None)) {
        ended
    } else {
        Ended::Panicked
    }
}

/// Runs user code that is not a future, such as the `Display` of an error. Returns `false` if it
/// panics.
pub(crate) fn runs_without_panic(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(drop_payload)
        .is_ok()
}

/// Drops the payload of a panic. Its destructor may be user code, and may panic again.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Runs a future that may call user code. Returns `None` if it panics.
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
            drop_payload(payload);
            Poll::Ready(Ended::Panicked)
        }
    }
}

/// A timer that is created when it is first needed, and then reused.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn set(&mut self, limit: Duration) {
        // A deadline that the clock cannot represent is never reached.
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
