//! The handlers of a subscriber, and what applies to all of them.

use std::borrow::Cow;
use std::sync::Arc;

use super::Subscriber;
use crate::failure::{FailureHook, boxed};
use crate::handler::Layer;
#[cfg(doc)]
use crate::publish::Publisher;
#[cfg(doc)]
use crate::router::Mount;
use crate::router::{Mounts, Wiring};
#[cfg(doc)]
use crate::telemetry::HandlerStats;
use crate::telemetry::{Spans, Timings};

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Adds handlers, from [`handlers!`](crate::handlers) or a [`Router`](crate::Router). May be
    /// called more than once, or not at all: a subscriber without handlers only connects.
    pub fn handlers(mut self, mounts: impl Mounts<S>) -> Self {
        self.mounts.extend(mounts);
        self
    }

    /// Adds a prefix to every name of this subscriber: an environment or a tenant on a server that several
    /// share.
    ///
    /// ```
    /// use redis_push::{PushMessage, Subscriber, handlers, push_handler};
    ///
    /// #[derive(PushMessage)]
    /// #[push(channel = "quotes.{symbol}")]
    /// struct Quote {
    ///     symbol: String,
    ///     bid: f64,
    /// }
    ///
    /// #[push_handler]
    /// async fn on_quote(quote: Quote) {
    ///     println!("{} {}", quote.symbol, quote.bid);
    /// }
    ///
    /// let subscriber = Subscriber::new("redis://127.0.0.1/")
    ///     .prefix("staging:")
    ///     .handlers(handlers![on_quote]);
    /// let listens_to = subscriber.wiring().handlers[0].subscriptions[0].to_string();
    /// assert_eq!(listens_to, "channels `staging:quotes.{symbol}`");
    /// ```
    ///
    /// It applies to all handlers, also to those that are [mounted](crate::Handle::mount) later, to streams,
    /// to the keys of a `NearCache`, and to what handlers publish (see [`Mount::prefix`]). It comes before the
    /// prefixes of routers. It does not matter whether it is set before or after the handlers. After several
    /// calls, the prefix of the last call comes first.
    ///
    /// Other publishers have a prefix of their own: [`Publisher::prefix`]. If the subscriber is given a
    /// [`publisher`](Self::publisher) that has one, this one comes before it, for handlers.
    ///
    /// A message type still has the name without the prefix, and so do its addresses. A
    /// [`ChannelName`](crate::ChannelName) is the whole name.
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        let inner = self.config.prefix.as_deref().unwrap_or_default();
        let prefix = format!("{}{inner}", prefix.as_ref());
        self.config.prefix = Some(prefix.into()).filter(|all: &Arc<str>| !all.is_empty());
        self
    }

    /// Puts a [`Layer`] around each delivery to all handlers, inside of those before it and outside of those of
    /// routers and handlers.
    ///
    /// It does not matter when handlers are added: they get the layer also if they were added before it, or
    /// are [mounted](crate::Handle::mount) while the subscriber runs.
    ///
    /// ```
    /// use redis_push::{Delivery, Next, Outcome, Subscriber};
    ///
    /// async fn log(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    ///     let outcome = next.run(delivery).await;
    ///     println!("{}: {outcome}", delivery.handler());
    ///     outcome
    /// }
    ///
    /// let subscriber = Subscriber::new("redis://127.0.0.1/").around(log);
    /// ```
    pub fn around(mut self, layer: impl Layer) -> Self {
        self.config.layers.push(layer);
        self
    }

    /// Sets a hook for every delivery that did not succeed: rejected, failed, panicked, timed out.
    ///
    /// The hook receives one [`Failure`](crate::Failure) at a time, on its own task, and may keep
    /// it. No handler waits for the hook: up to 1,024 failures wait in a queue, with up to a quarter
    /// of the [`memory_limit`](Self::memory_limit) in bytes. The bytes are those of the pushes: what
    /// an error of the handler holds is not known. Failures that find the queue full are counted in
    /// [`FailureStats`](crate::FailureStats) and logged, and so are errors and panics of the hook. A shutdown lets the hook finish the queue, until the shutdown's deadline.
    ///
    /// The hook is a function that returns a future of `()` or `Result<(), E>`, or a
    /// [`FailureSink`](crate::FailureSink), which writes to a Redis stream or list. A second call
    /// replaces the hook.
    ///
    /// ```
    /// # use redis_push::{Failure, Subscriber};
    /// let subscriber = Subscriber::new("redis://127.0.0.1/").on_failure(async |failure: Failure| {
    ///     eprintln!("{} of {} bytes: {}", failure.kind(), failure.payload().len(), failure.reason());
    /// });
    /// ```
    pub fn on_failure(mut self, hook: impl FailureHook) -> Self {
        self.config.on_failure = Some(boxed(hook));
        self
    }

    /// Measures how long the deliveries to each handler take: [`HandlerStats::timings`], and the metric
    /// `messaging_process_duration_seconds`. It is off by default, because it reads the clock twice for each
    /// delivery.
    ///
    /// ```
    /// use redis_push::Subscriber;
    ///
    /// let subscriber = Subscriber::new("redis://127.0.0.1/").timings();
    /// ```
    ///
    /// The buckets go from 50 µs to 10 s, in steps of 1, 2 and 5. [`timings_with`](Self::timings_with) takes
    /// others, and may measure only some of the deliveries.
    pub fn timings(self) -> Self {
        self.timings_with(Timings::default())
    }

    /// Measures how long deliveries take, as [`timings`](Self::timings) does, with other buckets or for only
    /// some of them: see [`Timings`].
    pub fn timings_with(mut self, timings: Timings) -> Self {
        self.config.observation.timings = Some(timings);
        self
    }

    /// Makes a span of `tracing` for each delivery, and for each message that handlers publish. It is off by
    /// default.
    ///
    /// ```
    /// use redis_push::{Spans, Subscriber};
    ///
    /// let subscriber = Subscriber::new("redis://127.0.0.1/").spans(Spans::linked());
    /// ```
    ///
    /// See [`Spans`] for what the spans contain, and [traces](crate::guide::traces) for traces that go
    /// from publishers to handlers. The loop of a handler with spans is another one, which allocates twice for
    /// each delivery, in addition to what the subscriber of `tracing` does.
    ///
    /// A [`publisher`](Self::publisher) that has spans of its own keeps them.
    pub fn spans(mut self, spans: Spans) -> Self {
        self.config.observation.spans = Some(spans);
        self
    }

    /// Returns the wiring so far: a table of the handlers, and of what each one listens to.
    ///
    /// Works without a server, so a unit test can compare it with a snapshot: see [`Wiring`].
    #[must_use]
    pub fn wiring(&self) -> Wiring {
        let prefix = self.config.prefix.as_deref();
        let specs = self.mounts.iter().map(|mount| match prefix {
            Some(prefix) => Cow::Owned(mount.spec.clone().prefixed(prefix)),
            None => Cow::Borrowed(&mount.spec),
        });
        let specs: Vec<_> = specs.collect();
        let mut wiring = Wiring::of(specs.iter().map(|spec| &**spec));
        for row in &mut wiring.handlers {
            row.layers.splice(..0, self.config.layers.names());
        }
        wiring
    }
}
