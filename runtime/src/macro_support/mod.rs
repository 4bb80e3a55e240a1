//! What generated code calls: one function per idea. No public API.

mod argument_checks;
pub mod collect;
mod const_str;
mod params;
mod payload;
pub mod stand_in;

pub use crate::broadcast::Overflow;
pub use crate::error::Rejection;
pub use crate::extract::{
    AnyState, Borrowed, Copied, FromGap, FromPush, FromText, Param, Parsed, param,
};
pub use crate::gap::Gap;
pub use crate::handler::{GapHandler, Handler, Spec};
pub use crate::message::{Codec, MessageDescriptor, PushMessage, ToPayload};
pub use crate::publish::{Answer, Publishable};
pub use crate::push::Push;
pub use crate::router::Mount;
pub use crate::subscription::{Kind, Segment, Subscription};
pub use argument_checks::ArgumentChecks;
pub use params::{NamedParam, channel, param_arg, params};
pub use payload::{FromBytes, bytes, coded, json, text, to_bytes, to_coded, to_json, to_text};
pub use serde;
pub use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use std::borrow::Cow;

pub use crate::__collect as collect;
use crate::error::Fault;
pub use crate::error::Result as Written;
#[cfg(feature = "msgpack")]
pub use crate::extract::MsgPackCodec;
use crate::handler::{IntoAnswer, IntoOutcome};

/// How a delivery ended, under a name that no `Result` of the user's shadows.
pub type Handled = Result<(), Fault>;

/// What a message is taken to be, by the same token.
pub type Taken<T> = Result<T, Rejection>;

/// What serde makes of a value, likewise.
pub type Made<T, E> = Result<T, E>;

/// Takes one argument.
pub fn arg<'p, T: FromPush<'p, S>, S>(push: Push<'p>, state: &'p S) -> Result<T, Fault> {
    T::from_push(push, state).map_err(Fault::Rejected)
}

/// Takes one argument of a gap handler.
pub fn gap_arg<'p, T: FromGap<'p, S>, S>(gap: &'p Gap, state: &'p S) -> Result<T, Fault> {
    T::from_gap(gap, state).map_err(Fault::Rejected)
}

/// Turns what a function returned into how it ended.
pub fn outcome<R: IntoOutcome>(returned: R) -> Handled {
    returned.into_outcome().map_err(Fault::Failed)
}

/// Says how a delivery ended, and what is to be published.
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

/// Gathers what is mounted.
#[must_use]
pub fn mounts<S, const N: usize>(mounts: [Mount<S>; N]) -> Vec<Mount<S>> {
    mounts.into()
}
