//! What generated code calls: one function per idea. No public API.

#[path = "private/collect.rs"]
pub mod collect;
#[path = "private/params.rs"]
mod params;
#[path = "private/payload.rs"]
mod payload;
#[path = "private/plain.rs"]
pub mod plain;
#[path = "private/takes.rs"]
mod takes;
#[path = "private/words.rs"]
mod words;

pub use std::borrow::Cow;

pub use serde;
pub use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use crate::__collect as collect;
pub use crate::codec::Codec;
pub use crate::error::Result as Written;
pub use crate::extract::{AnyState, FromPush, Message, Param, Rejection};
pub use crate::gap::{FromGap, Gap, GapHandler};
pub use crate::handler::Handler;
pub use crate::keeper::TaskName;
pub use crate::message::PushMessage;
pub use crate::mount::Mount;
#[cfg(feature = "msgpack")]
pub use crate::msgpack::MsgPackCodec;
pub use crate::publish::{Answer, Publishable, ToPayload};
pub use crate::push::Push;
pub use crate::spec::{Overflow, Spec};
pub use crate::subscription::{Kind, Subscription};
pub use crate::template::Segment;
pub use params::{
    Borrowed, Copied, FromText, NamedParam, Parsed, channel, param, param_arg, params,
};
pub use payload::{FromBytes, bytes, coded, json, text, to_bytes, to_coded, to_json, to_text};
pub use takes::Takes;

use crate::handler::{Fault, IntoAnswer, IntoOutcome};

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
