//! An in-process RESP3 server for examples and tests.
//!
//! [`Broker`] listens on a free port of this machine and speaks enough of the protocol for the
//! redis crate's `ConnectionManager`: subscriptions of all kinds, key events, invalidations, and
//! the few commands around them. The same tests run against it and against real servers, so that
//! it tells the same story frame by frame. It is no Redis: it keeps nothing, replicates nothing,
//! and says `redis-push-broker` when asked who it is.
//!
//! Its [faults](Broker#faults) are what it is for: connections that die, a server that hangs,
//! answers that come late, in pieces, or not at all.

mod call;
mod client;
mod commands;
mod connection;
mod data;
mod events;
mod faults;
mod glob;
mod keys;
mod keyspace;
mod listener;
mod outbox;
mod pubsub;
mod reply;
mod request;
mod session;
mod settings;
mod state;
mod subscribing;
mod subscriptions;
mod tracking;
mod tracking_table;

#[cfg(redis_push_internals)]
pub(crate) use glob::matches as matches_glob;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use tokio::net::TcpSocket;

use events::Classes;
use listener::Running;
use state::{BrokerState, Shared};
use subscriptions::Kind;

/// An in-process server to subscribe to.
///
/// ```
/// use redis_push::testing::Broker;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = Broker::start().await?;
///
/// let client = redis::Client::open(broker.url())?;
/// let mut subscriber = client.get_async_pubsub().await?;
/// subscriber.subscribe("greetings").await?;
///
/// broker.wait_for_subscribers_of("greetings", 1).await;
/// assert_eq!(broker.publish("greetings", "hello"), 1);
/// # Ok(())
/// # }
/// ```
///
/// It knows HELLO, AUTH, QUIT, RESET, PING, ECHO, SELECT; CLIENT SETINFO, SETNAME, GETNAME, ID,
/// KILL (by ID, TYPE, SKIPME), TRACKING (without OPTIN, OPTOUT, REDIRECT), TRACKINGINFO, NO-EVICT; the six
/// commands that subscribe and unsubscribe, PUBLISH, SPUBLISH, PUBSUB; SET (EX, PX, KEEPTTL, NX,
/// XX), GET, DEL, EXISTS, EXPIRE, PEXPIRE, PERSIST, TTL, PTTL, FLUSHALL, FLUSHDB; CONFIG GET and
/// SET of `notify-keyspace-events` and `requirepass`. Where servers differ from one another it
/// does mostly as the newest Valkey does.
///
/// Nothing is lost while a connection lives: what a client does not read waits in memory, without
/// bound unless [`limit_output`](Broker::limit_output) sets one.
///
/// It runs on the tokio runtime that started it. Dropping it closes the listener and all
/// connections.
pub struct Broker {
    shared: Arc<Shared>,
    addr: SocketAddr,
    /// The listener, while the broker runs.
    running: Mutex<Option<Running>>,
    /// Bound and never listening. On Linux the listener can be bound beside it, and while that is
    /// down nobody else is given the port.
    _reserved: Option<TcpSocket>,
}

impl Broker {
    /// Starts a broker on a free port of this machine.
    ///
    /// # Errors
    ///
    /// When no port can be listened on.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O and time enabled.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// assert_ne!(broker.addr().port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::new());
        let socket = listener::bound(0)?;
        let addr = socket.local_addr()?;
        let (socket, _reserved) = if cfg!(target_os = "linux") {
            (listener::bound(addr.port())?, Some(socket))
        } else {
            (socket, None)
        };
        let running = Mutex::new(Some(Running::start(shared.clone(), socket)?));
        Ok(Self {
            shared,
            addr,
            running,
            _reserved,
        })
    }

    /// The URL for the redis crate: `redis://127.0.0.1:PORT/`, without credentials.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// let client = redis::Client::open(broker.url())?;
    /// let connection = client.get_multiplexed_async_connection().await?;
    /// assert_eq!(broker.connections(), 1);
    /// # drop(connection);
    /// # Ok(())
    /// # }
    /// ```
    pub fn url(&self) -> String {
        format!("redis://{}/", self.addr)
    }

    /// The address that the broker listens on. It stays the same over a restart.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// let before = broker.addr();
    /// broker.restart().await?;
    /// assert_eq!(broker.addr(), before);
    /// # Ok(())
    /// # }
    /// ```
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Publishes a message, and answers how many subscriptions it was sent to.
    ///
    /// As PUBLISH does, it counts a client twice that has both the channel and a matching pattern.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.psubscribe("news.*").await?;
    /// pubsub.subscribe("news.eu").await?;
    /// assert_eq!(broker.publish("news.eu", "rain"), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish(&self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> usize {
        self.shared
            .lock()
            .publish(channel.as_ref(), payload.as_ref())
    }

    /// Publishes a message on a sharded channel, and answers how many clients it was sent to.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// // Nobody is subscribed.
    /// assert_eq!(broker.publish_shard("orders", "42"), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish_shard(&self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> usize {
        self.shared
            .lock()
            .publish_shard(channel.as_ref(), payload.as_ref())
    }

    /// Chooses the key events to publish, as `CONFIG SET notify-keyspace-events` does: `"KEA"` for
    /// all but the rare ones, `""`, which is how a broker starts, for none.
    ///
    /// # Panics
    ///
    /// When a letter stands for no class of events.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut connection = client.get_multiplexed_async_connection().await?;
    /// broker.set_key_events("KEA");
    ///
    /// let name = "notify-keyspace-events";
    /// let setting: (String, String) =
    ///     redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection).await?;
    /// assert_eq!(setting.1, "AKE");
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_key_events(&self, classes: &str) {
        let classes = Classes::parse(classes.as_bytes()).expect("letters of `Ag$lshzxeKEtmdn`");
        self.shared.lock().keys.events = classes;
    }

    /// The number of open connections.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// assert_eq!(broker.connections(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn connections(&self) -> usize {
        self.shared.lock().clients.len()
    }

    /// Waits until at least `n` connections have a subscription of any kind; with `n = 0`, until
    /// none has.
    ///
    /// It has no bound of its own: put a `tokio::time::timeout` around it. Cancel safe.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// tokio::spawn(async move {
    ///     pubsub.subscribe("news").await?;
    ///     std::future::pending::<redis::RedisResult<()>>().await
    /// });
    /// broker.wait_for_subscribers(1).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_subscribers(&self, n: usize) {
        self.wait_until(n, |state| {
            state
                .clients
                .values()
                .filter(|client| client.is_subscribed())
                .count()
        })
        .await;
    }

    /// Waits until at least `n` connections are subscribed to this channel, pattern or sharded
    /// channel; with `n = 0`, until none is.
    ///
    /// It has no bound of its own: put a `tokio::time::timeout` around it. Cancel safe.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let broker = Broker::start().await?;
    /// # let client = redis::Client::open(broker.url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.psubscribe("news.*").await?;
    /// broker.wait_for_subscribers_of("news.*", 1).await;
    ///
    /// drop(pubsub);
    /// broker.wait_for_subscribers_of("news.*", 0).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_subscribers_of(&self, name: impl AsRef<[u8]>, n: usize) {
        let name = name.as_ref();
        let count = |state: &BrokerState| {
            Kind::ALL
                .iter()
                .map(|kind| state.subscriptions.count(*kind, name))
                .sum()
        };
        self.wait_until(n, count).await;
    }

    async fn wait_until(&self, n: usize, count: impl Fn(&BrokerState) -> usize) {
        let mut changed = self.shared.lock().changed.subscribe();
        loop {
            let now = count(&self.shared.lock());
            if if n == 0 { now == 0 } else { now >= n } {
                return;
            }
            // The sender lives as long as the state, which this handle keeps.
            let _ = changed.changed().await;
        }
    }

    fn lock_running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
