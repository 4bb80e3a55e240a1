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
//! - A [`Subscriber`] connects, subscribes and calls. [`Subscriber::start`] gives a [`Handle`] with
//!   [`stats`](Handle::stats), [`pushes`](Handle::pushes) and [`shutdown`](Handle::shutdown).
//! - A [`Gap`] says that messages may be missing. A function with
//!   [`#[gap_handler]`](macro@gap_handler), named by `on_gap`, is told of it in the handler's own
//!   stream.
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
//! - a payload that does not decode, an error and a panic end one delivery, not the handler.
//!
//! [`Stats`] accounts for every message that has arrived.
//!
//! # Logs
//!
//! What goes wrong is logged by `tracing`, with the target `redis_push`; without a subscriber of
//! yours nothing is printed. A payload that does not decode, an error and a panic are logged at most
//! once a second for each handler, without the payload.
//!
//! # Features
//!
//! - `testing` adds `testing::Broker`, an in-process RESP3 server for tests and examples. It is
//!   no Redis.

mod assemble;
mod attempt;
mod backoff;
mod batch;
mod delivery;
mod error;
mod extract;
mod feed;
mod gap;
mod gate;
mod handle;
mod handler;
mod link;
mod log;
mod message;
mod mount;
mod order;
mod outcome;
mod pool;
mod push;
mod raw;
mod ring;
mod routes;
mod settings;
mod shutdown;
mod spec;
mod start;
mod stats;
mod subscriber;
mod subscription;
mod supervisor;
mod template;
mod worker;

#[cfg(feature = "testing")]
pub mod testing;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#[cfg(feature = "__fuzz")]
#[doc(hidden)]
#[path = "fuzz/mod.rs"]
pub mod __fuzz;

pub use bytes::Bytes;
pub use redis;
pub use redis_push_macros::{PushMessage, gap_handler, handlers, push_handler};

pub use error::{Error, Result};
pub use extract::{
    AnyState, BoxError, ChannelName, FromPush, FromRef, Json, MatchedPattern, Message, Rejection,
    State, Text,
};
pub use gap::{FromGap, Gap, GapCause, GapHandler, Missed};
pub use handle::{Handle, ShutdownReport};
pub use handler::{Fault, Handler, IntoOutcome};
pub use message::PushMessage;
pub use mount::Mount;
pub use push::{OwnedPush, Push};
pub use raw::RawPush;
pub use spec::{Overflow, Spec};
pub use stats::{FeedStats, HandlerStats, Stats};
pub use subscriber::Subscriber;
pub use subscription::{Kind, Subscription};
pub use template::TemplateError;
