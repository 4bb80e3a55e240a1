//! The embedded broker.
//!
//! [`Broker`] listens on a free port of this machine and speaks enough of the protocol for
//! redis-rs's `ConnectionManager`: subscriptions of all kinds, key events, invalidations, and the few
//! commands around them. The same conformance tests run against it and against real servers, frame by
//! frame. It is not a Redis server: it does not persist or replicate anything, and `HELLO` names it
//! `redis-push-broker`.
//!
//! Its purpose is its [faults](Broker#faults): connections that die, a server that hangs, replies
//! that arrive late, in pieces, or not at all.
//!
//! The way of a request through the files:
//!
//! ```text
//! listener ─▶ connection ─▶ request ─▶ commands ─┬─▶ session, settings ────────┐
//!  accepts     reads         parses     looks up ├─▶ subscribing ─▶ pubsub ────┤
//!                                                └─▶ data ─▶ keys ─▶ tracking ─┤
//!              connection ◀────────────── outbox ◀─────── reply ◀──────────────┘
//!               writes                    queues          encodes
//! ```
//!
//! `state` holds everything under one lock, as a single-threaded server would: a command runs as a
//! whole, and every client sees the same order. `client`, `subscriptions`, `keyspace`,
//! `tracking_table`, `call`, `command` and `error` define the types that the commands share, `glob` and
//! `events` the rules of the server. `faults` holds the switches of the public API.
//!
//! Invariants:
//!
//! - A reply precedes the pushes that its own command causes on the same connection. Of these pushes,
//!   messages precede invalidations.
//! - A connection ends when its outbox is written, or at once when its client is dropped.
//! - Dropping the [`Broker`] ends the listener's task, which owns the tasks of all connections.

mod call;
mod client;
mod command;
mod commands;
mod connection;
mod data;
mod error;
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
/// It supports HELLO, AUTH, QUIT, RESET, PING, ECHO, SELECT; CLIENT SETINFO, SETNAME, GETNAME, ID,
/// KILL (by ID, TYPE, SKIPME), TRACKING (without OPTIN, OPTOUT, REDIRECT), TRACKINGINFO, NO-EVICT; the
/// six commands that subscribe and unsubscribe, PUBLISH, SPUBLISH, PUBSUB; SET (EX, PX, KEEPTTL, NX,
/// XX), GET, DEL, EXISTS, EXPIRE, PEXPIRE, PERSIST, TTL, PTTL, FLUSHALL, FLUSHDB; CONFIG GET and
/// SET of `notify-keyspace-events` and `requirepass`. Where servers differ from one another, it mostly
/// behaves like the newest Valkey.
///
/// Nothing is lost while a connection lives: output that a client does not read waits in memory,
/// without a bound unless [`limit_output`](Broker::limit_output) sets one.
///
/// It runs on the tokio runtime that started it. Dropping it closes the listener and all
/// connections.
pub struct Broker {
    shared: Arc<Shared>,
    addr: SocketAddr,
    /// The listener, while the broker runs.
    running: Mutex<Option<Running>>,
    /// Bound, but never listening. On Linux the listener can be bound to the same port, which stays
    /// reserved while the listener is down.
    _reserved: Option<TcpSocket>,
}

impl Broker {
    /// Starts a broker on a free port of this machine.
    ///
    /// # Errors
    ///
    /// Returns an error if the broker cannot listen on a port.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O and time enabled.
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

    /// Returns the URL for clients: `redis://127.0.0.1:PORT/`, without credentials.
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

    /// Returns the address that the broker listens on. A restart keeps it.
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

    /// Publishes a message, and returns the number of subscriptions it was sent to.
    ///
    /// Like PUBLISH, it counts a client twice if the client has both the channel and a matching
    /// pattern.
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

    /// Publishes a message on a sharded channel, and returns the number of clients it was sent to.
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

    /// Sets the key events to publish, as `CONFIG SET notify-keyspace-events` does: `"KEA"` for all
    /// but the rare ones, `""` (the default) for none.
    ///
    /// # Panics
    ///
    /// Panics if a letter does not name a class of events.
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
        let classes = Classes::parse(classes.as_bytes())
            .expect("classes of key events must be letters of `Ag$lshzxeKEtmdn`");
        self.shared.lock().keys.events = classes;
    }

    /// Returns the number of open connections.
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

    /// Waits until at least `n` connections have a subscription of any kind; with `n = 0`, until no
    /// connection has one.
    ///
    /// The wait is unbounded: wrap it in a `tokio::time::timeout`. Cancel safe.
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
    /// channel; with `n = 0`, until no connection is.
    ///
    /// The wait is unbounded: wrap it in a `tokio::time::timeout`. Cancel safe.
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
            let found = count(&self.shared.lock());
            let is_reached = if n == 0 { found == 0 } else { found >= n };
            if is_reached {
                return;
            }
            // This handle keeps the state, and the state the sender: this cannot fail.
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
