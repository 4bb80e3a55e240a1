use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionLike;

use super::command::{Outgoing, Publishable};
use super::into_channel::IntoChannel;
use super::publishing::Publishing;
use super::transport::Transport;
use crate::connection::{CommandConnection, Endpoint};
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;
#[cfg(doc)]
use crate::message::Address;
use crate::message::ToPayload;
use crate::subscription::Kind;
use crate::telemetry::{Spans, TraceParent};
use crate::util::clock::LONGEST;

/// A publisher of messages: a handler of the same type reads what it writes.
///
/// ```
/// use redis_push::{Publisher, PushMessage, Subscriber, handlers, push_handler};
/// # use redis_push::testing::Broker;
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
/// # #[tokio::main]
/// # async fn main() -> redis_push::Result<()> {
/// # let server = Broker::start().await.unwrap();
/// # let url = server.url();
/// let handle = Subscriber::new(url.clone()).handlers(handlers![on_quote]).start().await?;
/// let publisher = Publisher::new(url)?;
/// let quote = Quote { symbol: "ACME".into(), bid: 41.5 };
/// let receivers = publisher.publish(&quote).await?; // to `quotes.ACME`
/// assert_eq!(receivers, 1);
/// # drop(handle);
/// # Ok(())
/// # }
/// ```
///
/// Cheap to clone. All clones share one connection, over which their commands are pipelined. It is not
/// the connection of the subscriptions, unless you pass in that same connection.
///
/// # Number of receivers
///
/// The number of receivers is the server's count when it accepted the message: the connections
/// subscribed to the channel on that server. It is not a delivery acknowledgement. A connection may be
/// lost before the message arrives, a pattern counts in addition to the channel, and in a cluster the
/// receivers on other nodes are not counted.
///
/// A publish is not retried, because the server may have accepted it although no reply arrived: after
/// an error that begins with "not known to be published", the message may or may not have been
/// published. (A connection that you pass in may behave differently: redis-rs's cluster connection
/// retries.)
#[derive(Clone)]
pub struct Publisher {
    pub(super) over: Arc<Transport>,
    pub(super) timeout: Duration,
    /// What comes before the name of each channel.
    pub(super) prefix: Option<Arc<str>>,
    pub(super) spans: Option<Spans>,
    /// The context that messages carry, instead of one of their own.
    pub(super) trace: Option<TraceParent>,
    /// Whether the test kit does not see its messages.
    #[cfg(feature = "testing")]
    pub(super) is_unobserved: bool,
}

impl Publisher {
    /// Creates a publisher with its own connection to a server: a URL, a redis-rs client, or an
    /// [`Endpoint`] with TLS and credentials. The connection is made with the first message, and made
    /// again with the next message after it was lost.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not valid ([`Error::is_config`]). No connection is made.
    ///
    /// [`Error::is_config`]: crate::Error::is_config
    pub fn new(server: impl Into<Endpoint>) -> Result<Self> {
        let connection = server.into().into_commands()?;
        Ok(Self::of(Arc::new(connection)))
    }

    /// Creates a publisher over your own connection: a `ConnectionManager`, a
    /// `MultiplexedConnection`, or a cluster connection. The publisher does not reconnect it.
    ///
    /// [`publish_all`](Self::publish_all) sends pipelines, which a cluster connection accepts only for
    /// channels of one slot.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use redis_push::{Publisher, Text, redis};
    ///
    /// let client = redis::Client::open("redis://127.0.0.1/")?;
    /// let publisher = Publisher::over(client.get_connection_manager().await?);
    /// publisher.publish_to("temperature", &Text(21.5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn over<C>(connection: C) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        Self::with(Transport::Given(Box::new(connection)))
    }

    /// Creates a publisher over the connection of a subscriber for commands.
    pub(crate) fn of(connection: Arc<CommandConnection>) -> Self {
        Self::with(Transport::Server(connection))
    }

    fn with(over: Transport) -> Self {
        Self {
            over: Arc::new(over),
            timeout: Duration::from_secs(5),
            prefix: None,
            spans: None,
            trace: None,
            #[cfg(feature = "testing")]
            is_unobserved: false,
        }
    }

    /// Sets how long one publish may take, including connecting: 5 seconds by default. Existing clones
    /// keep their timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(LONGEST);
        self
    }

    /// Adds a prefix to the name of every channel on which this publisher publishes. Existing clones do not
    /// get it. After several calls, the prefix of the last call comes first.
    ///
    /// ```
    /// use redis_push::{Publisher, PushMessage};
    /// # use redis_push::testing::Broker;
    ///
    /// #[derive(PushMessage)]
    /// #[push(channel = "quotes.{symbol}")]
    /// struct Quote {
    ///     symbol: String,
    ///     bid: f64,
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> redis_push::Result<()> {
    /// # let server = Broker::start().await.unwrap();
    /// # let url = server.url();
    /// let staging = Publisher::new(url)?.prefix("staging:");
    /// let quote = Quote { symbol: "ACME".into(), bid: 41.5 };
    /// staging.publish(&quote).await?; // to `staging:quotes.ACME`
    /// staging.publish_to("alerts", "late").await?; // to `staging:alerts`
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A [`Subscriber::prefix`](crate::Subscriber::prefix) with the same text receives what it publishes.
    #[must_use]
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        let prefix = prefix.as_ref();
        let inner = self.prefix.as_deref().unwrap_or_default();
        self.prefix =
            Some(format!("{prefix}{inner}").into()).filter(|all: &Arc<str>| !all.is_empty());
        self
    }

    /// Makes a span of `tracing` for each publish, as [`Subscriber::spans`](crate::Subscriber::spans) does for
    /// what handlers publish. Existing clones do not get it.
    ///
    /// With a [propagator](Spans::propagator), messages of types with `#[push(.., trace)]` carry the context of
    /// that span.
    #[must_use]
    pub fn spans(mut self, spans: Spans) -> Self {
        self.spans = Some(spans);
        self
    }

    /// Makes messages of types with `#[push(.., trace)]` carry this context, whatever span publishes them. For
    /// programs without spans, which pass on the context that they have received:
    ///
    /// ```
    /// use redis_push::{Publisher, PushMessage, TraceParent, push_handler};
    ///
    /// #[derive(PushMessage)]
    /// #[push(channel = "orders", trace)]
    /// struct Order {
    ///     id: u64,
    /// }
    ///
    /// #[derive(PushMessage)]
    /// #[push(channel = "parcels", trace)]
    /// struct Parcel {
    ///     order: u64,
    /// }
    ///
    /// #[push_handler]
    /// async fn on_order(
    ///     order: Order,
    ///     trace: Option<TraceParent>,
    ///     publisher: Publisher,
    /// ) -> redis_push::Result<()> {
    ///     publisher.with_trace(trace).publish(&Parcel { order: order.id }).await?;
    ///     Ok(())
    /// }
    /// # let _ = redis_push::handlers![on_order] as Vec<redis_push::Mount<()>>;
    /// ```
    ///
    /// An answer ([`Publish`](crate::Publish)) does so by itself.
    #[must_use]
    pub fn with_trace(mut self, context: impl Into<Option<TraceParent>>) -> Self {
        self.trace = context.into();
        self
    }

    /// Publishes a message on the channel of its type, and returns the
    /// [number of receivers](Self#number-of-receivers).
    ///
    /// # Errors
    ///
    /// Returns an error when
    ///
    /// - the message cannot be encoded ([`Error::is_encode`]);
    /// - there is no connection, and an attempt to connect fails ([`Error::is_connection`],
    ///   [`Error::is_auth`], [`Error::is_tls`]). All clones share one attempt at a time. The next
    ///   attempt begins at most 200 ms after a failed one. The error is that of an attempt which began
    ///   after this call;
    /// - the server refuses the message ([`Error::is_denied`]);
    /// - no reply arrives ([`Error::is_connection`], [`Error::is_timeout`]), or the server cannot do it in
    ///   its present state, such as while it loads its data ([`Error::is_connection`]).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may or may not have been published.
    ///
    /// [`Error::is_encode`]: crate::Error::is_encode
    /// [`Error::is_connection`]: crate::Error::is_connection
    /// [`Error::is_auth`]: crate::Error::is_auth
    /// [`Error::is_tls`]: crate::Error::is_tls
    /// [`Error::is_denied`]: crate::Error::is_denied
    /// [`Error::is_timeout`]: crate::Error::is_timeout
    pub fn publish<M: Publishable + ?Sized>(&self, message: &M) -> Publishing<u64> {
        let context = self.publishing(|| Some(M::template()));
        self.one(Outgoing::of(message), context)
    }

    /// Publishes a value on a channel, and returns the
    /// [number of receivers](Self#number-of-receivers).
    ///
    /// The channel is a name, or the [`Address`] of the message type. The value is a message, or, on a
    /// name, another type with [`ToPayload`]: `Json`, `Text`, text or bytes.
    ///
    /// ```
    /// use redis_push::{Json, Publisher, PushMessage};
    /// # use redis_push::testing::Broker;
    ///
    /// #[derive(PushMessage)]
    /// #[push(channel = "quotes.{symbol}")]
    /// struct Quote {
    ///     symbol: String,
    ///     bid: f64,
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> redis_push::Result<()> {
    /// # let server = Broker::start().await.unwrap();
    /// # let url = server.url();
    /// let publisher = Publisher::new(url)?;
    /// let quote = Quote { symbol: "ACME".into(), bid: 41.5 };
    /// publisher.publish_to(Quote::at("ACME").prefix("eu:"), &quote).await?;
    /// publisher.publish_to("bids", &Json(41.5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A name is that of a channel, and not of a sharded channel. The address of a type with a `shard`
    /// is that of a sharded channel.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish). An address whose params do not fit, or which is that of a
    /// pattern, is an error as well ([`Error::is_encode`]).
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    ///
    /// [`Error::is_encode`]: crate::Error::is_encode
    pub fn publish_to<T>(&self, channel: impl IntoChannel<T>, value: &T) -> Publishing<u64>
    where
        T: ToPayload + ?Sized,
    {
        let context = self.publishing(|| channel.template());
        let channel = channel.channel();
        let message = channel.and_then(|(kind, name)| Outgoing::new(kind, name.into(), value));
        self.one(message, context)
    }

    /// Publishes a value on a sharded channel (Redis 7.0 and newer), and returns the
    /// [number of receivers](Self#number-of-receivers).
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    pub fn publish_to_shard<T>(&self, channel: impl AsRef<[u8]>, value: &T) -> Publishing<u64>
    where
        T: ToPayload + ?Sized,
    {
        let message = Outgoing::new(Kind::Shard, channel.as_ref().to_vec(), value);
        self.one(message, self.publishing(|| None))
    }

    /// Publishes messages in order, many in one round trip, and returns the
    /// [number of receivers](Self#number-of-receivers) of each.
    ///
    /// All messages are encoded before the first is sent, so all are in memory at once. The
    /// [`timeout`](Self::timeout) applies to each thousand of them.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish). If one message cannot be encoded, none is sent. If the server
    /// refuses one, those before it and after it may have been published.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, any of the messages may have been published.
    pub fn publish_all<'m, M>(
        &self,
        messages: impl IntoIterator<Item = &'m M>,
    ) -> Publishing<Vec<u64>>
    where
        M: Publishable + 'm,
    {
        let publisher = self.clone();
        let context = self.publishing(|| Some(M::template()));
        let outgoing = |message| Ok(publisher.prefixed(Outgoing::of(message)?));
        let messages: Result<Vec<_>> = messages.into_iter().map(outgoing).collect();
        Publishing::new(async move { publisher.send_all(&mut messages?, context).await })
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may contain a password.
        let over = match &*self.over {
            Transport::Server(connection) => connection.in_words(),
            Transport::Given(_) => "a connection that was given to it",
        };
        f.debug_struct("Publisher")
            .field("over", &over)
            .field("timeout", &self.timeout)
            .field("prefix", &self.prefix)
            .field("spans", &self.spans)
            .field("trace", &self.trace)
            .finish()
    }
}
