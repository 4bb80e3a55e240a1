//! What a handler may take as an argument: one idea a file.

mod bytes;
mod channel_name;
mod connection_event;
mod invalidation;
mod json;
mod key_event;
mod matched_pattern;
mod optional;
mod param;
mod publisher;
mod rejection;
mod state;
mod text;

pub use channel_name::ChannelName;
pub use connection_event::ConnectionEvent;
pub use invalidation::Invalidation;
pub use json::Json;
pub(crate) use json::{Reader as JsonReader, read as read_json};
pub use key_event::KeyEvent;
pub use matched_pattern::MatchedPattern;
pub use param::Param;
pub use rejection::{BoxError, Rejection};
pub use state::{AnyState, FromRef, State};
pub use text::Text;

use crate::push::Push;
use crate::source::Source;
use crate::subscription::Subscription;

/// What can be an argument of a push handler.
///
/// `'p` is the life of one delivery: what is taken from the push may borrow from it. `S` is the
/// state of the [`Subscriber`](crate::Subscriber).
///
/// ```
/// use redis_push::{FromPush, Push, Rejection, push_handler};
///
/// /// How long the payload is.
/// struct Length(usize);
///
/// impl<'p, S> FromPush<'p, S> for Length {
///     fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
///         Ok(Self(push.payload().len()))
///     }
/// }
///
/// #[push_handler(channel = "blobs")]
/// async fn on_blob(length: Length) {
///     println!("{} bytes", length.0);
/// }
/// # let _ = redis_push::handlers![on_blob] as Vec<redis_push::Mount<()>>;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used as a push handler argument; for the payload take `Json<{Self}>` or `Text<{Self}>`",
    label = "no `FromPush` for this type",
    note = "as they are, bytes and text are taken as `Bytes`, `&[u8]` or `&str`",
    note = "an extractor for one state needs `#[push_handler(state = App)]`",
    note = "a message type of your own needs `#[derive(PushMessage)]`; shared data is taken as `State<{Self}>`"
)]
pub trait FromPush<'p, S>: Sized {
    /// What makes this argument the handler's one message; `None` for what goes beside it.
    const MESSAGE: Option<Message> = None;
    /// Whether the argument is rejected where no pattern was matched, so that the macros can say it
    /// at compile time.
    #[doc(hidden)]
    const NEEDS_PATTERN: bool = false;
    /// Whether the argument is of a channel, likewise.
    #[doc(hidden)]
    const NEEDS_CHANNEL: bool = false;

    /// Takes the argument from a push.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] ends the delivery before the handler's body runs: it is counted `rejected`,
    /// or `unmatched` where the push was not meant for this handler.
    fn from_push(push: Push<'p>, state: &'p S) -> Result<Self, Rejection>;
}

/// What the macros ask of a handler's message at compile time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Message {
    /// What the type itself says that it is published on; empty for a payload of any channel.
    pub subscriptions: &'static [Subscription],
    /// The names of the fields, for options that name one.
    pub fields: &'static [&'static str],
    /// How the payload is read, such as `json`; empty where the type does not say.
    pub codec: &'static str,
    /// The name of the type, where it names its channel: two of them do not go together on one.
    pub(crate) type_name: Option<fn() -> &'static str>,
    pub(crate) source: Source,
}

impl Message {
    /// A payload of any channel.
    pub const PAYLOAD: Self = Self::payload("");

    /// A payload of any channel, and how it is read, as the [wiring](crate::Wiring) is to say it:
    /// `json`, `text`, `bytes` or a word of your own.
    #[must_use]
    pub const fn payload(codec: &'static str) -> Self {
        Self {
            subscriptions: &[],
            fields: &[],
            codec,
            type_name: None,
            source: Source::Channel,
        }
    }

    /// What not every channel carries, or none.
    pub(crate) const fn from_source(source: Source) -> Self {
        Self {
            source,
            ..Self::PAYLOAD
        }
    }

    /// A [`PushMessage`](crate::PushMessage), which names its channels.
    #[must_use]
    pub const fn of<T: crate::PushMessage>() -> Self {
        Self {
            subscriptions: T::SUBSCRIPTIONS,
            fields: T::FIELDS,
            codec: T::CODEC,
            type_name: Some(std::any::type_name::<T>),
            source: Source::Channel,
        }
    }
}
