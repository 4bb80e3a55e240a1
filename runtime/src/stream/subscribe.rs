use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Sleep, sleep_until};

use super::counters::StreamRegistry;
use super::event_stream::EventStream;
use super::source::{Subscribable, sealed::Source};
use crate::broadcast::Pace;
use crate::dispatch::{Confirmed, Dispatcher, NoStream};
use crate::error::{Error, Result};
use crate::extract::FromPush;
use crate::session::Status;
use crate::util::clock;

/// By how many messages a stream may fall behind, if nothing else is said.
const BUFFER: u32 = 256;

/// A stream that is about to begin: what [`Handle::subscribe`](crate::Handle::subscribe) returns.
///
/// Awaiting it sends the subscribe command, unless the name is subscribed already, and returns when the
/// server has confirmed. While there is no server it waits, for up to
/// [`start_deadline`](crate::Subscriber::start_deadline). [`now`](Self::now) does not wait.
///
/// For a request of a browser, choose by what it should get during an outage:
///
/// | | during an outage | a denied name |
/// | --- | --- | --- |
/// | `.await` | waits, then an error: answer it with a status | an error |
/// | [`.now()`](Self::now) | a stream at once, whose initial gap comes when the server is back | a stream that waits |
///
/// ```
/// # use redis_push::{Subscriber, Subscription, testing::Broker};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Broker::start().await?;
/// # let handle = Subscriber::new(server.url()).start().await?;
/// let room = Subscription::channel("room.7");
/// let mut messages = handle.subscribe(room).buffer(64).await?;
/// # drop(messages);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Awaiting it returns an error when the server denies a name
/// ([`Error::is_denied`](crate::Error::is_denied)), when there is no confirmation within
/// [`start_deadline`](crate::Subscriber::start_deadline)
/// ([`is_timeout`](crate::Error::is_timeout); it waits through an outage until then), when there are
/// [`max_streams`](crate::Subscriber::max_streams) already
/// ([`is_limit`](crate::Error::is_limit)), when the address is not valid, and when the subscriber has
/// ended ([`is_config`](crate::Error::is_config)).
///
/// # Cancel safety
///
/// Dropping the future lets go of the name.
#[must_use = "a stream begins when this is awaited, or with `now`"]
pub struct Subscribe<T> {
    context: SubscribeContext,
    source: Result<Source>,
    pace: Pace,
    message: PhantomData<fn() -> T>,
}

/// What a subscriber gives to its streams.
#[derive(Clone)]
pub(crate) struct SubscribeContext {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) registry: Arc<StreamRegistry>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) max_streams: usize,
    /// What comes before every name.
    pub(crate) prefix: Option<Arc<str>>,
}

impl<T> Subscribe<T> {
    pub(crate) fn new(context: SubscribeContext, to: impl Subscribable<Message = T>) -> Self {
        Self {
            source: to.into_source().and_then(refuse_reserved),
            context,
            pace: Pace::Within(BUFFER),
            message: PhantomData,
        }
    }

    /// Sets by how many messages the stream may fall behind: 256 by default, at least 1. If it falls
    /// behind further, it skips the oldest and receives a gap with their number.
    ///
    /// This takes no memory of its own: all streams of a name read the same messages, which are kept
    /// for the slowest of them.
    pub fn buffer(self, messages: usize) -> Self {
        let pace = Pace::Within(messages.try_into().unwrap_or(u32::MAX));
        Self { pace, ..self }
    }

    /// Makes the stream receive the newest message whenever it asks: for prices and state.
    ///
    /// Messages that are skipped for newer ones are counted
    /// [`superseded`](crate::StreamStats::superseded), and are no gap. For a pattern or a template, this
    /// is the newest message of each channel, in the order in which the channels first appeared.
    pub fn latest(self) -> Self {
        Self {
            pace: Pace::Latest,
            ..self
        }
    }

    /// Sets what the messages are decoded as: any extractor that borrows nothing, such as `Json<Order>`
    /// or an [`OwnedPush`](crate::OwnedPush), which has the channel too.
    ///
    /// ```
    /// # use redis_push::{Event, Json, OwnedPush, Subscriber, Subscription, testing::Broker};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).start().await?;
    /// let rooms = Subscription::pattern("room.*");
    /// let mut pushes = handle.subscribe(rooms).decode::<OwnedPush>().await?;
    /// server.publish("room.7", "hello");
    /// # pushes.next().await;
    /// if let Some(Event::Message(push)) = pushes.next().await {
    ///     assert_eq!(push.as_push().channel(), b"room.7");
    /// }
    /// # else { panic!() }
    /// # Ok(())
    /// # }
    /// ```
    pub fn decode<U: for<'p> FromPush<'p, ()>>(self) -> Subscribe<U> {
        Subscribe {
            context: self.context,
            source: self.source,
            pace: self.pace,
            message: PhantomData,
        }
    }

    /// Shares each decoded message with the other streams of the name that do so: it is decoded once, and
    /// the messages of this stream are `Arc<T>`.
    ///
    /// See [the extractor](crate::FromPush#impl-FromPush%3C'p,+S%3E-for-Arc%3CT%3E). This pays off when
    /// many streams read one name, such as a page that many people watch.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use redis_push::{Event, Json, Subscriber, Subscription, testing::Broker};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).start().await?;
    /// let scores = || Subscription::channel("scores");
    /// let mut first = handle.subscribe(scores()).decode::<Json<Vec<u32>>>().shared().await?;
    /// let mut second = handle.subscribe(scores()).decode::<Json<Vec<u32>>>().shared().await?;
    /// server.publish("scores", "[1, 2]");
    /// # first.next().await;
    /// # second.next().await;
    /// let (Some(Event::Message(one)), Some(Event::Message(other))) =
    ///     (first.next().await, second.next().await)
    /// # else { panic!() };
    /// # /*
    /// else { return Ok(()) };
    /// # */
    /// assert!(Arc::ptr_eq(&one, &other));
    /// # Ok(())
    /// # }
    /// ```
    pub fn shared(self) -> Subscribe<Arc<T>>
    where
        T: for<'p> FromPush<'p, ()> + Send + Sync + 'static,
    {
        self.decode()
    }

    /// Begins the stream without waiting for the server. Its first item, the initial gap, comes when the
    /// server has confirmed.
    ///
    /// If the server denies the name, the stream waits until it does not, and
    /// [`Health`](crate::Health::streams) lists it.
    ///
    /// # Errors
    ///
    /// As those of the future, except that no server is asked.
    pub fn now(self) -> Result<EventStream<T>> {
        let Source {
            mut subscriptions,
            label,
            ..
        } = match &self.context.prefix {
            Some(prefix) => self.source?.prefixed(prefix)?,
            None => self.source?,
        };
        let most = self.context.max_streams;
        let reader = self
            .context
            .dispatcher
            .subscribe(&mut subscriptions, self.pace, most)
            .map_err(|error| match error {
                NoStream::Ended => ended(),
                NoStream::TooMany => Error::limit(format!(
                    "there are {most} streams already; the limit is `Subscriber::max_streams`"
                )),
            })?;
        let counters = self.context.registry.counters(&label);
        Ok(EventStream::new(reader, subscriptions, counters))
    }
}

impl<T> IntoFuture for Subscribe<T> {
    type Output = Result<EventStream<T>>;
    type IntoFuture = Subscribing<T>;

    fn into_future(self) -> Subscribing<T> {
        let status = self.context.status.clone();
        let deadline = self.context.deadline;
        Subscribing {
            stream: Some(self.now()),
            status,
            deadline,
            timer: deadline.map(|deadline| Box::pin(sleep_until(clock::now() + deadline))),
        }
    }
}

impl<T> fmt::Debug for Subscribe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("source", &self.source)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}

/// The wait for the confirmation of a stream: the future of [`Subscribe`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Subscribing<T> {
    /// `None` once the future was ready.
    stream: Option<Result<EventStream<T>>>,
    status: watch::Receiver<Status>,
    deadline: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<T> Subscribing<T> {
    fn poll_confirmed(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let stream = self.stream.as_mut().expect("not polled after it was ready");
        let Ok(stream) = stream else {
            return Poll::Ready(Ok(()));
        };
        let Some(reader) = stream.reader() else {
            return Poll::Ready(Err(ended()));
        };
        let confirmed = match reader.poll_confirmed(cx) {
            Poll::Ready(confirmed) => confirmed,
            Poll::Pending => {
                if let Some(timer) = &mut self.timer {
                    ready!(timer.as_mut().poll(cx));
                    return Poll::Ready(Err(self.timed_out()));
                }
                return Poll::Pending;
            }
        };
        Poll::Ready(match confirmed {
            Confirmed::Yes => Ok(()),
            Confirmed::Denied(subscription, reason) => Err(Error::denied(format!(
                "the server denies {subscription}: {reason}"
            ))),
            Confirmed::Ended => Err(ended()),
        })
    }

    fn timed_out(&self) -> Error {
        let deadline = self.deadline.unwrap_or_default();
        let text = format!("not subscribed within {deadline:?}");
        match self.status.borrow().error.clone() {
            Some(cause) => Error::timeout(format!("{text}: {cause}")).caused_by(cause),
            None => Error::timeout(text),
        }
    }
}

impl<T> Future for Subscribing<T> {
    type Output = Result<EventStream<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let confirmed = ready!(self.poll_confirmed(cx));
        let stream = self.stream.take().expect("not polled after it was ready");
        Poll::Ready(confirmed.and(stream))
    }
}

impl<T> fmt::Debug for Subscribing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribing").finish_non_exhaustive()
    }
}

fn refuse_reserved(source: Source) -> Result<Source> {
    for subscription in &*source.subscriptions {
        if let Some(reason) = subscription.reserved() {
            let text = format!("a stream cannot listen to {subscription}: {reason}");
            return Err(Error::config(text));
        }
    }
    Ok(source)
}

fn ended() -> Error {
    Error::config("the subscriber has ended, so nothing can be subscribed")
}
