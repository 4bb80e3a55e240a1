use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use super::event::{Event, StreamEnd};
use super::event_stream::EventStream;
use crate::extract::FromPush;

/// The messages of a subscription alone. Gaps and rejected messages are counted, and not told.
///
/// [`EventStream::without_gaps`] creates one. It ends as that stream does.
#[must_use = "a stream does nothing unless it is polled"]
pub struct MessageStream<T> {
    events: EventStream<T>,
}

impl<T> MessageStream<T> {
    pub(super) fn new(events: EventStream<T>) -> Self {
        Self { events }
    }

    /// Returns why the stream is over, or `None` if it is not.
    #[must_use]
    pub fn ended(&self) -> Option<StreamEnd> {
        self.events.ended()
    }
}

impl<T: for<'p> FromPush<'p, ()>> MessageStream<T> {
    /// Waits for the next message. Returns `None` when the stream is over, and from then on.
    ///
    /// Cancel safe: if the future is dropped before it is ready, no message is lost.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            match self.events.poll_event(cx) {
                Poll::Ready(Some(Event::Message(message))) => return Poll::Ready(Some(message)),
                Poll::Ready(Some(Event::Gap(_) | Event::Rejected(_))) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<T: for<'p> FromPush<'p, ()>> Stream for MessageStream<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.get_mut().poll_message(cx)
    }
}

impl<T: for<'p> FromPush<'p, ()>> FusedStream for MessageStream<T> {
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}

impl<T> fmt::Debug for MessageStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.events.fmt(f)
    }
}
