mod confirm;
mod handle;
mod options;
mod report;
mod shutdown;
mod signals;
mod start;

pub use handle::Handle;
pub use report::ShutdownReport;
#[cfg(redis_push_internals)]
pub(crate) use start::Broadcasts;

use std::borrow::Cow;
use std::fmt;
use std::pin::pin;

use redis::PushInfo;
use redis::aio::ConnectionManager;
use tokio::sync::broadcast;

use crate::config::Settings;
use crate::connection::Endpoint;
use crate::error::Result;
use crate::failure::{BoxedHook, FailureHook, boxed};
use crate::health;
use crate::link::Attached;
use crate::publish::Publisher;
use crate::router::{Mount, Wiring};

use signals::Signals;

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
#[must_use = "a subscriber does nothing before `start` or `run`"]
pub struct Subscriber<S = ()> {
    state: S,
    mounts: Vec<Mount<S>>,
    config: Config,
}

/// What a subscriber is told besides its handlers and their state.
struct Config {
    origin: Origin,
    settings: Settings,
    on_failure: Option<BoxedHook>,
    publisher: Option<Publisher>,
    /// A mistake in the calls before, for `start` to report.
    mistake: Option<Cow<'static, str>>,
}

/// Where pushes come from.
enum Origin {
    Endpoint(Endpoint),
    Attached(Attached),
}

impl Subscriber {
    /// With what [`exit_if_deaf`](Subscriber::exit_if_deaf) ends the process: 69, which BSD's
    /// `sysexits.h` calls `EX_UNAVAILABLE`, "a service is unavailable".
    pub const DEAF_EXIT_CODE: i32 = health::DEAF_EXIT_CODE;

    /// Listens to the server at a URL: `redis://[user:password@]host:port/[db]`, `rediss://` for
    /// TLS (with the feature `rustls` or `native-tls`), or a unix socket:
    /// `redis+unix:///run/redis.sock?db=1&user=me&pass=secret`.
    ///
    /// RESP3 is switched on; a URL that insists on `protocol=resp2` is an error of `start`, as is
    /// one that does not parse. No connection is made before `start`.
    pub fn new(url: impl Into<String>) -> Self {
        Self::to(Origin::Endpoint(Endpoint::new(url)))
    }

    /// Listens to the server of a client of redis-rs, with its address, its credentials and its
    /// TLS certificates. RESP3, TCP_NODELAY and keepalive are switched on.
    ///
    /// Certificates that it was built with cannot be read, so redis-rs does the TLS then, as its
    /// features say, and the [wire link](Self::wire) is an error of `start`. It is better to give
    /// them to [`tls`](Self::tls), which replaces them.
    ///
    /// ```
    /// use redis_push::{Subscriber, redis};
    ///
    /// let client = redis::Client::open("redis://127.0.0.1/3")?;
    /// let subscriber = Subscriber::with_client(client);
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn with_client(client: redis::Client) -> Self {
        Self::to(Origin::Endpoint(client.into()))
    }

    /// Listens to a channel of pushes that a manager of yours already feeds.
    ///
    /// For a service that has set a `tokio::sync::broadcast::Sender<PushInfo>` as the push sender
    /// of its `ConnectionManager`: other receivers of the channel go on as they are. Handlers get
    /// the names they ask for, which are subscribed on your manager.
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
    /// manager.subscribe("weather").await?; // yours, as before, by `receiver`
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
    /// The connection stays yours, and so less can be promised than with [`new`](Self::new):
    ///
    /// - The manager must speak RESP3, and its automatic resubscription must be off: its replay
    ///   would answer your commands with confirmations.
    /// - A channel that overflows is told to every handler as a gap of `AtMost(n)`, for nobody
    ///   knows whose messages they were.
    /// - A manager that has given up comes back with its next command; the `PING`s here are such.
    ///   One that is stuck for good (its last error was no I/O error) stays so, and `is_ready` is
    ///   false.
    /// - `shutdown` unsubscribes from nothing: a name may be yours as well.
    /// - With handlers of `invalidate` the manager's `CLIENT TRACKING` is shared: yours must be by
    ///   prefix (`BCAST`), without `NOLOOP` and `REDIRECT`, which would keep invalidations from the
    ///   handlers. With each `PING` it is asked whether it still tracks (Redis 6.2 and newer); what you
    ///   have switched off is asked for again, and told as a gap. Your receivers see confirmations of
    ///   names such as `redis-push:tracking-on:user:`.
    pub fn attach(manager: ConnectionManager, receiver: broadcast::Receiver<PushInfo>) -> Self {
        Self::to(Origin::Attached(Attached::new(manager, receiver)))
    }

    fn to(origin: Origin) -> Self {
        Self {
            state: (),
            mounts: Vec::new(),
            config: Config {
                origin,
                settings: Settings::default(),
                on_failure: None,
                publisher: None,
                mistake: None,
            },
        }
    }

    /// Sets the state that handlers take with [`State`](crate::State). Comes before
    /// [`handlers`](Self::handlers).
    pub fn state<S: Send + Sync + 'static>(self, state: S) -> Subscriber<S> {
        let mut config = self.config;
        if !self.mounts.is_empty() {
            config.mistake = Some("`Subscriber::state` comes before `Subscriber::handlers`".into());
        }
        Subscriber {
            state,
            mounts: Vec::new(),
            config,
        }
    }
}

impl<S: Send + Sync + 'static> Subscriber<S> {
    /// Adds handlers, from [`handlers!`](crate::handlers) or a [`Router`](crate::Router); may be called
    /// more than once.
    pub fn handlers(mut self, mounts: impl IntoIterator<Item = Mount<S>>) -> Self {
        self.mounts.extend(mounts);
        self
    }

    /// What is mounted so far: a table of the handlers, and of what each listens to.
    ///
    /// Asks nobody, so that a unit test can hold it against a snapshot: see [`Wiring`].
    #[must_use]
    pub fn wiring(&self) -> Wiring {
        Wiring::of(self.mounts.iter().map(|mount| &mount.spec))
    }

    /// Reads the socket without redis-rs: pushes are lifted out of the stream before it parses
    /// them, which costs about a third of the CPU time for a message.
    ///
    /// redis-rs still does the greeting and the commands; handlers and promises are the same. TCP,
    /// TLS and unix sockets; not for [`attach`](Subscriber::attach).
    ///
    /// ```
    /// # use redis_push::Subscriber;
    /// let subscriber = Subscriber::new("redis://127.0.0.1/").wire();
    /// ```
    ///
    /// When a connection ends, this link delivers all that the socket still holds. redis-rs keeps
    /// pushes in a queue of its own, and what is in it when its manager ends is gone: on the default
    /// link that is a part of the gap that every handler is told.
    ///
    /// This link can also wait when a handler's buffer is full: then a burst stays in the socket
    /// and in the server instead of being dropped. See [`wire_wait`](Self::wire_wait).
    pub fn wire(mut self) -> Self {
        self.config.settings.wire = true;
        self
    }

    /// Tells a hook of every delivery that did not end well: rejected, failed, panicked, timed out.
    ///
    /// The hook gets a [`Failure`](crate::Failure) that it may keep, one at a time and on a task of
    /// its own. No handler waits for it: up to 1,024 failures wait in a queue, those that find it
    /// full are counted in [`FailureStats`](crate::FailureStats), and so are errors and panics of
    /// the hook. A shutdown lets it finish what is queued, by the shutdown's deadline.
    ///
    /// It is a function that returns a future of `()` or `Result<(), E>`, or a
    /// [`FailureSink`](crate::FailureSink), which writes to a Redis stream or list. Called again, it
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

    /// Starts, and returns when every subscription is confirmed by the server.
    ///
    /// Messages and gaps may reach handlers before it returns, also when it returns an error: some
    /// of the names may have been confirmed by then.
    ///
    /// The handlers run as tasks of the runtime that this is called on. One that blocks its thread,
    /// instead of awaiting, keeps that thread from everything else; use
    /// `tokio::task::spawn_blocking` for such work.
    ///
    /// # Errors
    ///
    /// At once when the program asks for what cannot be ([`Error::is_config`](crate::Error::is_config)), such as
    /// handlers that take different [message types](crate::PushMessage) from one name, when the server
    /// refuses the credentials ([`Error::is_auth`](crate::Error::is_auth)) or a subscription ([`Error::is_denied`](crate::Error::is_denied)), and
    /// when its certificate cannot be trusted ([`Error::is_tls`](crate::Error::is_tls)). A server that cannot be reached is
    /// tried until the deadline ([`Error::is_timeout`](crate::Error::is_timeout) and [`Error::is_connection`](crate::Error::is_connection)). With no
    /// deadline, all but the first are tried again for ever.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and on one without its IO and time drivers (`enable_all`).
    pub async fn start(self) -> Result<Handle> {
        let deadline = self.config.settings.start_deadline;
        let allows_denied = self.config.settings.allows_denied;
        let handle = self.spawn()?;
        handle.confirmed(deadline, allows_denied).await?;
        Ok(handle)
    }

    /// Starts and runs until Ctrl-C or SIGTERM, then lets the handlers finish.
    ///
    /// A second signal ends it at once: what is left is not delivered. The report of the shutdown
    /// goes to the log. The signals stay tokio's when this has returned; they no longer end the
    /// process by themselves.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); once it has started there are none.
    pub async fn run(self) -> Result<()> {
        let mut signals = Signals::listen()?;
        let deadline = self.config.settings.drain_deadline;
        let Some(handle) = self.start_and_wait(signals.recv()).await? else {
            return Ok(());
        };
        tracing::info!(target: "redis_push", "shutting down; once more to end at once");
        tokio::select! {
            () = handle.shutdown_and_log(deadline) => {}
            () = signals.recv() => {
                tracing::warn!(target: "redis_push", "ended before the handlers had finished");
            }
        }
        Ok(())
    }

    /// Starts and runs until `signal` resolves, then lets the handlers finish.
    ///
    /// A signal that comes before everything is confirmed ends it as well. The report of the
    /// shutdown goes to the log.
    ///
    /// ```
    /// # use redis_push::{Subscriber, handlers, push_handler, testing::Broker};
    /// # #[push_handler(channel = "news")]
    /// # async fn on_news(_text: &str) {}
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Broker::start().await?;
    /// # let url = server.url();
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// # stop.send(()).unwrap();
    /// Subscriber::new(url)
    ///     .handlers(handlers![on_news])
    ///     .run_until(async { _ = stopped.await })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); once it has started there are none.
    pub async fn run_until(self, signal: impl Future<Output = ()>) -> Result<()> {
        let deadline = self.config.settings.drain_deadline;
        if let Some(handle) = self.start_and_wait(signal).await? {
            handle.shutdown_and_log(deadline).await;
        }
        Ok(())
    }

    /// Starts and waits until `signal` resolves; `None` if that is before everything is confirmed.
    async fn start_and_wait(self, signal: impl Future<Output = ()>) -> Result<Option<Handle>> {
        let mut signal = pin!(signal);
        let handle = tokio::select! {
            handle = self.start() => handle?,
            () = &mut signal => return Ok(None),
        };
        signal.await;
        Ok(Some(handle))
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
