use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::Arc;
#[cfg(feature = "cache")]
use std::task::Waker;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use super::counters::{StreamCounters, Tally};
use super::event::{Event, StreamEnd};
use super::log::LoadLog;
use super::message_stream::MessageStream;
use crate::broadcast::{Received, Rest};
use crate::dispatch::StreamReader;
use crate::error::Rejection;
use crate::extract::FromPush;
use crate::gap::{Gap, GapCause};
#[cfg(feature = "testing")]
use crate::probe::Streamed;
use crate::push::Push;
use crate::subscription::Subscription;
use crate::util::call;

/// The messages of a subscription, and the gaps between them: what
/// [`Handle::subscribe`](crate::Handle::subscribe) returns.
///
/// ```
/// # use redis_push::{Event, Subscriber, Subscription, testing::Broker};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Broker::start().await?;
/// # let handle = Subscriber::new(server.url()).start().await?;
/// let mut news = handle.subscribe(Subscription::channel("news")).await?;
/// server.publish("news", "hello");
/// while let Some(event) = news.next().await {
///     match event {
///         Event::Gap(gap) => println!("load what is current: {gap}"),
///         Event::Message(payload) => {
///             assert_eq!(payload, "hello");
///             # break;
///         }
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Snapshots
///
/// [`snapshot_with`](Self::snapshot_with) turns the gaps into snapshots that a function loads, and tries
/// again if it fails: for whoever has to show what is current.
///
/// # Slow readers
///
/// A stream is a position among the messages of its names, which it shares with all other streams of
/// the same name. If it falls behind by more than its [`buffer`](crate::Subscribe::buffer), it skips
/// the oldest messages and receives a [`Gap`] with their exact number. Nobody else waits for it.
///
/// # Many streams
///
/// A stream has no task and no connection. While it is idle, it takes less than 1 KiB of memory with a name
/// of its own, and less than 300 bytes beside another stream of its name. A message is in memory once,
/// however many streams read it. It is decoded by each of them, or once with
/// [`shared`](crate::Subscribe::shared).
///
/// # End
///
/// A stream ends ([`next`](Self::next) returns `None`) when the subscriber is shut down or its last
/// [`Handle`](crate::Handle) is dropped, after the messages that have arrived by then. An outage does
/// not end it. A stream does not keep the subscriber alive.
///
/// Dropping a stream lets go of its names. The last stream of a name unsubscribes, after
/// [`linger`](crate::Subscriber::linger). A stream may be dropped on any thread, also outside of a
/// runtime.
#[must_use = "a stream does nothing unless it is polled"]
pub struct EventStream<T> {
    /// `None` once the stream is over.
    reader: Option<StreamReader>,
    subscriptions: Arc<[Subscription]>,
    counters: Arc<StreamCounters>,
    tally: Tally,
    /// The index of the next push in the reader's batch.
    next: u32,
    message: PhantomData<fn() -> T>,
}

impl<T> EventStream<T> {
    pub(super) fn new(
        reader: StreamReader,
        subscriptions: Arc<[Subscription]>,
        counters: Arc<StreamCounters>,
    ) -> Self {
        counters.begin();
        reader.set_label(counters.label());
        Self {
            reader: Some(reader),
            subscriptions,
            counters,
            tally: Tally::default(),
            next: 0,
            message: PhantomData,
        }
    }

    pub(super) fn reader(&mut self) -> Option<&mut StreamReader> {
        self.reader.as_mut()
    }

    /// Returns whether the server has confirmed every name on the current connection.
    ///
    /// It is false from the moment at which an outage is noticed until its end. If it is true, whatever
    /// was missed until then is reported by a gap that has arrived: [`next`](Self::next) returns it in its
    /// turn, after the messages before it.
    ///
    /// Of the events of the connection, none is missed. For a stream of them, it says whether there is a
    /// connection or an attempt to make one.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.reader.as_ref().is_some_and(StreamReader::is_live)
    }

    /// Returns why the stream is over, or `None` if it is not.
    #[must_use]
    pub fn ended(&self) -> Option<StreamEnd> {
        self.reader.is_none().then_some(StreamEnd::SubscriberEnded)
    }

    /// Leaves out gaps and rejected messages, which are counted only.
    ///
    /// A program that does this does not know when it has missed messages.
    pub fn without_gaps(self) -> MessageStream<T> {
        MessageStream::new(self)
    }

    /// Returns what logs the loads of the stream's snapshots.
    pub(super) fn load_log(&self) -> LoadLog {
        LoadLog::new(&self.counters, &self.subscriptions)
    }

    /// Waits until the subscriber has ended, without reading what waits.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.reader {
            Some(reader) => reader.poll_closed(cx),
            None => Poll::Ready(()),
        }
    }

    /// Counts what became of the messages, and lets go of the names.
    pub(super) fn end(&mut self) {
        self.counters.add(&mut self.tally);
        let Some(reader) = self.reader.take() else {
            return;
        };
        let Rest {
            missed,
            superseded,
            waiting,
            entered,
        } = reader.rest();
        let in_batch = reader.batch().map_or(0, |batch| batch.len());
        let unread = in_batch.saturating_sub(self.next as usize) as u64;
        self.counters.end_with(|| {
            self.counters.add_losses(missed, superseded);
            self.counters.end(entered, waiting + unread);
            drop(reader);
        });
    }
}

impl<T: for<'p> FromPush<'p, ()>> EventStream<T> {
    /// Waits for the next message, gap or rejected message. Returns `None` when the stream is over, and
    /// from then on.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is lost.
    pub async fn next(&mut self) -> Option<Event<T>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Returns the next event if there is one, for a caller that does not wait and must not miss what is
    /// there. Returns `None` also when the stream is over.
    #[cfg(feature = "cache")]
    pub(crate) fn take_ready(&mut self) -> Option<Event<T>> {
        // Without the budget of its task, which would make it look as if there was nothing.
        let next = tokio::task::unconstrained(poll_fn(|cx| self.poll_event(cx)));
        match pin!(next).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event<T>>> {
        loop {
            let Some(reader) = &mut self.reader else {
                return Poll::Ready(None);
            };
            if let Some(batch) = reader.batch()
                && (self.next as usize) < batch.len()
            {
                let push = Push::new(batch, self.next as usize, &self.subscriptions);
                self.next += 1;
                match decode(push) {
                    Ok(message) => {
                        self.tally.taken += 1;
                        #[cfg(feature = "testing")]
                        self.counters.observe(Streamed::Message(push));
                        return Poll::Ready(Some(Event::Message(message)));
                    }
                    Err(rejection) if rejection.is_unmatched() => {
                        self.tally.unmatched += 1;
                        self.counters.log_unmatched(push);
                    }
                    Err(rejection) => {
                        self.tally.rejected += 1;
                        self.counters.log_rejected(push, &rejection);
                        #[cfg(feature = "testing")]
                        self.counters.observe(Streamed::Rejected(push, &rejection));
                        return Poll::Ready(Some(Event::Rejected(rejection)));
                    }
                }
                continue;
            }
            self.counters.add(&mut self.tally);
            // A stream that always has something to read must not keep its thread from other tasks.
            if pin!(tokio::task::consume_budget()).poll(cx).is_pending() {
                return Poll::Pending;
            }
            let Poll::Ready(received) = reader.poll_recv(cx) else {
                return Poll::Pending;
            };
            let Some(received) = received else {
                self.end();
                return Poll::Ready(None);
            };
            if let Some(gap) = self.accept(received) {
                return Poll::Ready(Some(Event::Gap(gap)));
            }
        }
    }

    /// Begins to read a batch. Returns the gap before it.
    fn accept(&mut self, received: Received) -> Option<Gap> {
        let Received {
            gap,
            batch,
            missed,
            skipped,
            ..
        } = received;
        let skip = batch.unwrap_or(0);
        self.next = u32::try_from(skip).expect("a batch has fewer than 2^32 pushes");
        self.counters.add_losses(missed, skipped);
        let gap = gap?.named(&self.subscriptions);
        #[cfg(feature = "testing")]
        self.counters.observe(Streamed::Gap(&gap));
        if gap.cause != GapCause::Initial {
            self.tally.gaps += 1;
            self.counters.add(&mut self.tally);
        }
        Some(gap)
    }
}

/// Decodes a push. A panic in user code, such as a codec, rejects the message.
fn decode<T: for<'p> FromPush<'p, ()>>(push: Push<'_>) -> Result<T, Rejection> {
    if !push.is_of_template() {
        return Err(Rejection::unmatched("the channel is not of the template"));
    }
    call(|| T::from_push(push, &())).unwrap_or_else(|panic| {
        // The message of a panic may quote the payload, as a source may.
        Err(Rejection::caused_by(
            "decoding has panicked",
            panic.to_string(),
        ))
    })
}

impl<T: for<'p> FromPush<'p, ()>> Stream for EventStream<T> {
    type Item = Event<T>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event<T>>> {
        self.get_mut().poll_event(cx)
    }
}

impl<T: for<'p> FromPush<'p, ()>> FusedStream for EventStream<T> {
    fn is_terminated(&self) -> bool {
        self.reader.is_none()
    }
}

impl<T> Drop for EventStream<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("subscriptions", &self.subscriptions)
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}
