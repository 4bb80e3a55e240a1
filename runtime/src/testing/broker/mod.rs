//! The embedded broker.
//!
//! [`Broker`] listens on a free port of this machine and speaks enough of the protocol for
//! redis-rs's `ConnectionManager`: subscriptions of all kinds, key events, invalidations, and the
//! everyday commands of an application with state. The same conformance tests run against it and
//! against real servers, frame by frame. It is not a Redis server: it does not persist anything, and
//! `HELLO` names it `redis-push-broker`. [`Broker::cluster`] starts several as the nodes of a cluster.
//!
//! Its purpose is its [faults](Broker#faults): connections that die, a server that hangs, replies
//! that arrive late, in pieces, or not at all.
//!
//! The way of a request through the files:
//!
//! ```text
//! listener ─▶ connection ─▶ request ─▶ commands ─┬─▶ session, settings ────────┐
//!  accepts     reads         parses     looks up ├─▶ subscribing ─▶ pubsub ────┤
//!                                                ├─▶ data ─▶ keys ─▶ tracking ─┤
//!                                                └─▶ transactions ─────────────┤
//!              connection ◀────────────── outbox ◀─────── reply ◀──────────────┘
//!               writes                    queues          encodes
//! ```
//!
//! | file | contents |
//! | --- | --- |
//! | `state` | everything, under one lock |
//! | `listener`, `connection`, `outbox` | sockets: accepting, reading, writing |
//! | `request`, `reply`, `double`, `error` | the protocol: parsing requests, encoding replies |
//! | `commands`, `command`, `call` | running a command; what is known about it; one call of it |
//! | `session`, `settings` | commands on the connection, and on what is pushed to it |
//! | `subscribing`, `pubsub`, `subscriptions` | subscriptions: commands, effects, table |
//! | `data` | commands on keys, by type |
//! | `keys`, `keyspace`, `value`, `sorted_set` | keys: effects, tables, what they hold |
//! | `events` | the classes of key events |
//! | `tracking`, `tracking_table` | invalidations: effects, table |
//! | `transactions`, `transaction` | MULTI, EXEC, WATCH: commands and effects, state |
//! | `client`, `glob` | the number of a client; patterns |
//! | `world`, `cluster` | all nodes under one lock; brokers as the nodes of a cluster |
//! | `faults`, `waiting` | the rest of the public API |
//!
//! Invariants:
//!
//! - A command runs as a whole, and so does a transaction. Every client sees the same order, as on a
//!   server with a single thread.
//! - A reply precedes the pushes that its own command causes on the same connection. Of these pushes,
//!   messages precede invalidations.
//! - A connection ends when its outbox is written, or at once when its client is dropped.
//! - Dropping the [`Broker`] ends the listener's task, which owns the tasks of all connections.

mod call;
mod client;
mod cluster;
mod command;
mod commands;
mod connection;
mod data;
mod double;
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
mod sorted_set;
mod state;
mod subscribing;
mod subscriptions;
#[cfg(test)]
mod tests;
mod tracking;
mod tracking_table;
mod transaction;
mod transactions;
mod value;
mod waiting;
mod world;

pub use cluster::{BrokerCluster, ClusterBuilder};
pub(crate) use glob::matches as matches_glob;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fmt, io};

use tokio::net::TcpSocket;

use events::Classes;
use listener::Running;
use state::Shared;
use world::World;

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
/// # Commands
///
/// It knows these commands, with the options in parentheses. Replies, errors, key events and invalidations
/// are those of the servers. Where servers differ from one another, it mostly behaves like the newest
/// Valkey.
///
/// | on | commands |
/// | --- | --- |
/// | the connection | HELLO, AUTH, QUIT, RESET, PING, ECHO, SELECT; CLIENT SETINFO, SETNAME, GETNAME, ID, KILL (ID, TYPE, SKIPME), TRACKING (BCAST, PREFIX, NOLOOP), TRACKINGINFO, NO-EVICT |
/// | subscriptions | SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE, PUBLISH, SPUBLISH, PUBSUB |
/// | keys | DEL, UNLINK, EXISTS, TYPE, KEYS, SCAN (MATCH, COUNT, TYPE), DBSIZE, FLUSHALL, FLUSHDB |
/// | expiry | EXPIRE and PEXPIRE (NX, XX, GT, LT), PERSIST, TTL, PTTL |
/// | strings | SET (EX, PX, KEEPTTL, NX, XX, GET), SETNX, SETEX, PSETEX, GET, GETSET, GETDEL, GETEX (EX, PX, PERSIST), MGET, MSET, APPEND, STRLEN, INCR, DECR, INCRBY, DECRBY |
/// | hashes | HSET, HMSET, HSETNX, HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HDEL, HINCRBY |
/// | lists | LPUSH, RPUSH, LPOP, RPOP, LRANGE, LTRIM, LLEN, LINDEX, LSET, LREM |
/// | sets | SADD, SREM, SMEMBERS, SISMEMBER, SMISMEMBER, SCARD |
/// | sorted sets | ZADD (NX, XX, GT, LT, CH, INCR), ZINCRBY, ZREM, ZSCORE, ZMSCORE, ZCARD, ZCOUNT, ZRANK, ZREVRANK, ZRANGE (BYSCORE, REV, LIMIT, WITHSCORES), ZREVRANGE, ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZREMRANGEBYSCORE, ZREMRANGEBYRANK, ZPOPMIN, ZPOPMAX |
/// | transactions | MULTI, EXEC, DISCARD, WATCH, UNWATCH |
/// | settings | CONFIG GET and SET of `notify-keyspace-events` and `requirepass` |
/// | the server | ROLE, INFO (replication, cluster) |
/// | a [cluster](BrokerCluster) | CLUSTER (SLOTS, SHARDS, NODES, LINKS, INFO, MYID, KEYSLOT), READONLY, READWRITE, ASKING; outside of one, what tells about nodes is refused |
///
/// Any other command is answered with `ERR unknown command`. SCAN returns everything at once. Keys, and
/// the fields and members of collections, are listed in the order of their bytes, which servers do not
/// promise.
///
/// # Time
///
/// Keys expire by tokio's clock, at their deadlines, whether somebody reads them or not. Under a paused
/// clock a test can let hours pass. (While nothing else is to do, a paused clock jumps to the next timer,
/// which may be the deadline of a key.)
///
/// ```
/// use std::time::Duration;
///
/// use redis_push::testing::Broker;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = Broker::start().await?;
/// let client = redis::Client::open(broker.url())?;
/// let mut connection = client.get_multiplexed_async_connection().await?;
///
/// let set = redis::cmd("SET").arg(&["session", "ann", "EX", "3600"]).to_owned();
/// set.exec_async(&mut connection).await?;
/// tokio::time::advance(Duration::from_secs(3600)).await;
/// let session: Option<String> = redis::cmd("GET").arg("session").query_async(&mut connection).await?;
/// assert_eq!(session, None);
/// # Ok(())
/// # }
/// ```
///
/// # Memory
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
        let (broker, socket) = Self::bind(Shared::new(World::new(1), 0))?;
        broker.listen(socket)?;
        Ok(broker)
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
            .publish_everywhere(channel.as_ref(), payload.as_ref())
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
            .publish_to_shard(channel.as_ref(), payload.as_ref())
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
