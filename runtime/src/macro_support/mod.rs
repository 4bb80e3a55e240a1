//! Support for generated code. Not public API.
//!
//! The macros generate little code: each step is a call to a function of this module, which they
//! reach as `redis_push::__private`. A generated handler looks about like this:
//!
//! ```text
//! const CHECKS = ArgumentChecks::EXACT ── arg::<T>() for each argument ── listens()
//! fn spec()    = CHECKS.spec(..).on(Subscription::from_static(..))
//! fn handle()  = send(answer(user_fn(arg(push, state)?, ..).await), push).await
//! ```
//!
//! - [`ArgumentChecks`] checks the signature in a `const`, and creates the `Spec`.
//! - [`ConstName`] is a name to listen to that is a constant, and its subscription.
//! - [`arg`], [`param_arg`] and [`gap_arg`] extract arguments; [`outcome`], [`answer`] and [`send`]
//!   convert what the function returned.
//! - [`json`], [`text`], [`bytes`], [`coded`] and their `to_` counterparts decode and encode the
//!   payload of a message type, [`traced_json`] one that may carry a trace context; [`params()`] and [`channel()`] do so with the params of its
//!   channel, and [`Address::new`] creates an address from them.
//! - [`mount`], [`mounts`] and [`stand_in`] belong to `handlers!`, and [`collect`](mod@collect)
//!   registers a handler.
//!
//! # In and out
//!
//! Only generated code calls this module, so it may use every other module, and no other module
//! uses it. The rest are re-exports under paths that the macros can rely on.
//!
//! # Invariants
//!
//! - The macros crate requires exactly this version, so anything here may change in any release.
//!   The paths must match the macros.
//! - Compile errors show the names and the bounds of these functions. Their messages are part of
//!   the user interface, and the UI tests compare them.
//! - A function here is generic over the user's types, so it is small.

mod addresses;
mod argument_checks;
pub mod collect;
mod const_name;
mod const_params;
mod const_pieces;
mod const_segments;
mod const_str;
mod namesakes;
mod params;
mod payload;
pub mod stand_in;
mod traced;

pub use crate::__collect as collect;
pub use crate::__rename_with_push_at as rename_with_push_at;
pub use crate::broadcast::Overflow;
pub use crate::error::{Rejection, Result as Written};
#[cfg(feature = "msgpack")]
pub use crate::extract::MsgPackCodec;
pub use crate::extract::{
    AnyState, Borrowed, Conversion, ConvertByFrom, Copied, FromGap, FromPush, FromText, Param,
    Parsed, param,
};
pub use crate::gap::Gap;
pub use crate::handler::{GapHandler, Handler, OnError, Retry, Spec};
pub use crate::message::{Address, Codec, MessageDescriptor, PushMessage, ToPayload};
pub use crate::publish::{Answer, Publishable};
pub use crate::push::Push;
pub use crate::router::Mount;
pub use crate::subscription::{Kind, Segment, Subscription};
pub use crate::telemetry::Carrier;
pub use argument_checks::ArgumentChecks;
pub use const_name::ConstName;
pub use namesakes::check_gap_state_arg;
pub use params::{NamedParam, channel, param_arg, param_text, params};
pub use payload::{
    FromBytes, Ignored, bytes, coded, json, payload_text, text, to_bytes, to_coded, to_json,
    to_text,
};
pub use redis_push_macros::beside;
pub use serde;
pub use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use std::borrow::Cow;
#[cfg(feature = "msgpack")]
pub use traced::traced_msgpack;
pub use traced::{Traced, traced_json};

use crate::error::Fault;
use crate::handler::{IntoAnswer, IntoOutcome};

// Generated code uses these names because the user may have a `Result` of their own in scope.

/// The result of a delivery.
pub type Handled = Result<(), Fault>;

/// The result of extracting a message.
pub type Taken<T> = Result<T, Rejection>;

/// The result of a function of serde.
pub type Made<T, E> = Result<T, E>;

/// Extracts one argument.
pub fn arg<'p, T: FromPush<'p, S>, S>(push: Push<'p>, state: &'p S) -> Result<T, Fault> {
    T::from_push(push, state).map_err(Fault::Rejected)
}

/// Extracts one argument of a gap handler.
pub fn gap_arg<'p, T: FromGap<'p, S>, S>(gap: &'p Gap, state: &'p S) -> Result<T, Fault> {
    T::from_gap(gap, state).map_err(Fault::Rejected)
}

/// Converts the return value of a function into the result of a delivery.
pub fn outcome<R: IntoOutcome>(returned: R) -> Handled {
    returned.into_outcome().map_err(Fault::Failed)
}

/// Converts the return value of a function into the answer to publish, if there is one.
pub fn answer<R: IntoAnswer>(returned: R) -> Result<Answer, Fault> {
    returned.into_answer().map_err(Fault::Failed)
}

/// Publishes an answer, if there is one.
pub async fn send(answer: Result<Answer, Fault>, push: Push<'_>) -> Handled {
    answer?.send(push).await.map_err(Fault::Failed)
}

/// Checks an argument type of a gap handler.
pub const fn check_gap_arg<'p, T: FromGap<'p, S>, S>() {}

/// Mounts a handler.
pub fn mount<H: Handler<S>, S: Send + Sync + 'static>(handler: H) -> Mount<S> {
    Mount::new(handler)
}

/// Collects mounts into the list that `handlers!` returns.
#[must_use]
pub fn mounts<S, const N: usize>(mounts: [Mount<S>; N]) -> Vec<Mount<S>> {
    mounts.into()
}
