//! Types and traits that extract handler arguments from pushes: the extractors.
//!
//! A handler's argument is any type that implements [`FromPush`]. At most one argument is the
//! message; the others are further parts of the push, or data of the subscriber. Each file has one
//! extractor:
//!
//! | argument | extracted from |
//! | --- | --- |
//! | [`Json`], [`Text`], `MsgPack` | the payload, decoded |
//! | `&str`, `&[u8]`, [`Bytes`](::bytes::Bytes) | the payload as it is |
//! | [`KeyEvent`], [`Invalidation`], [`ConnectionEvent`](crate::ConnectionEvent) | the push as a whole |
//! | [`ChannelName`], [`MatchedPattern`], [`Param`] | the name of the channel |
//! | [`OwnedPush`](crate::OwnedPush) | a copy of the push |
//! | [`State`], [`Publisher`](crate::Publisher) | the subscriber |
//! | [`Extension`] | a layer |
//! | [`TraceParent`](crate::TraceParent) | the beginning of the payload |
//! | `Arc<T>` | another extractor, whose value all readers of the message share |
//! | `Option<T>`, `Result<T, Rejection>` | another extractor, whose rejection the handler accepts |
//!
//! Types with `#[derive(PushMessage)]` implement [`FromPush`] through the functions in
//! `macro_support`. Arguments of gap handlers implement [`FromGap`] instead.
//!
//! # In and out
//!
//! Generated handlers call the extractors in the order of the arguments, once for each delivery,
//! and `delivery` turns a [`Rejection`] into an outcome: `rejected`, or `unmatched`. The constants
//! of [`FromPush`] go to `macro_support`, which checks the arguments at compile time.
//!
//! # Invariants
//!
//! - Extractors are synchronous and borrow from the push where they can. What they borrow lives as
//!   long as the delivery (`'p`).
//! - The text of a [`Rejection`] does not quote the payload, because it goes into logs. Its source
//!   may.
//! - No extractor is implemented for all references: that would obscure the compiler's error for a
//!   type that is not an extractor.

mod bytes;
mod channel_name;
mod connection_event;
mod extension;
mod from_gap;
mod from_text;
mod invalidation;
mod json;
mod key_event;
mod matched_pattern;
#[cfg(feature = "msgpack")]
mod msgpack;
mod optional;
mod owned_push;
mod param;
mod publisher;
mod shared;
mod state;
mod text;
mod text_error;
mod trace_parent;

pub use channel_name::ChannelName;
pub use extension::Extension;
pub use from_gap::FromGap;
pub use from_text::{Borrowed, Conversion, ConvertByFrom, Copied, FromText, Parsed, param};
pub use invalidation::Invalidation;
pub use json::Json;
pub(crate) use json::{Reader as JsonReader, read as read_json};
pub use key_event::KeyEvent;
pub use matched_pattern::MatchedPattern;
#[cfg(feature = "msgpack")]
pub use msgpack::{MsgPack, MsgPackCodec};
#[cfg(feature = "msgpack")]
pub(crate) use msgpack::{Reader as MsgPackReader, read as read_msgpack};
pub use param::Param;
pub use state::{AnyState, FromRef, State};
pub use text::Text;
pub(crate) use text_error::TextError;

use crate::error::Rejection;
use crate::message::MessageDescriptor;
use crate::push::Push;

/// Types that can be used as handler arguments.
///
/// `'p` is the lifetime of one delivery: an argument may borrow from the push. `S` is the state of
/// the [`Subscriber`](crate::Subscriber).
///
/// ```
/// use redis_push::{FromPush, Push, Rejection, push_handler};
///
/// /// The length of the payload.
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
    message = "`{Self}` cannot be used as a push handler argument; a message type needs `#[derive(PushMessage)]`",
    label = "no `FromPush` for this type",
    note = "for the payload as another type take `Json<T>` or `Text<T>`; for its bytes or its text, `Bytes`, `&[u8]` or `&str`",
    note = "shared data is taken as `State<T>`; an extractor for one state needs `#[push_handler(state = App)]`",
    note = "extractors of web frameworks have the same names: is this `redis_push::Json`?"
)]
pub trait FromPush<'p, S>: Sized {
    /// Describes the message if this argument is the handler's message; `None` for all other
    /// arguments.
    const MESSAGE: Option<MessageDescriptor> = None;
    /// Whether the argument requires a pattern subscription. The macros check it at compile time.
    #[doc(hidden)]
    const NEEDS_PATTERN: bool = false;
    /// Whether the argument requires a channel. The macros check it at compile time.
    #[doc(hidden)]
    const NEEDS_CHANNEL: bool = false;

    /// Extracts the argument from a push.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] ends the delivery before the handler's body runs. The delivery is counted
    /// `rejected`, or `unmatched` if the push was not meant for this handler.
    fn from_push(push: Push<'p>, state: &'p S) -> Result<Self, Rejection>;
}
