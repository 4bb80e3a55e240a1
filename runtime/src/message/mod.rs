//! Message types: what a handler can take as its message, and what can be published.
//!
//! - [`PushMessage`] is a type that names its channels. `#[derive(PushMessage)]` implements it.
//! - [`Address`] is the channels of such a type, with their params filled in, and
//!   [`IntoSubscriptions`] is what a handler can be mounted on: an address or a subscription.
//! - [`MessageDescriptor`] is what the macros know about an argument that is a message, in a
//!   `const`.
//! - [`Source`] is where a message comes from: a channel, a key event, an invalidation or the
//!   connection. Not every subscription carries every source.
//! - [`ToPayload`] encodes a value as a payload, and [`Codec`] does both directions for message
//!   types with an encoding of their own.
//!
//! # In and out
//!
//! The extractors in `extract` and the derive macro supply the descriptors, as `FromPush::MESSAGE`.
//! `macro_support` checks them where the handler is written, and stores them in the handler's
//! `Spec`. `router` checks them again when the subscriber starts, because a mount may have changed
//! the subscriptions. `publish` calls [`ToPayload`]. The derive creates addresses; `router` and
//! `publish` take them.
//!
//! # Invariants
//!
//! - A handler takes at most one message, and all handlers of one name take the same
//!   [`PushMessage`] type. Arguments that name no channel ([`Json`](crate::Json), text, bytes) go
//!   with any type.
//! - A value that is encoded can be decoded again as the same value.
//! - An address has an exact name for each template whose params are filled in. The same params can
//!   be read back from that name.
//! - Nothing here knows a connection or a handler: this is the vocabulary of both directions.

mod address;
mod codec;
mod descriptor;
mod into_subscriptions;
mod payload;
mod source;

pub use address::Address;
pub use codec::Codec;
pub use descriptor::MessageDescriptor;
pub use into_subscriptions::IntoSubscriptions;
pub(crate) use into_subscriptions::Subscribed;
pub use payload::ToPayload;
pub(crate) use source::Source;

use crate::subscription::Subscription;

/// The name of a message type, which is only found out for an error or a comparison.
pub(crate) type TypeName = fn() -> &'static str;

/// A message type that names the channels it is published on.
///
/// `#[derive(PushMessage)]` implements it, together with [`FromPush`](crate::FromPush).
///
/// One name carries one message type: if handlers take different message types from it,
/// [`Subscriber::start`](crate::Subscriber::start) returns an error. [`Json<T>`](crate::Json),
/// [`Text<T>`](crate::Text), text and bytes are other views of the same payload, and go with any
/// type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a push message",
    label = "add `#[derive(PushMessage)]` or take `Json<{Self}>`"
)]
pub trait PushMessage {
    /// The subscriptions of a handler of this type, unless its attribute names others.
    const SUBSCRIPTIONS: &'static [Subscription];
    /// The names of the params and of the payload's fields; empty if they are not known.
    const FIELDS: &'static [&'static str] = &[];
    /// The fields that have other names in the payload than in the type, or several: the field, and its
    /// names in the payload.
    const NAMES: &'static [(&'static str, &'static [&'static str])] = &[];
    /// The codec of the payload: `json`, `text`, `bytes`, `msgpack`, or the path of a
    /// [`Codec`].
    const CODEC: &'static str = "json";

    /// Returns the channel as the type's attribute names it, such as `quotes.{symbol}`. If there
    /// are several channels, returns the first.
    #[must_use]
    fn template() -> String {
        Self::SUBSCRIPTIONS
            .first()
            .map(Subscription::text)
            .unwrap_or_default()
    }
}
