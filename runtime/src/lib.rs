//! Annotate an async function with `#[push_handler]`, and it becomes a typed, live subscription to
//! what Redis or Valkey pushes over RESP3.
//!
//! ```no_run
//! use redis_push::{PushMessage, Subscriber, handlers, push_handler};
//!
//! #[derive(PushMessage)]
//! #[push(channel = "quotes.{symbol}")] // the type names its channel
//! struct Quote {
//!     symbol: String, // from the channel's name
//!     bid: f64,       // the rest from the payload's JSON
//!     ask: f64,
//! }
//!
//! #[push_handler]
//! async fn on_quote(quote: Quote) {
//!     println!("{} {:.2}/{:.2}", quote.symbol, quote.bid, quote.ask);
//! }
//!
//! #[tokio::main]
//! async fn main() -> redis_push::Result<()> {
//!     Subscriber::new("redis://127.0.0.1/")
//!         .handlers(handlers![on_quote])
//!         .run() // until Ctrl-C, SIGTERM or SIGHUP, then drains
//!         .await
//! }
//! ```
//!
//! # The parts
//!
//! - A **handler** is an async function with [`#[push_handler]`](macro@push_handler). It stays an
//!   ordinary function. [`handlers!`] lists the handlers to mount.
//! - Its **arguments** are extracted from the push ([`FromPush`]). At most one is the message: a
//!   [`PushMessage`], [`Json`], [`Text`], [`Bytes`], `&str` or `&[u8]`, or an `Arc` of one, which is
//!   decoded once for all handlers of its name. The others are [`State`],
//!   [`ChannelName`], [`MatchedPattern`], or types of your own. Arguments may borrow from the push:
//!   nothing is copied on the way to the function's body.
//!   [`Param`] extracts a param of the channel's name, [`KeyEvent`] the event of a key,
//!   [`Invalidation`] a key that a cache must drop, and [`ConnectionEvent`] a change of the
//!   connection.
//! - Its **return value** is the outcome of the delivery, or an answer to publish: [`Publish`].
//! - An [`Address`] is the channels of a message type with their params filled in, such as
//!   `Quote::at("ACME")`. A handler can be [mounted on](Mount::on) one.
//! - A [`Publisher`] sends messages: a handler of the same type reads what it writes.
//! - A [`Subscriber`] connects, subscribes and calls the handlers. [`Subscriber::start`] returns a
//!   [`Handle`] with [`stats`](Handle::stats), [`pushes`](Handle::pushes) and
//!   [`shutdown`](Handle::shutdown); [`Subscriber::spawn`] does so without waiting for the server. A
//!   handle can be cloned, and ends the subscriber when the last clone is dropped. A [`WeakHandle`] does
//!   not keep it alive.
//! - A **stream** ([`Handle::subscribe`], [`EventStream`]) is a subscription that the program reads itself,
//!   and that comes and goes while it runs: of one browser, one user, one room.
//! - A `NearCache` (feature `cache`) has the values of keys in this process, and removes those that change.
//! - A [`Gap`] reports that messages may be missing. A function with
//!   [`#[gap_handler]`](macro@gap_handler), named by `on_gap`, receives it in order with the
//!   handler's messages. [`Handle::resync`] and [`Fault::resync`] request a run of it.
//! - A [`Layer`] is code around each delivery, for one handler, a router or all. [`Extension`] is a value that
//!   it passes on to the handler.
//! - A [`Router`] holds the handlers of one module: under a prefix, with a state of their own.
//! - Everything the macros write can also be written by hand: [`Handler`], [`Spec`], [`Mount`],
//!   [`Subscription`].
//!
//! # Guarantees
//!
//! Redis Pub/Sub delivers at most once: messages published while the subscriber is disconnected are
//! gone. On top of that, this crate guarantees:
//!
//! - Each handler has its own buffer. When the buffer is full, the oldest messages are dropped and
//!   counted exactly, and the handler receives the count in a gap before its next message. If the
//!   connection was lost in the same gap, the number is a lower bound.
//! - A lost or silent connection is re-established, retrying indefinitely. Every name is subscribed
//!   again and its confirmation is checked, and every handler receives a gap.
//! - A stream begins with a gap, and receives every message after it or a gap with what it has missed. It
//!   is never waited for, and a name that is denied to it concerns no other stream and no handler.
//! - A handler sees the messages of one subscription in the server's order and never twice. (A
//!   handler with overlapping names is sent one message for each of them, as Redis does.)
//! - A payload that does not decode, an error, and a panic end one delivery, not the handler.
//! - A `rediss://` connection is encrypted and the server is authenticated, or there is no
//!   connection. No log, error or `Debug` output shows a password or a key.
//!
//! [`Stats`] accounts for every message that has arrived.
//!
//! # Wiring
//!
//! [`Subscriber::wiring`] and [`Handle::wiring`] return a table of the handlers: where each one is
//! written, what it listens to, which message it takes, and its policies.
//! [`start`](Subscriber::start) logs one line of it for each handler.
//!
//! # Tests
//!
//! With the feature `testing`, `testing::TestKit` runs a subscriber as it is on an embedded server, with a
//! paused clock if the test wants one, and says what its handlers have received and published.
//! `testing::deliver` calls one handler with its extractors, without a server. See [Testing](#testing).
//!
//! # Errors and monitoring
//!
//! - [`Subscriber::on_failure`] passes every delivery that did not succeed to a hook, with its push.
//!   A [`FailureSink`] writes them to a Redis stream or list. [`Spec::retry`] repeats them, and
//!   [`Spec::on_error`] resyncs after them.
//! - [`Handle::health`] says whether the subscriber is live and ready, and if not, why.
//!   [`Handle::watch_health`] reports the changes.
//! - A handler whose call takes too long is reported by name ([`Spec::stall_limit`]), and readiness
//!   may depend on it ([`Spec::required`]).
//! - An internal task that exits unexpectedly is restarted and counted in [`Stats::restarts`].
//!   Messages that it was working on are reported as a gap.
//! - [`Subscriber::exit_if_deaf`] ends a process that has received nothing for too long.
//!
//! # Logs
//!
//! Problems are logged through `tracing`, with the target `redis_push`. Without a `tracing`
//! subscriber nothing is printed. A payload that does not decode, an error, and a panic are logged
//! at most once a second for each handler, without the payload.
//!
#![doc = include_str!("../docs/handlers-or-streams.md")]
//!
#![doc = include_str!("../docs/policies.md")]
//!
// Its code needs axum. The package `web` compiles it: `cargo test -p web --doc`.
#![cfg_attr(not(doctest), doc = include_str!("../docs/in-a-web-service.md"))]
//!
// Its code needs the feature, which the doc tests have.
#![cfg_attr(any(not(doctest), feature = "testing"), doc = include_str!("../docs/testing.md"))]
//!
#![doc = include_str!("../docs/server-rights.md")]
//!
#![doc = include_str!("../docs/features.md")]

mod broadcast;
#[cfg(feature = "cache")]
mod cache;
mod config;
mod connection;
mod delivery;
mod dispatch;
mod error;
mod extract;
mod failure;
mod gap;
mod handler;
mod health;
mod link;
mod message;
#[cfg(feature = "testing")]
mod probe;
mod publish;
mod push;
mod router;
mod session;
mod stream;
mod subscriber;
mod subscription;
mod tasks;
mod telemetry;
mod util;

#[cfg(feature = "testing")]
pub mod testing;

#[cfg(redis_push_internals)]
#[doc(hidden)]
#[path = "bench/mod.rs"]
pub mod __bench;

#[doc(hidden)]
#[path = "macro_support/mod.rs"]
pub mod __private;

#[cfg(all(redis_push_internals, feature = "testing"))]
#[doc(hidden)]
#[path = "fuzz/mod.rs"]
pub mod __fuzz;

pub use bytes::Bytes;
pub use redis;
pub use redis_push_macros::{PushMessage, gap_handler, handlers, push_handler};

pub use broadcast::Overflow;
#[cfg(feature = "cache")]
pub use cache::{NearCache, NearCacheBuilder};
pub use connection::{Credentials, Endpoint, Tls};
pub use dispatch::{Pushes, PushesError};
pub use error::{BoxError, Error, Fault, Rejection, Result};
#[cfg(feature = "msgpack")]
pub use extract::MsgPack;
pub use extract::{
    AnyState, ChannelName, Extension, FromGap, FromPush, FromRef, Invalidation, Json, KeyEvent,
    MatchedPattern, Param, State, Text,
};
pub use failure::{Failure, FailureHook, FailureKind, FailureSink};
pub use gap::{Gap, GapCause, Missed};
pub use handler::{
    Delivery, GapHandler, Handler, IntoAnswer, IntoOutcome, Layer, Next, OnError, Outcome, Retry,
    Spec,
};
pub use health::{
    Health, HealthChanges, HealthReason, NotConfirmed, NotSynced, Stall, StreamHealth,
};
pub use message::{Address, Codec, IntoSubscriptions, MessageDescriptor, PushMessage, ToPayload};
pub use publish::{Answer, IntoChannel, Publish, Publishable, Publisher, Publishing};
pub use push::{ConnectionEvent, OwnedPush, Push, RawPush};
pub use router::{HandlerWiring, Mount, Mounts, Router, SubscriptionWiring, Wiring};
pub use stream::{
    Event, EventStream, MessageStream, StreamEnd, Subscribable, Subscribe, Subscribing,
};
pub use subscriber::{Handle, MountGuard, ShutdownReport, Subscriber, WeakHandle};
pub use subscription::{Kind, Subscription, TemplateError};
pub use telemetry::{
    CacheStats, FailureStats, FeedStats, GapCounts, HandlerStats, NameStats, StateStats, Stats,
    StreamStats,
};
