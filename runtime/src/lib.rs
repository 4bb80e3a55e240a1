//! Annotate an async function and it becomes a typed, live subscription to what
//! Redis or Valkey pushes over RESP3.

mod backoff;
mod batch;
mod delivery;
mod error;
mod extract;
mod feed;
mod gap;
mod handle;
mod handler;
mod link;
mod log;
mod message;
mod mount;
mod outcome;
mod push;
mod raw;
mod ring;
mod routes;
mod settings;
mod shutdown;
mod start;
mod stats;
mod subscriber;
mod subscription;
mod supervisor;
mod template;

#[cfg(feature = "testing")]
pub mod testing;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use bytes::Bytes;
pub use redis;

pub use error::{Error, Result};
pub use extract::{
    AnyState, BoxError, ChannelName, FromPush, FromRef, Json, MatchedPattern, Message, Rejection,
    State, Text,
};
pub use gap::{FromGap, Gap, GapCause, GapHandler, Missed};
pub use handle::{Handle, ShutdownReport};
pub use handler::{Fault, Handler, IntoOutcome, Spec};
pub use message::PushMessage;
pub use mount::Mount;
pub use push::{OwnedPush, Push};
pub use raw::RawPush;
pub use stats::{FeedStats, HandlerStats, Stats};
pub use subscriber::Subscriber;
pub use subscription::{Kind, Subscription};
pub use template::TemplateError;
