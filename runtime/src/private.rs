//! What generated code calls: one function per idea. No public API.

use std::marker::PhantomData;
use std::str::FromStr;

pub use std::borrow::Cow;

pub use serde;
pub use serde::Deserialize;

pub use crate::extract::{AnyState, FromPush, Message, Rejection};
pub use crate::gap::{FromGap, Gap, GapHandler};
pub use crate::handler::{Handler, Spec};
pub use crate::message::PushMessage;
pub use crate::mount::Mount;
pub use crate::push::Push;
pub use crate::subscription::{Kind, Subscription};
pub use crate::template::Segment;

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

/// Checks the argument types of a handler, in their order, where they are written.
///
/// It runs in a `const`: a rule that is broken is told at the argument that breaks it, mounted or
/// not.
pub struct Takes<S> {
    listens: Listens,
    message: Option<&'static Message>,
    needs_pattern: bool,
    state: PhantomData<fn(S)>,
}

#[derive(Clone, Copy, Debug)]
enum Listens {
    AsTheMessage,
    ByExactName,
    ByPattern,
}

impl<S> Takes<S> {
    /// For a handler whose attribute names an exact channel.
    pub const EXACT: Self = Self::new(Listens::ByExactName);
    /// For a handler whose attribute names a pattern or a template with params.
    pub const PATTERN: Self = Self::new(Listens::ByPattern);
    /// For a handler that listens to what its message type names.
    pub const OWN: Self = Self::new(Listens::AsTheMessage);

    const fn new(listens: Listens) -> Self {
        Self {
            listens,
            message: None,
            needs_pattern: false,
            state: PhantomData,
        }
    }

    /// Checks one argument, whose type is written like that.
    #[track_caller]
    pub const fn arg<'p, T: FromPush<'p, S>>(&mut self, written: &str) {
        if let Some(message) = Probe::<T, S>::MESSAGE {
            if self.message.is_some() {
                panic_with(["a handler takes one message; `", written, "` is the second"]);
            }
            self.message = Some(message);
        }
        self.needs_pattern |= T::NEEDS_PATTERN;
        if T::NEEDS_PATTERN && matches!(self.listens, Listens::ByExactName) {
            no_pattern();
        }
    }

    /// Refuses a handler that says nowhere what it listens to.
    #[track_caller]
    #[must_use]
    pub const fn listens(self) -> Self {
        let Some(Message {
            subscription: Some(subscription),
            ..
        }) = self.message
        else {
            panic!(
                "say what to listen to: `#[push_handler(channel = \"orders\")]` (or `pattern`, \
                 `shard`), or take a message type that names its channel"
            );
        };
        if self.needs_pattern && !subscription.is_pattern() {
            no_pattern();
        }
        self
    }

    /// Refuses a template that lacks a param of the message: no push would ever match.
    #[track_caller]
    pub const fn fills(&self, params: &[&str]) {
        let Some(Message {
            subscription: Some(subscription),
            ..
        }) = self.message
        else {
            return;
        };
        let Some(template) = subscription.params() else {
            return;
        };
        let mut rest = template.static_segments();
        while let [first, others @ ..] = rest {
            if let Segment::Param(Cow::Borrowed(name)) | Segment::Rest(Cow::Borrowed(name)) = first
                && !contains(params, name)
            {
                panic_with([
                    "the message is filled from the param `{",
                    name,
                    "}`, which is not in this channel",
                ]);
            }
            rest = others;
        }
    }

    /// What the message type names.
    pub fn subscription(&self) -> Subscription {
        self.message
            .and_then(|message| message.subscription.clone())
            .expect("`listens` has found it at compile time")
    }
}

const fn contains(names: &[&str], wanted: &str) -> bool {
    let mut rest = names;
    while let [first, others @ ..] = rest {
        if same(first.as_bytes(), wanted.as_bytes()) {
            return true;
        }
        rest = others;
    }
    false
}

const fn same(mut one: &[u8], mut other: &[u8]) -> bool {
    while let ([a, one_rest @ ..], [b, other_rest @ ..]) = (one, other) {
        if *a != *b {
            return false;
        }
        (one, other) = (one_rest, other_rest);
    }
    one.is_empty() && other.is_empty()
}

/// A `const` cannot format: the text is put together by hand.
#[track_caller]
const fn panic_with(parts: [&str; 3]) -> ! {
    let mut text = [0; 256];
    let mut end = 0;
    let mut part = 0;
    while part < parts.len() {
        let mut at = 0;
        while at < parts[part].len() && end < text.len() {
            text[end] = parts[part].as_bytes()[at];
            (at, end) = (at + 1, end + 1);
        }
        part += 1;
    }
    match std::str::from_utf8(text.split_at(end).0) {
        Ok(text) => panic!("{}", text),
        // A long name was cut within a character.
        Err(_) => panic!("{}", parts[0]),
    }
}

#[track_caller]
const fn no_pattern() -> ! {
    panic!(
        "no pattern is matched in a handler of one exact channel; remove the `MatchedPattern`, or \
         take an `Option` of it where the mount may set a pattern"
    );
}

/// An argument's message as a reference, so that the checks drop nothing at compile time.
struct Probe<T, S>(PhantomData<(T, S)>);

impl<'p, T: FromPush<'p, S>, S> Probe<T, S> {
    const MESSAGE: &'static Option<Message> = &T::MESSAGE;
}

/// Checks an argument type of a gap handler.
pub const fn check_gap_arg<'p, T: FromGap<'p, S>, S>() {}

/// Mounts a handler.
pub fn mount<H: Handler<S>, S: Send + Sync + 'static>(handler: H) -> Mount<S> {
    Mount::new(handler)
}

/// Gathers what is mounted.
pub fn mounts<S, const N: usize>(mounts: [Mount<S>; N]) -> Vec<Mount<S>> {
    mounts.into()
}

/// Stand-ins for the types that plain functions do not have.
///
/// `use plain::*; use the::path as __Handler;` takes the stand-in only where `path` names a
/// function and no type.
pub mod plain {
    use super::{Gap, GapHandler, Handled, Handler, Push, Spec};

    /// Says that a type is no stand-in.
    pub trait Annotated {
        /// Whether an attribute has made the type; the stand-ins' own constant hides this one.
        const IS_HANDLER: bool = true;
    }

    impl<T> Annotated for T {}

    /// Stands for what `#[push_handler]` would have made.
    #[derive(Debug)]
    pub struct __Handler {}

    impl __Handler {
        /// See [`Annotated`].
        pub const IS_HANDLER: bool = false;
    }

    #[diagnostic::do_not_recommend]
    impl<S: Sync> Handler<S> for __Handler {
        fn spec(&self) -> Spec {
            Spec::new("")
        }

        async fn handle(&self, _push: Push<'_>, _state: &S) -> Handled {
            Ok(())
        }
    }

    #[diagnostic::do_not_recommend]
    impl<S: Sync> GapHandler<S> for __Handler {
        async fn handle(&self, _gap: &Gap, _state: &S) -> Handled {
            Ok(())
        }
    }
}

/// Reads the payload as JSON, for the message type of that name.
pub fn json<'p, T>(
    push: Push<'p>,
    name: &'static str,
    read: impl FnOnce(&mut crate::extract::JsonReader<'p>) -> serde_json::Result<T>,
) -> Taken<T> {
    crate::extract::read_json(push, name, read)
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
