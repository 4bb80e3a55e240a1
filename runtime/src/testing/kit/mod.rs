//! The test kit: an application on a server of its own, what it does, and faults.
//!
//! | file | contents |
//! | --- | --- |
//! | `mod` | [`TestKit`]: its start, and what happened |
//! | `publish` | publishing, until the whole reaction is over |
//! | `settle` | the wait until the reaction to a message is over |
//! | `faults` | what can go wrong, as methods |
//! | `shutdown` | the end of the kit, with its report |
//! | `ledger` | what the application has done: it implements [`Probe`](crate::probe::Probe) |
//! | `calls`, `call`, `published` | views of the ledger, with assertions |
//! | `difference` | what differs between two values |
//! | `deliver` | one handler alone, without a server |
//! | `server`, `line` | the embedded broker, or the line to a live server |
//! | `clock` | whether the clock of the runtime is paused |
//!
//! In: a subscriber, as the application makes it. The kit replaces its endpoint (`subscriber::probed`), and
//! redirects the connections for commands that are made on its runtime (`connection::redirect`). Both carry
//! the [`Ledger`] as their probe.
//!
//! Invariants:
//!
//! - The handlers, their policies and the way of a push are those of the application. Nothing is
//!   imitated.
//! - Nothing here waits for a fixed time. A wait ends when what it waits for has happened, or with an error.

mod call;
mod calls;
mod clock;
mod deliver;
mod difference;
mod faults;
mod ledger;
mod line;
mod publish;
mod published;
mod server;
mod settle;
mod shutdown;
#[cfg(test)]
mod tests;

pub use call::Call;
pub use calls::{Calls, ReportedGap};
pub use deliver::deliver;
pub use published::Published;
pub use shutdown::KitReport;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ledger::{Ledger, STREAM};
use server::KitServer;

use super::Broker;
use crate::connection::{Endpoint, Redirect};
use crate::error::{Error, Result};
use crate::extract::FromPush;
use crate::message::PushMessage;
use crate::probe::SharedProbe;
use crate::publish::Publisher;
use crate::router::{HandlerWiring, Wiring};
use crate::subscriber::{Handle, Subscriber};

/// An application under test: its subscriber, unchanged, on a server of its own.
///
/// ```
/// use std::time::Duration;
///
/// use redis_push::testing::TestKit;
/// use redis_push::{GapCause, Publish, PushMessage, Subscriber, handlers, push_handler};
///
/// #[derive(Debug, PartialEq, PushMessage)]
/// #[push(channel = "readings.{room}")]
/// struct Reading {
///     room: u32,
///     celsius: f64,
/// }
///
/// #[derive(Debug, PartialEq, PushMessage)]
/// #[push(channel = "alarms.{room}")]
/// struct Alarm {
///     room: u32,
/// }
///
/// #[push_handler]
/// async fn on_reading(reading: Reading) -> Option<Publish<Alarm>> {
///     (reading.celsius > 30.0).then_some(Publish(Alarm { room: reading.room }))
/// }
///
/// /// What `main` runs too.
/// fn app(url: &str) -> Subscriber {
///     Subscriber::new(url).handlers(handlers![on_reading])
/// }
///
/// // In a test: #[tokio::test(start_paused = true)]
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// async fn heat_raises_an_alarm() -> redis_push::Result<()> {
///     let kit = TestKit::start(app("redis://redis.internal/")).await?; // no such server is needed
///     let reading = Reading { room: 7, celsius: 31.0 };
///     kit.publish(&reading).await?; // returns when the whole reaction is over
///     kit.handler("on_reading").assert_once().with(&reading).handled();
///     kit.published::<Alarm>().assert_once().with(&Alarm { room: 7 });
///
///     kit.outage(Duration::from_secs(30)).await?; // takes no time: the clock is paused
///     kit.handler("on_reading").assert_gap(GapCause::ConnectionLost);
///
///     kit.publish_raw("readings.7", "not JSON").await?;
///     kit.handler("on_reading").last().rejected("JSON");
///
///     kit.shutdown().await.assert_nothing_lost();
///     Ok(())
/// }
/// # heat_raises_an_alarm().unwrap();
/// ```
///
/// # The server
///
/// [`start`](Self::start) runs the application on an embedded [`Broker`], [`live`](Self::live) on a real
/// server. Neither the subscriber's URL nor its credentials are used.
///
/// Connections for commands are redirected to the same server, if this crate makes them on the runtime of
/// the kit: those of a [`Publisher`] and of a [`FailureSink`](crate::FailureSink) with an address of their
/// own, also in the state of the application, and those of a `NearCache`. What cannot be redirected is an
/// error that names it: [`Subscriber::attach`](crate::Subscriber::attach), and a publisher over a connection
/// of your own that was passed to [`Subscriber::publisher`]. Clients of redis-rs in the application, and
/// publishers over one, are its own: give them [`url`](Self::url), or pass a fake.
///
/// The embedded broker publishes the events of keys, knows [these commands](Broker#commands), and is run
/// through the same conformance tests as real servers.
///
/// # Time
///
/// With `#[tokio::test(start_paused = true)]` a test does not wait for time to pass: for a handler that sleeps
/// for an hour, an outage, a timeout. The timers of the subscriber run all the same, such as its `PING`: an
/// hour takes about a second in a debug build. Times that come from the clock of the system do not follow: those in a
/// [`Gap`](crate::Gap), and since when a handler has [stalled](crate::Health). A live run needs the real
/// clock and refuses a paused one.
///
/// # When a reaction is over
///
/// [`publish`](Self::publish) and [`settle`](Self::settle) return when nothing is left to do: the server has
/// sent everything, every message that has arrived is accounted for, no delivery runs, no gap waits for its
/// gap handler, no publish is under way and the failure hook is done, and all this has caused nothing new.
/// The wait ends with an error that says who goes on, after 10,000 deliveries
/// ([`settle_deliveries`](Self::settle_deliveries)) or an hour ([`settle_within`](Self::settle_within)).
///
/// A stream is waited for while its reader takes what has arrived: exactly on a runtime with one thread, and
/// on one with several as far as the reader begins within some milliseconds. A stream that nobody reads is
/// not waited for: read it afterwards. What a task does that a handler has spawned is only waited for if it publishes,
/// or if a handler receives it.
pub struct TestKit {
    handle: Handle,
    ledger: Arc<Ledger>,
    publisher: Publisher,
    server: KitServer,
    within: Duration,
    most: u64,
    _redirect: Redirect,
}

impl TestKit {
    /// Starts an application on an embedded broker, and returns when every name is confirmed and every
    /// initial gap is handled.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Subscriber::start`], and an error if a connection of the subscriber cannot be
    /// redirected ([`Error::is_config`]).
    pub async fn start<S: Send + Sync + 'static>(app: Subscriber<S>) -> Result<Self> {
        let within = if clock::is_paused() {
            settle::PAUSED
        } else {
            settle::REAL
        };
        Self::on(KitServer::broker().await?, app, within).await
    }

    /// Starts an application on the server at a URL, which other programs should not use at the same time.
    ///
    /// The test is the same as with [`start`](Self::start), except that faults of the server cannot be
    /// requested ([`deny`](Self::deny)). The connections run through a proxy in this process, which
    /// [`outage`](Self::outage) and [`slow`](Self::slow) need; over TLS and unix sockets there is none.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start). Returns an error too if the clock of the runtime is paused: it would jump
    /// over every timeout while the network carries the bytes.
    pub async fn live<S: Send + Sync + 'static>(
        app: Subscriber<S>,
        url: impl Into<String>,
    ) -> Result<Self> {
        refuse_paused()?;
        let server = KitServer::live(url.into()).await?;
        Self::on(server, app, settle::REAL).await
    }

    async fn on<S: Send + Sync + 'static>(
        server: KitServer,
        app: Subscriber<S>,
        within: Duration,
    ) -> Result<Self> {
        let ledger = Arc::<Ledger>::default();
        let probe: SharedProbe = Arc::clone(&ledger) as _;
        Self::observed(server, app, (ledger, probe), within).await
    }

    /// Starts an application that reports to a probe, which passes on what it sees to the ledger.
    async fn observed<S: Send + Sync + 'static>(
        server: KitServer,
        app: Subscriber<S>,
        (ledger, probe): (Arc<Ledger>, SharedProbe),
        within: Duration,
    ) -> Result<Self> {
        let url = server.url();
        let app = app.probed(&url, Arc::clone(&probe))?;
        let target = Endpoint::new(url.clone()).into_destination(false)?;
        let redirect = Redirect::begin(target, probe);
        let publisher = Publisher::new(url)?.unobserved();
        let publisher = publisher.prefix(app.name_prefix());
        let kit = Self {
            handle: app.start().await?,
            ledger,
            publisher,
            server,
            within,
            most: settle::MOST,
            _redirect: redirect,
        };
        kit.settle().await?;
        Ok(kit)
    }

    /// Sets how long a reaction may take: an hour with a paused clock, 30 seconds otherwise.
    #[must_use]
    pub fn settle_within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// Sets how many deliveries may follow from one message: 10,000 by default.
    #[must_use]
    pub fn settle_deliveries(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// Returns the handle of the subscriber: to mount handlers, to begin streams, to read its health.
    ///
    /// Handlers that are mounted and streams that begin while the kit runs are observed like the others.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns the URL of the server, for clients of your own.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Returns the embedded broker, for [faults](Broker#faults) of other kinds; `None` in a live run.
    #[must_use]
    pub fn broker(&self) -> Option<&Broker> {
        self.server.as_broker()
    }

    /// Returns what a handler has received so far. Handlers of the same name are taken together.
    ///
    /// # Panics
    ///
    /// Panics if no handler has this name.
    #[track_caller]
    #[must_use]
    pub fn handler(&self, name: &str) -> Calls {
        let wiring = self.handle.wiring();
        let mounted = wiring.handlers.iter().find(|row| row.handler == name);
        let page = self.ledger.handler(name);
        let label = match (mounted, &page) {
            (Some(row), _) => label(row),
            // It is unmounted.
            (None, Some(page)) => match page.calls.last() {
                Some(call) => call.label().to_owned(),
                None => format!("`{name}`"),
            },
            (None, None) => {
                panic!("{}", no_such_handler(&wiring, name))
            }
        };
        Calls::new(label, page.unwrap_or_default())
    }

    /// Returns what the streams of a name have returned to their readers so far: of a template such as
    /// `quotes.{symbol}`, or of the channel of a type without params. Streams of other
    /// [subscriptions](crate::Subscription) are called `channel by name`, `pattern by name` and so on, as in
    /// [`StreamStats::listens_to`](crate::StreamStats).
    ///
    /// # Panics
    ///
    /// Panics if there was no such stream.
    #[track_caller]
    #[must_use]
    pub fn stream(&self, listens_to: &str) -> Calls {
        let streams = self.handle.stats().streams;
        let is_known = streams.iter().any(|stream| stream.listens_to == listens_to);
        assert!(
            is_known,
            "no stream listens to `{listens_to}`; there are: {}",
            self.ledger.streams().join(", ")
        );
        let page = self.ledger.stream(listens_to).unwrap_or_default();
        Calls::new(format!("{STREAM} `{listens_to}`"), page)
    }

    /// Returns the messages of a type that the application has published so far: the answers of its
    /// handlers, and what it has published through a [`Publisher`]. What the kit publishes is not among
    /// them.
    #[must_use]
    pub fn published<M>(&self) -> Published<M>
    where
        M: PushMessage + for<'p> FromPush<'p, ()>,
    {
        Published::of(self.ledger.published(), "by the application".to_owned())
    }

    /// Forgets what was recorded so far, so that the next assertions are about what follows.
    pub fn clear(&self) {
        self.ledger.clear();
    }
}

fn no_such_handler(wiring: &Wiring, name: &str) -> String {
    let names = wiring.handlers.iter();
    let names: Vec<_> = names.map(|row| format!("`{}`", row.handler)).collect();
    format!(
        "no handler is named `{name}`; there are: {}",
        names.join(", ")
    )
}

fn label(row: &HandlerWiring) -> String {
    match (&row.file, row.line) {
        (Some(file), Some(line)) => format!("`{}` ({file}:{line})", row.handler),
        _ => format!("`{}`", row.handler),
    }
}

/// Refuses a live run under a paused clock.
fn refuse_paused() -> Result<()> {
    if !clock::is_paused() {
        return Ok(());
    }
    Err(Error::config(
        "the clock of this runtime is paused, and a live server does not wait for it: timeouts would expire \
         while the network carries the bytes. Leave `start_paused = true` out of the live test; \
         `TestKit::start` runs with a paused clock",
    ))
}

impl fmt::Debug for TestKit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKit")
            .field("handle", &self.handle)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
