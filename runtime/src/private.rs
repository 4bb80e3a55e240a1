//! What generated code calls: one function per idea. No public API.

use std::borrow::Cow;
use std::str::FromStr;

pub use serde;

use crate::extract::{AnyState, BoxError, FromPush, Message, Rejection};
use crate::gap::FromGap;
use crate::handler::{Fault, Handler, IntoOutcome};
use crate::mount::Mount;
use crate::push::Push;
use crate::subscription::Subscription;

pub use crate::template::Segment;

/// Takes one argument.
pub fn arg<'p, T: FromPush<'p, S>, S>(push: Push<'p>, state: &'p S) -> Result<T, Fault> {
    T::from_push(push, state).map_err(Fault::Rejected)
}

/// Takes one argument of a gap handler.
pub fn gap_arg<'p, T: FromGap<'p, S>, S>(gap: &'p crate::Gap, state: &'p S) -> Result<T, Fault> {
    T::from_gap(gap, state).map_err(Fault::Rejected)
}

/// Turns what the function returned into how the delivery ended.
pub fn outcome(returned: impl IntoOutcome) -> Result<(), Fault> {
    returned.into_outcome().map_err(Fault::Failed)
}

/// Checks an argument type where it is written, for whatever state there will be.
pub const fn check_arg<'p, T: FromPush<'p, AnyState>>() -> Option<Message> {
    T::MESSAGE
}

/// Checks an argument type of a handler that is written for one state.
pub const fn check_arg_of<'p, T: FromPush<'p, S>, S: 'p>() -> Option<Message> {
    T::MESSAGE
}

/// Checks an argument type of a gap handler.
pub const fn check_gap_arg<'p, T: FromGap<'p, AnyState>>() {}

/// Refuses the argument at `index` if one before it is a message too.
#[track_caller]
pub const fn only_message(args: &[Option<Message>], index: usize, text: &'static str) {
    let mut before = 0;
    while args[index].is_some() && before < index {
        assert!(args[before].is_none(), "{}", text);
        before += 1;
    }
}

/// Refuses a handler that says nowhere what it listens to.
#[track_caller]
pub const fn listens(args: &[Option<Message>]) {
    let mut index = 0;
    while index < args.len() {
        if let Some(Message {
            subscription: Some(_),
            ..
        }) = &args[index]
        {
            return;
        }
        index += 1;
    }
    panic!(
        "say what to listen to: `#[push_handler(channel = \"orders\")]` (or `pattern`, `shard`), \
         or take a message type that names its channel"
    );
}

/// What the one message among the arguments listens to.
pub fn own_subscription(args: &[Option<Message>]) -> Option<Subscription> {
    args.iter()
        .flatten()
        .find_map(|message| message.subscription.clone())
}

/// Mounts a handler.
pub fn mount<H: Handler<S>, S: Send + Sync + 'static>(handler: H) -> Mount<S> {
    Mount::new(handler)
}

/// Reads the payload as JSON.
pub fn json<'p, T: serde::Deserialize<'p>>(push: Push<'p>) -> Result<T, Rejection> {
    crate::extract::decode_json(push)
}

/// The text of each param in the push's channel name, in the order of `names`.
///
/// The subscription's own template is asked first: a mount may have changed it.
pub fn params<'p, const N: usize>(
    push: Push<'p>,
    of_type: &Subscription,
    names: [&str; N],
) -> Result<[&'p str; N], Rejection> {
    let channel = push.channel_str()?;
    let template = push.subscription().params().or(of_type.params());
    template
        .and_then(|template| template.capture(channel, names))
        .ok_or_else(|| Rejection::unmatched("the channel is not of the template"))
}

/// Fills a field from a param. `Via` keeps borrowed and parsed fields apart.
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
