use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Result;

/// A publish in progress: a future of the [number of receivers](crate::Publisher#number-of-receivers).
///
/// The message is already encoded; it is sent once this future is awaited. The future does not borrow
/// the message and may be spawned.
#[must_use = "nothing is published before this is awaited"]
pub struct Publishing<T>(Pin<Box<dyn Future<Output = Result<T>> + Send>>);

impl<T> Publishing<T> {
    pub(super) fn new(sending: impl Future<Output = Result<T>> + Send + 'static) -> Self {
        Self(Box::pin(sending))
    }
}

impl<T> Future for Publishing<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        self.0.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for Publishing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publishing").finish_non_exhaustive()
    }
}
