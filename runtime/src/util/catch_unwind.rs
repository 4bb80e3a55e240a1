//! Calls of user code: a panic is caught, and a time limit can be set.

use std::any::Any;
use std::fmt::{self, Write as _};
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
    Panicked(PanicMessage),
    TimedOut,
}

/// The message of a panic. Empty if the payload of the panic is not a text.
#[derive(Debug, Default)]
pub(crate) struct PanicMessage(Option<Box<str>>);

impl PanicMessage {
    /// Takes the message out of the payload of a panic, and drops the payload. Its destructor may be
    /// user code, and may panic again.
    fn of(payload: Box<dyn Any + Send>) -> Self {
        let text = match payload.downcast_ref::<&str>() {
            Some(text) => Some((*text).into()),
            None => payload.downcast_ref::<String>().map(|text| (**text).into()),
        };
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        Self(text)
    }

    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(Some(text.into()))
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Display for PanicMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(f, "it panicked: {text}"),
            None => f.write_str("it panicked"),
        }
    }
}

/// Runs user code. A panic in it is returned as its message.
pub(crate) fn call<T>(run: impl FnOnce() -> T) -> Result<T, PanicMessage> {
    catch_unwind(AssertUnwindSafe(run)).map_err(PanicMessage::of)
}

/// Runs a user's future until it returns or panics. `make` creates the future in `slot`, which is
/// empty again afterwards.
///
/// A panic of `make` and of the future's destructor is caught as well, also if the returned future is
/// dropped before it is ready.
///
/// State that the future shares with other code may be inconsistent after a panic, as after a panic in
/// any other task; the owners of that state have to handle this. The caller owns the slot, because
/// every async function that a future is moved through would reserve its size again.
pub(crate) async fn attempt<F: Future>(
    slot: Pin<&mut Option<F>>,
    make: impl FnOnce() -> F,
) -> Ended<F::Output> {
    let mut running = Running::new(slot, make);
    poll_fn(|cx| running.poll(cx)).await
}

/// Like [`attempt`], with a timeout, if there is one.
pub(crate) async fn attempt_within<F: Future>(
    limit: Option<Duration>,
    timer: &mut Timer,
    slot: Pin<&mut Option<F>>,
    make: impl FnOnce() -> F,
) -> Ended<F::Output> {
    let mut running = Running::new(slot, make);
    let mut is_timed = false;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = running.poll(cx) {
            return Poll::Ready(ended);
        }
        // Most deliveries never wait. They need neither a timer nor the time.
        if let Some(limit) = limit
            && !std::mem::replace(&mut is_timed, true)
        {
            timer.set(limit);
        }
        ready!(timer.poll(cx));
        Poll::Ready(match running.end() {
            Ok(()) => Ended::TimedOut,
            Err(message) => Ended::Panicked(message),
        })
    })
    .await
}

/// Runs a future that may call user code. Returns `None` if it panics.
pub(crate) async fn caught<F: Future>(make: impl FnOnce() -> F) -> Option<F::Output> {
    match attempt(pin!(None), make).await {
        Ended::Returned(value) => Some(value),
        Ended::Panicked(_) | Ended::TimedOut => None,
    }
}

/// A user's future in its slot. Dropping this drops the future.
struct Running<'s, F, M> {
    slot: Pin<&'s mut Option<F>>,
    /// Creates the future at the first poll.
    make: Option<M>,
}

impl<'s, F: Future, M: FnOnce() -> F> Running<'s, F, M> {
    fn new(slot: Pin<&'s mut Option<F>>, make: M) -> Self {
        let make = Some(make);
        Self { slot, make }
    }

    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<F::Output>> {
        let Self { slot, make } = self;
        // Outside of the closure: if the future's destructor panics, the value is not dropped while
        // the thread unwinds, because a second panic would abort the process.
        let mut returned = None;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if let Some(make) = make.take() {
                slot.set(Some(make()));
            }
            if let Some(future) = slot.as_mut().as_pin_mut()
                && let Poll::Ready(value) = future.poll(cx)
            {
                returned = Some(value);
                slot.set(None);
            }
        }));
        if let Err(payload) = polled {
            return Poll::Ready(panicked(payload, returned));
        }
        match returned {
            Some(value) => Poll::Ready(Ended::Returned(value)),
            None => Poll::Pending,
        }
    }
}

/// Drops the value that a future has returned before its destructor panicked.
#[cold]
#[inline(never)]
fn panicked<T>(payload: Box<dyn Any + Send>, returned: Option<T>) -> Ended<T> {
    drop_caught(returned);
    Ended::Panicked(PanicMessage::of(payload))
}

impl<F, M> Running<'_, F, M> {
    /// Drops the future.
    fn end(&mut self) -> Result<(), PanicMessage> {
        catch_unwind(AssertUnwindSafe(|| self.slot.set(None))).map_err(PanicMessage::of)
    }
}

impl<F, M> Drop for Running<'_, F, M> {
    fn drop(&mut self) {
        if self.slot.is_some() {
            let _ = self.end();
        }
    }
}

/// Runs user code that is not a future, such as a subscriber of `tracing`. Returns `false` if it
/// panics.
pub(crate) fn runs_without_panic(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run))
        .map_err(PanicMessage::of)
        .is_ok()
}

/// Drops a value that may be the user's. A panic of its destructor is caught.
pub(crate) fn drop_caught<T>(value: T) {
    runs_without_panic(move || drop(value));
}

/// A value that may be the user's. A panic of its destructor is caught, wherever it is dropped.
#[derive(Debug)]
pub(crate) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub(crate) fn new(value: Option<T>) -> Self {
        Self(value)
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            drop_caught(value);
        }
    }
}

/// Displays a user's value. If its `Display` panics or fails, the text up to there is shown.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let written = catch_unwind(AssertUnwindSafe(|| write!(text, "{}", self.0)));
        f.write_str(&text)?;
        let problem = match written.map_err(PanicMessage::of) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(_)) => "returned an error",
            Err(_) => "panicked",
        };
        let space = if text.is_empty() { "" } else { " " };
        write!(f, "{space}(its text ends here: `Display` {problem})")
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
        timer.as_mut().poll(cx)
    }
}
