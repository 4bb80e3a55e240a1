//! Annotate an async function and it becomes a typed, live subscription to what
//! Redis or Valkey pushes over RESP3.

mod batch;
mod extract;
mod gap;
mod handler;
mod message;
mod mount;
mod push;
mod subscription;
mod template;

#[cfg(feature = "testing")]
pub mod testing;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use extract::{
    AnyState, BoxError, ChannelName, FromPush, FromRef, Json, MatchedPattern, Message, Rejection,
    State, Text,
};
pub use gap::{FromGap, Gap, GapCause, GapHandler, Missed};
pub use handler::{Fault, Handler, IntoOutcome, Spec};
pub use message::PushMessage;
pub use mount::Mount;
pub use push::{OwnedPush, Push};
pub use subscription::{Kind, Subscription};
pub use template::TemplateError;
