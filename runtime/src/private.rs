//! What generated code calls: one function per idea. No public API.

#[path = "private/collect.rs"]
pub mod collect;
#[path = "private/plain.rs"]
pub mod plain;
#[path = "private/takes.rs"]
mod takes;

use std::str::FromStr;

pub use std::borrow::Cow;

pub use serde;
pub use serde::Deserialize;

pub use crate::__collect as collect;
pub use crate::extract::{AnyState, FromPush, Message, Rejection};
pub use crate::gap::{FromGap, Gap, GapHandler};
pub use crate::handler::Handler;
pub use crate::keeper::TaskName;
pub use crate::message::PushMessage;
pub use crate::mount::Mount;
pub use crate::push::Push;
pub use crate::spec::{Overflow, Spec};
pub use crate::subscription::{Kind, Subscription};
pub use crate::template::Segment;
pub use takes::Takes;

use crate::extract::BoxError;
use crate::handler::{Fault, IntoOutcome};

/// How a delivery ended, under a name that no `Result` of the user's shadows.
pub type Handled = Result<(), Fault>;

/// What a message is taken to be, by the same token.
pub type Taken<T> = Result<T, Rejection>;

/// Takes one argument.
pub fn arg<'p, T: FromPush<'p, S>, S>(push: Push<'p>, state: &'p S) -> Result<T, Fault> {
    T::from_push(push, state).map_err(Fault::Rejected)
}

/// Takes one argument of a gap handler.
pub fn gap_arg<'p, T: FromGap<'p, S>, S>(gap: &'p Gap, state: &'p S) -> Result<T, Fault> {
    T::from_gap(gap, state).map_err(Fault::Rejected)
}

/// Turns what the function returned into how the delivery ended.
pub fn outcome<R: IntoOutcome>(returned: R) -> Handled {
    returned.into_outcome().map_err(Fault::Failed)
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

/// Reads the payload as JSON, for the message type of that name.
pub fn json<'p, T>(
    push: Push<'p>,
    name: &'static str,
    read: impl FnOnce(&mut crate::extract::JsonReader<'p>) -> serde_json::Result<T>,
) -> Taken<T> {
    crate::extract::read_json(push, || name, read)
}

/// The text of each param in the push's channel name, in the order of `names`.
///
/// The subscription's own template is asked first: a mount may have changed it. The type's knows
/// nothing of a prefix.
pub fn params<'p, const N: usize>(
    push: Push<'p>,
    of_type: &Subscription,
    names: [&str; N],
) -> Result<[&'p str; N], Rejection> {
    let channel = push.channel_str()?;
    let by = push.subscription();
    let found = match (by.params(), of_type.params()) {
        (Some(own), _) => own.capture(channel, names),
        (None, Some(of_type)) => of_type.capture(by.without_prefix(channel), names),
        (None, None) => None,
    };
    found.ok_or_else(|| Rejection::unmatched("the channel is not of the template"))
}

/// Fills a field from a param. `Via` keeps borrowed and parsed fields apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be filled from a channel name",
    label = "no `FromStr` for this type",
    note = "implement `std::str::FromStr` for `{Self}`, or let the field be a `&str`, a `Cow<str>` or a `String`"
)]
pub trait FromParam<'p, Via>: Sized {
    /// Takes the value from the text in the channel name.
    fn from_param(name: &'static str, text: &'p str) -> Result<Self, Rejection>;
}

/// Marks fields that borrow from the channel name.
#[derive(Debug)]
pub enum Borrowed {}

/// Marks fields that are parsed from the channel name.
#[derive(Debug)]
pub enum Parsed {}

impl<'p> FromParam<'p, Borrowed> for &'p str {
    fn from_param(_name: &'static str, text: &'p str) -> Result<Self, Rejection> {
        Ok(text)
    }
}

impl<'p> FromParam<'p, Borrowed> for Cow<'p, str> {
    fn from_param(_name: &'static str, text: &'p str) -> Result<Self, Rejection> {
        Ok(Cow::Borrowed(text))
    }
}

#[diagnostic::do_not_recommend]
impl<'p, T: FromStr<Err: Into<BoxError>>> FromParam<'p, Parsed> for T {
    fn from_param(name: &'static str, text: &'p str) -> Result<Self, Rejection> {
        text.parse().map_err(|error: T::Err| {
            let wanted = std::any::type_name::<T>();
            let reason = format!("the param `{name}` of the channel name is no `{wanted}`");
            Rejection::caused_by(reason, error)
        })
    }
}

/// The field of a param, by whichever way its type takes.
pub fn param<'p, T: FromParam<'p, Via>, Via>(
    name: &'static str,
    text: &'p str,
) -> Result<T, Rejection> {
    T::from_param(name, text)
}
