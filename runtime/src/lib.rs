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
//!         .run() // until Ctrl-C or SIGTERM, then drains
//!         .await
//! }
//! ```
//!
//! # The parts
//!
//! - A **handler** is an async function with [`#[push_handler]`](macro@push_handler). It stays an
//!   ordinary function. [`handlers!`] lists the ones to mount.
//! - Its **arguments** are taken from the push ([`FromPush`]): one message, which is a
//!   [`PushMessage`], [`Json`], [`Text`], [`Bytes`], `&str` or `&[u8]`; and beside it
//!   [`State`], [`ChannelName`], [`MatchedPattern`], or a type of yours. They may borrow from the
//!   push: nothing is copied on the way to the function's body.
//!   [`Param`] takes a param of the channel's name, [`KeyEvent`] what has happened to a key,
//!   [`Invalidation`] a key that a cache must forget, [`ConnectionEvent`] what has become of the
//!   connection.
//! - Its **return value** says how it went, or is an answer to be published: [`Publish`].
//! - A [`Publisher`] sends messages the other way: what it writes, a handler of the type reads.
//! - A [`Subscriber`] connects, subscribes and calls. [`Subscriber::start`] gives a [`Handle`] with
//!   [`stats`](Handle::stats), [`pushes`](Handle::pushes) and [`shutdown`](Handle::shutdown).
//! - A [`Gap`] says that messages may be missing. A function with
//!   [`#[gap_handler]`](macro@gap_handler), named by `on_gap`, is told of it in the handler's own
//!   stream.
//! - A [`Router`] holds the handlers of one module: under a prefix, with a state of their own.
//! - All of it can be written by hand: [`Handler`], [`Spec`], [`Mount`], [`Subscription`].
//!
//! # What is promised
//!
//! Redis Pub/Sub delivers at most once: what is published while nobody is connected is gone. On top
//! of that,
//!
//! - each handler has a buffer of its own; when it is full the oldest messages go, are counted
//!   exactly, and the handler is told before its next message;
//! - a lost or silent connection is built anew, for as long as it takes, every name is subscribed
//!   again and its confirmation checked, and every handler is told of the gap;
//! - a handler sees what comes by one of its subscriptions in the server's order and never twice
//!   (one that listens to overlapping names is sent a message for each, as Redis does);
//! - a payload that does not decode, an error and a panic end one delivery, not the handler;
//! - a `rediss://` connection is encrypted and its server proven, or there is none; passwords and
//!   keys are shown by no log, error or `Debug`.
//!
//! [`Stats`] accounts for every message that has arrived.
//!
//! # What listens to what
//!
//! [`Subscriber::wiring`] and [`Handle::wiring`] give a table: each handler, where it is written,
//! what it listens to and takes, and its policies. A [`start`](Subscriber::start) logs a line of it
//! for each handler.
//!
//! # What goes wrong, and who is told
//!
//! - [`Subscriber::on_failure`] tells a hook of every delivery that did not end well, with its
//!   push; a [`FailureSink`] writes them to a Redis stream or list.
//! - [`Handle::health`] says whether the subscriber is live and ready, and why not;
//!   [`Handle::watch_health`] tells the changes.
//! - A handler that does not come back is named ([`Spec::stall_limit`]), and readiness may depend
//!   on it ([`Spec::required`]).
//! - A task of the subscriber's own that ends unasked is started again and counted in
//!   [`Stats::restarts`]; what it had in hand is told as a gap.
//! - [`Subscriber::exit_if_deaf`] ends a process that has heard nothing for too long.
//!
//! # Logs
//!
//! What goes wrong is logged by `tracing`, with the target `redis_push`; without a subscriber of
//! yours nothing is printed. A payload that does not decode, an error and a panic are logged at most
//! once a second for each handler, without the payload.
//!
//! # What the server's user needs
//!
//! [`Subscriber::credentials`] says who it is, or the URL. On the server, these are the least rights
//! that everything here works with:
//!
//! ```text
//! ACL SETUSER quotes-reader on >password resetchannels &quotes.* -@all
//!     +subscribe +psubscribe +ssubscribe +unsubscribe +punsubscribe +sunsubscribe
//!     +ping +client|setinfo +client|tracking
//! ```
//!
//! - The channels (`&`) are those that handlers name. A pattern must be given as it is:
//!   `&quotes.*` allows `PSUBSCRIBE quotes.*`, but not `PSUBSCRIBE quotes.e*`.
//! - `HELLO` and `AUTH` need no right.
//! - Of the subscribe commands, those for channels, patterns (also a template with params) and
//!   sharded channels, with their opposites; a user who may not unsubscribe makes each shutdown
//!   wait for half of its deadline.
//! - `CLIENT TRACKING` is for handlers with `invalidate`, which need `UNSUBSCRIBE` as well: its
//!   confirmation is the sign that invalidations come this way. Neither asks for a right to the
//!   keys: who may track is told their names.
//! - `CLIENT SETINFO` is sent by redis-rs once for each connection; it may be denied, which shows in
//!   `ACL LOG`. Redis 7.0 does not know it, and refuses the rule.
//! - Redis before 7.0 has no sharded channels, and refuses the rules for their two commands.
//! - [`Subscriber::client_name`] adds `+client|setname`, a database in the URL `+select`, and
//!   [`Subscriber::attach`] `+client|id` and, with `invalidate`, `+client|trackinginfo`.
//! - Handlers that answer, or take the [`Publisher`], add `+publish` (for sharded channels
//!   `+spublish`) and the channels that they publish on. With a [`Subscriber::publisher`] of its own
//!   that may be another user.
//!
//! # Features
//!
//! None is on by default, and each goes with the others.
//!
//! - `collect` registers every [`push_handler`](macro@push_handler), so that a program need not list
//!   its handlers: `Router::collected` has all that are linked into it. Without it nothing is
//!   registered.
//! - `rustls` adds TLS: `rediss://` URLs and [`Subscriber::tls`], on either link. It is rustls with
//!   the crypto provider that the process has set
//!   (`rustls::crypto::CryptoProvider::install_default`), else with *ring*, whose build needs a C
//!   compiler and no other tool. It trusts the system's authorities, which are read at `start`
//!   (`SSL_CERT_FILE` and `SSL_CERT_DIR` are heeded), or those of [`Tls::root_certificate`].
//!   For a client of redis-rs that does TLS by itself, *ring* becomes the provider of the process
//!   where there is none.
//! - `native-tls` adds the same by the TLS library of the system: OpenSSL on Linux, whose headers
//!   the build needs (on Debian, `libssl-dev` and `pkg-config`), and the system's own on macOS and
//!   Windows. With `rustls` on as well, rustls is used.
//! - `msgpack` adds MessagePack, by the crate `rmp-serde`: `codec = msgpack` for message types, and
//!   the extractor `MsgPack`.
//! - `testing` adds `testing::Broker`, an in-process RESP3 server for tests and examples. It is
//!   no Redis.

mod broadcast;
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
mod publish;
mod push;
mod router;
mod session;
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
pub use connection::{Credentials, Endpoint, Tls};
pub use error::{BoxError, Error, Fault, Rejection, Result};
#[cfg(feature = "msgpack")]
pub use extract::MsgPack;
pub use extract::{
    AnyState, ChannelName, FromGap, FromPush, FromRef, Invalidation, Json, KeyEvent,
    MatchedPattern, Param, State, Text,
};
pub use failure::{Failure, FailureHook, FailureKind, FailureSink};
pub use gap::{Gap, GapCause, Missed};
pub use handler::{GapHandler, Handler, IntoAnswer, IntoOutcome, Spec};
pub use health::{Health, HealthChanges, HealthReason, NotConfirmed, Stall};
pub use message::{Codec, MessageDescriptor, PushMessage, ToPayload};
pub use publish::{Answer, Publish, Publishable, Publisher, Publishing};
pub use push::{ConnectionEvent, OwnedPush, Push, RawPush};
pub use router::{HandlerWiring, Mount, Router, SubscriptionWiring, Wiring};
pub use subscriber::{Handle, ShutdownReport, Subscriber};
pub use subscription::{Kind, Subscription, TemplateError};
pub use telemetry::{FailureStats, FeedStats, HandlerStats, Stats};
