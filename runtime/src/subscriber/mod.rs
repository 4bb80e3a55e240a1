//! The subscriber: the entry point for users, which puts every other part of this crate together.
//!
//! Read the files in the order in which a program meets them:
//!
//! | file | contents |
//! | --- | --- |
//! | `mod` | [`Subscriber`]: its constructors and its state |
//! | `several` | its constructors for several servers: by sentinels, a cluster |
//! | `handlers` | its handlers, and what applies to all of them |
//! | `options` | the other setters: connections, limits, deadlines |
//! | `run` | `spawn`, `start`, `run` and `run_until` |
//! | `start` | `assemble`: builds broadcast channels and routes, then spawns every task |
//! | `source` | what it connects to, and the sessions that do |
//! | `confirm` | the wait of `start` for the confirmations, and the error that names missing ones |
//! | `subscribed` | the line in the log that says what is subscribed |
//! | `running` | `Running`: the running subscriber, which ends when it is dropped |
//! | `handle`, `weak` | [`Handle`] and [`WeakHandle`], which share it |
//! | `lifespan` | `Handle::run` and `run_until`, and the futures that resolve at its end |
//! | `hooks` | `on_ready` and `on_stop` |
//! | `streams` | `Handle::subscribe` |
//! | `mount` | `Handle::mount` and [`MountGuard`] |
//! | `mount_kit` | what each handler is given |
//! | `caches` | `NearCache::new` |
//! | `shutdown`, `report` | `Handle::shutdown` and the [`ShutdownReport`] that it returns |
//! | `callers` | calls of `shutdown` from inside a handler |
//! | `probed` | what the test kit replaces, requests and asks, with the feature `testing` |
//! | `signals` | Ctrl-C, SIGTERM and SIGHUP, for `run` |
//!
//! In: users call the builder and the handle. The builder only stores what it is given: a mistake is
//! stored too, and `start` and `spawn` return it as an error.
//!
//! Out: `assemble` creates a broadcast channel for each list of subscriptions and budget, the dispatcher
//! with the routes to them, the health monitor, and the tasks of `delivery`, `dispatch`, `failure`,
//! `health`, `link` and `session`. `Running` owns the tasks.
//!
//! Invariants:
//!
//! - Every handler has its receiver before the first subscribe command is sent, so no message is
//!   lost between the confirmation and the handler.
//! - All checks that can fail run before the first task is spawned.
//! - Dropping the last handle aborts every task, on any thread. [`Handle::shutdown`] ends them in
//!   order: the session, the handlers, the failure hook, the others.
//! - No task holds a handle, or what the handles share.

#[cfg(feature = "cache")]
mod caches;
mod callers;
mod confirm;
mod handle;
mod handlers;
mod hooks;
mod lifespan;
mod mount;
mod mount_kit;
mod options;
#[cfg(feature = "testing")]
mod probed;
mod report;
mod run;
mod running;
mod several;
mod shutdown;
mod signals;
mod source;
mod start;
mod streams;
mod subscribed;
mod weak;

pub use handle::Handle;
use hooks::Hooks;
pub use mount::MountGuard;
pub use report::ShutdownReport;
#[cfg(redis_push_internals)]
pub(crate) use start::Broadcasts;
pub use weak::WeakHandle;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use redis::PushInfo;
use redis::aio::ConnectionManager;
use tokio::sync::broadcast;

use crate::config::Settings;
use crate::connection::Endpoint;
use crate::delivery::Observation;
use crate::failure::BoxedHook;
use crate::handler::Layers;
use crate::health;
use crate::link::Attached;
#[cfg(feature = "testing")]
use crate::probe::SharedProbe;
use crate::publish::Publisher;
use crate::router::Mount;

/// A set of handlers, and the server they listen to.
///
/// ```
/// use redis_push::testing::Broker;
/// use redis_push::{Subscriber, handlers, push_handler};
///
/// #[push_handler(channel = "greetings")]
/// async fn on_greeting(text: &str) {
///     println!("{text}");
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Broker::start().await?;
/// let handle = Subscriber::new(server.url())
///     .handlers(handlers![on_greeting])
///     .start()
///     .await?;
/// assert!(handle.is_ready());
/// # Ok(())
/// # }
/// ```
#[must_use = "a subscriber does nothing before `start`, `spawn` or `run`"]
pub struct Subscriber<S = ()> {
    state: S,
    mounts: Vec<Mount<S>>,
    hooks: Hooks<S>,
    config: Config,
}

/// The configuration of a subscriber, except its handlers and their state.
struct Config {
    origin: Origin,
    settings: Settings,
    on_failure: Option<BoxedHook>,
    observation: Observation,
    layers: Layers,
    publisher: Option<Publisher>,
    /// What comes before every name.
    prefix: Option<Arc<str>>,
    /// A mistake in the builder calls so far, which `start` reports.
    mistake: Option<Cow<'static, str>>,
    /// What the test kit observes the subscriber with.
    #[cfg(feature = "testing")]
    probe: Option<SharedProbe>,
}

/// The source of the pushes.
enum Origin {
    Endpoint(Box<Endpoint>),
    Attached(Attached),
}

impl Subscriber {
    /// The exit code with which [`exit_if_deaf`](Subscriber::exit_if_deaf) ends the process: 69,
    /// which BSD's `sysexits.h` calls `EX_UNAVAILABLE`, "a service is unavailable".
    pub const DEAF_EXIT_CODE: i32 = health::DEAF_EXIT_CODE;

    /// Creates a subscriber to the server at a URL: `redis://[user:password@]host:port/[db]`,
    /// `rediss://` for TLS (with the feature `rustls` or `native-tls`), or a unix socket:
    /// `redis+unix:///run/redis.sock?db=1&user=me&pass=secret`.
    ///
    /// RESP3 is switched on. A URL that requires `protocol=resp2` is an error of `start`, and so is
    /// a URL that does not parse. No connection is made before `start`.
    pub fn new(url: impl Into<String>) -> Self {
        Self::to_endpoint(Endpoint::new(url))
    }

    /// Creates a subscriber to the server of a redis-rs client, with the client's address,
    /// credentials and TLS certificates. RESP3, TCP_NODELAY and keepalive are switched on.
    ///
    /// Certificates that the client was built with cannot be read. In that case redis-rs does the
    /// TLS, as its features determine, and the [wire link](Self::wire) is an error of `start`. It is
    /// better to pass the certificates to [`tls`](Self::tls), which replaces them.
    ///
    /// ```
    /// use redis_push::{Subscriber, redis};
    ///
    /// let client = redis::Client::open("redis://127.0.0.1/3")?;
    /// let subscriber = Subscriber::with_client(client);
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn with_client(client: redis::Client) -> Self {
        Self::to_endpoint(client.into())
    }

    /// Creates a subscriber to a channel of pushes that your own manager already sends to.
    ///
    /// This is for a service that has set a `tokio::sync::broadcast::Sender<PushInfo>` as the push
    /// sender of its `ConnectionManager`. Other receivers of the channel are not affected. The names
    /// that the handlers ask for are subscribed on your manager.
    ///
    /// ```
    /// use redis_push::redis::{Client, aio::ConnectionManagerConfig};
    /// use redis_push::{Subscriber, handlers, push_handler};
    /// use tokio::sync::broadcast;
    ///
    /// #[push_handler(channel = "news")]
    /// async fn on_news(text: &str) {
    ///     println!("{text}");
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = redis_push::testing::Broker::start().await?;
    /// # let url = server.url();
    /// let (sender, mut receiver) = broadcast::channel(65_536);
    /// let config = ConnectionManagerConfig::new().set_push_sender(sender.clone());
    /// let client = Client::open(format!("{url}?protocol=resp3"))?;
    /// let mut manager = client.get_connection_manager_with_config(config).await?;
    /// manager.subscribe("weather").await?; // yours, still read from `receiver`
    ///
    /// let handle = Subscriber::attach(manager.clone(), sender.subscribe())
    ///     .handlers(handlers![on_news])
    ///     .start()
    ///     .await?;
    /// # let _ = (receiver.try_recv(), handle);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The connection stays yours, so less can be guaranteed than with [`new`](Self::new):
    ///
    /// - The manager must speak RESP3, and its automatic resubscription must be off: its replay
    ///   would answer your commands with confirmations.
    /// - A channel that overflows is reported to every handler as a gap of `AtMost(n)`, because the
    ///   lost messages cannot be assigned to handlers.
    /// - What waits in the channel is not part of [`memory_limit`](Self::memory_limit): the channel
    ///   holds as many pushes as you have given it room for, however large they are.
    /// - A manager that has stopped retrying reconnects with its next command, such as the `PING`s
    ///   that the subscriber sends. A manager whose last error was not an I/O error never recovers,
    ///   and `is_ready` stays false.
    /// - `shutdown` does not unsubscribe, because your service may use the same names.
    /// - With `invalidate` handlers, the manager's `CLIENT TRACKING` is shared. Yours must be by
    ///   prefix (`BCAST`), without `NOLOOP` and `REDIRECT`, which would keep invalidations from the
    ///   handlers. With each `PING` the subscriber checks whether the connection still tracks (Redis
    ///   6.2 and newer). Tracking that you have switched off is requested again and reported as a
    ///   gap. Your receivers see confirmations of names such as `redis-push:tracking-on:user:`.
    pub fn attach(manager: ConnectionManager, receiver: broadcast::Receiver<PushInfo>) -> Self {
        Self::to(Origin::Attached(Attached::new(manager, receiver)))
    }

    /// Sets the state that handlers extract with [`State`](crate::State). Call it before
    /// [`handlers`](Self::handlers).
    pub fn state<S: Send + Sync + 'static>(self, state: S) -> Subscriber<S> {
        let mut config = self.config;
        if !self.mounts.is_empty() {
            config.mistake = Some("call `Subscriber::state` before `Subscriber::handlers`".into());
        }
        if !self.hooks.is_empty() {
            let mistake = "call `Subscriber::state` before `on_ready` and `on_stop`";
            config.mistake = Some(mistake.into());
        }
        Subscriber {
            state,
            mounts: Vec::new(),
            hooks: Hooks::default(),
            config,
        }
    }

    fn to_endpoint(endpoint: Endpoint) -> Self {
        Self::to(Origin::Endpoint(Box::new(endpoint)))
    }

    fn to(origin: Origin) -> Self {
        Self {
            state: (),
            mounts: Vec::new(),
            hooks: Hooks::default(),
            config: Config {
                origin,
                settings: Settings::default(),
                on_failure: None,
                observation: Observation::default(),
                layers: Layers::default(),
                publisher: None,
                prefix: None,
                mistake: None,
                #[cfg(feature = "testing")]
                probe: None,
            },
        }
    }
}

impl<S> fmt::Debug for Subscriber<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("mounts", &self.mounts)
            .field("settings", &self.config.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
