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
//! The macro writes the decoder and the registration. The runtime owns the connection, gives every handler
//! its own buffer, reconnects after every outage, and notifies a handler when it may have missed messages.
//!
//! # Guide
//!
//! The [guide] has a page for each question. In this order they lead from the first program to a service in
//! production.
//!
//! | page | question |
//! | --- | --- |
//! | [start](guide::start) | How does a first program look, and what happens in it? |
//! | [extractors](guide::extractors) | What can a handler listen to, and what can it take and return? |
//! | [messages](guide::messages) | How does a type name its channel, and how is it published? |
//! | [gaps](guide::gaps) | How does a program find out that messages are missing? |
//! | [handlers or streams](guide::handlers_or_streams) | When is a subscription a handler, and when a stream? |
//! | [policies](guide::policies) | What happens when messages come too fast, take too long or fail? |
//! | [routers](guide::routers) | How are handlers spread over modules, and named at run time? |
//! | [in a web service](guide::in_a_web_service) | How do browsers receive messages? |
//! | [caching](guide::caching) | How are values of keys kept in this process? |
//! | [testing](guide::testing) | How is an application tested? |
//! | [observability](guide::observability) | How does an operator see that it works? |
//! | [traces](guide::traces) | How is a message followed from process to process? |
//! | [deployment](guide::deployment) | What do the server and its user need? |
//! | [the compiler said](guide::the_compiler_said) | What does a compile error mean? |
//! | [comparison](guide::comparison) | What do other crates do better, and what worse? |
//! | [coming from](guide::coming_from) redis-rs, fred or FastStream | How is code for these rewritten? |
//! | [promises](guide::promises) | What is guaranteed, how is it tested, and what is not guaranteed? |
//! | [speed](guide::speed) | How fast is it, compared with others? |
//!
//! # The parts
//!
//! - A **handler** is an async function with [`#[push_handler]`](macro@push_handler). It stays an
//!   ordinary function. [`handlers!`] lists the handlers to mount.
//! - Its **arguments** are extracted from the push ([`FromPush`]). At most one is the message: a
//!   [`PushMessage`], [`Json`], [`Text`], [`Bytes`], `&str` or `&[u8]`, or an `Arc` of one, which is
//!   decoded once for all handlers of its name. The others are [`State`], [`Publisher`], [`Param`],
//!   [`ChannelName`], [`MatchedPattern`], or types of your own. Arguments may borrow from the push: nothing
//!   is copied on the way to the function's body. [`KeyEvent`] is the event of a key, [`Invalidation`] a key
//!   that a cache must drop, and [`ConnectionEvent`] a change of the connection.
//! - Its **return value** is the outcome of the delivery, or an answer to publish: [`Publish`].
//! - An [`Address`] is the channels of a message type with their params filled in, such as
//!   `Quote::at("ACME")`. A handler can be [mounted on](Mount::on) one.
//! - A [`Publisher`] sends messages: a handler of the same type reads what it writes.
//! - A [`Subscriber`] connects, subscribes and calls the handlers. [`Subscriber::start`] returns a
//!   [`Handle`] with [`stats`](Handle::stats), [`health`](Handle::health), [`pushes`](Handle::pushes) and
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
//! - A [`FailureHook`], such as a [`FailureSink`], receives every delivery that did not succeed.
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
//! - A `rediss://` connection is always encrypted, and the server is always authenticated. If either fails,
//!   connecting fails. No log, error or `Debug` output shows a password or a key.
//!
//! [`Stats`] accounts for every message that has arrived. What is not guaranteed, and how all this is
//! tested, is on the page [promises](guide::promises).
//!
#![doc = include_str!("../docs/features.md")]
//!
#![doc = include_str!("../docs/versions.md")]
// The docs say which feature an item needs. rustdoc derives it from the `cfg` of the item.
#![cfg_attr(docsrs, feature(doc_cfg))]

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
#[cfg(any(doc, doctest))]
pub mod guide;
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
    Event, EventStream, MessageStream, StreamEnd, Subscribable, Subscribe, Subscribing, Update,
    UpdateStream,
};
pub use subscriber::{Handle, MountGuard, ShutdownReport, Subscriber, WeakHandle};
pub use subscription::{Kind, Subscription, TemplateError};
pub use telemetry::{
    CacheStats, FailureStats, FeedStats, GapCounts, HandlerStats, NameStats, NodeRole,
    NodeTopology, Propagator, Relation, SentinelTopology, Spans, StateStats, Stats, StreamStats,
    TimingStats, Timings, Topology, TraceParent,
};
pub use tracing;
