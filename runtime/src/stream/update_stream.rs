use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::{FusedStream, Stream};

use super::event::Event;
use super::event_stream::EventStream;
use super::log::LoadLog;
use super::update::Update;
use crate::error::{BoxError, WithCauses};
use crate::extract::FromPush;
use crate::gap::Gap;
use crate::util::{Backoff, Ended, attempt};

impl<T: for<'p> FromPush<'p, ()>> EventStream<T> {
    /// Loads a snapshot at each gap, the initial one included, and passes on the messages that follow it.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// use redis_push::redis::AsyncCommands as _;
    /// use redis_push::{Subscriber, Subscription, Update};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let handle = Subscriber::new(server.url()).start().await?;
    /// # let client = redis_push::redis::Client::open(server.url())?;
    /// # let mut redis = client.get_multiplexed_async_connection().await?;
    /// # let _: () = redis.lpush("kept", "hello").await?;
    /// let news = handle.subscribe(Subscription::channel("news")).await?;
    /// let mut updates = news.snapshot_with(async move |_gap| {
    ///     redis.lrange::<_, Vec<String>>("kept", 0, 49).await
    /// });
    /// # server.publish("news", "again");
    /// # let mut shown = 0;
    /// while let Some(update) = updates.next().await {
    ///     match update {
    ///         Update::Snapshot(all) => println!("show {all:?}"),
    ///         Update::Message(one) => println!("add {one:?}"),
    ///         _ => {}
    ///     }
    ///     # shown += 1;
    ///     # if shown == 2 { break }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The function receives the [`Gap`], and may keep and change what it captures. If it fails or panics,
    /// it is called again, after 100 milliseconds at first and half a minute at most, until it succeeds:
    /// no message is passed on before that. Its errors are logged, at most once a second for all streams of
    /// a template. It has no timeout of its own.
    ///
    /// Messages that arrive meanwhile wait in the [`buffer`](crate::Subscribe::buffer). If they are too
    /// many for it, what has been loaded is followed by another gap, and so by another snapshot. Messages
    /// that cannot be decoded are left out, counted and logged.
    ///
    /// While a snapshot is loaded, each message that arrives polls the future of the function too.
    ///
    /// A snapshot lacks nothing that was written before the messages that were missed, if whoever publishes
    /// writes first. It may contain what follows it, so messages have to be known by a number, or be such
    /// that applying them twice does no harm.
    ///
    /// # Panics
    ///
    /// The stream panics after a load that has failed if it is polled outside of a tokio runtime, or in one
    /// without timers.
    pub fn snapshot_with<S, E, F>(
        self,
        load: F,
    ) -> UpdateStream<impl FusedStream<Item = Update<S, T>> + Unpin + use<S, E, F, T>>
    where
        F: AsyncFnMut(Gap) -> Result<S, E>,
        E: Into<BoxError>,
    {
        let updates = Updates {
            events: self,
            load: Some(load),
            begin: load_snapshot::<S, E, F>,
            loading: None,
        };
        UpdateStream { updates }
    }
}

/// Snapshots and the messages that follow them: each item is an [`Update`].
///
/// [`EventStream::snapshot_with`] creates one. It has no task: the snapshot is loaded by whoever polls the
/// stream. `Send` is as for what it is made of: the function and its future.
///
/// It ends when the stream does that it is made of. A snapshot that is being loaded when the subscriber is shut
/// down is given up, so that a load that does not end holds up nothing.
///
/// A function that returns one has the type `impl Stream<Item = Update<S, T>>`.
#[must_use = "a stream does nothing unless it is polled"]
pub struct UpdateStream<U> {
    updates: U,
}

impl<U: Stream + Unpin> UpdateStream<U> {
    /// Waits for the next snapshot or message. Returns `None` when the stream is over, and from then on.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is lost, and a snapshot that is
    /// being loaded goes on with the next call.
    pub async fn next(&mut self) -> Option<U::Item> {
        poll_fn(|cx| Pin::new(&mut self.updates).poll_next(cx)).await
    }
}

impl<U: Stream + Unpin> Stream for UpdateStream<U> {
    type Item = U::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U::Item>> {
        Pin::new(&mut self.updates).poll_next(cx)
    }
}

impl<U: FusedStream + Unpin> FusedStream for UpdateStream<U> {
    fn is_terminated(&self) -> bool {
        self.updates.is_terminated()
    }
}

impl<U> fmt::Debug for UpdateStream<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateStream").finish_non_exhaustive()
    }
}

/// The stream without its wrapper, whose type names the future of the user's function.
struct Updates<T, F, B, L> {
    events: EventStream<T>,
    /// The function, while it does not run.
    load: Option<F>,
    /// Calls the function.
    begin: B,
    /// The snapshot that is being loaded. Its future owns the function. Boxed, because most streams load one
    /// once, and then only read.
    loading: Option<Pin<Box<L>>>,
}

/// Nothing but the future is pinned, and that is in its box.
impl<T, F, B, L> Unpin for Updates<T, F, B, L> {}

impl<S, T, F, B, L> Stream for Updates<T, F, B, L>
where
    T: for<'p> FromPush<'p, ()>,
    B: FnMut(F, Gap, LoadLog) -> L,
    L: Future<Output = (F, S)>,
{
    type Item = Update<S, T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(loading) = &mut this.loading {
                if this.events.poll_closed(cx).is_ready() {
                    this.loading = None;
                    this.events.end();
                    return Poll::Ready(None);
                }
                let (load, snapshot) = ready!(loading.as_mut().poll(cx));
                this.load = Some(load);
                this.loading = None;
                return Poll::Ready(Some(Update::Snapshot(snapshot)));
            }
            match ready!(this.events.poll_event(cx)) {
                Some(Event::Message(message)) => {
                    return Poll::Ready(Some(Update::Message(message)));
                }
                Some(Event::Gap(gap)) => {
                    // It is there, unless polling it has panicked.
                    let load = this.load.take();
                    let begin = |load| (this.begin)(load, gap, this.events.load_log());
                    this.loading = load.map(begin).map(Box::pin);
                }
                Some(Event::Rejected(_)) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<S, T, F, B, L> FusedStream for Updates<T, F, B, L>
where
    T: for<'p> FromPush<'p, ()>,
    B: FnMut(F, Gap, LoadLog) -> L,
    L: Future<Output = (F, S)>,
{
    fn is_terminated(&self) -> bool {
        self.events.is_terminated()
    }
}

/// Calls the function until it succeeds, and returns it with the snapshot: the future of each call borrows
/// from it.
async fn load_snapshot<S, E, F>(mut load: F, gap: Gap, log: LoadLog) -> (F, S)
where
    F: AsyncFnMut(Gap) -> Result<S, E>,
    E: Into<BoxError>,
{
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
    loop {
        let ended = {
            let (load, gap) = (&mut load, gap.clone());
            attempt(pin!(None), move || load(gap)).await
        };
        let problem = match ended {
            Ended::Returned(Ok(snapshot)) => return (load, snapshot),
            Ended::Returned(Err(error)) => WithCauses(&*error.into()).to_string(),
            Ended::Panicked(message) => message.to_string(),
            Ended::TimedOut => unreachable!("there is no timeout"),
        };
        let delay = backoff.next();
        log.not_loaded(&problem, delay);
        tokio::time::sleep(delay).await;
    }
}
