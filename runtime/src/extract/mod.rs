//! What a handler may take as an argument: one idea a file.

mod bytes;
mod channel_name;
mod connection_event;
mod from_gap;
mod from_text;
mod invalidation;
mod json;
mod key_event;
mod matched_pattern;
#[cfg(feature = "msgpack")]
mod msgpack;
mod optional;
mod param;
mod publisher;
mod state;
mod text;

pub use channel_name::ChannelName;
pub use from_gap::FromGap;
pub use from_text::{Borrowed, Copied, FromText, Parsed, param};
pub use invalidation::Invalidation;
pub use json::Json;
pub(crate) use json::{Reader as JsonReader, read as read_json};
pub use key_event::KeyEvent;
pub use matched_pattern::MatchedPattern;
#[cfg(feature = "msgpack")]
pub use msgpack::{MsgPack, MsgPackCodec};
pub use param::Param;
pub use state::{AnyState, FromRef, State};
pub use text::Text;

use crate::error::Rejection;
use crate::message::MessageDescriptor;
use crate::push::Push;

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
    const MESSAGE: Option<MessageDescriptor> = None;
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
