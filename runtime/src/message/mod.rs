mod codec;
mod descriptor;
mod payload;
mod source;

pub use codec::Codec;
pub use descriptor::MessageDescriptor;
pub use payload::ToPayload;
pub(crate) use source::Source;

use crate::subscription::Subscription;

/// A message type that names what it is published on.
///
/// `#[derive(PushMessage)]` writes it, and the [`FromPush`](crate::FromPush) beside it.
///
/// What is published on a name is one type: handlers that take different ones from it are an error
/// of [`Subscriber::start`](crate::Subscriber::start). [`Json<T>`](crate::Json),
/// [`Text<T>`](crate::Text), text and bytes are other views of the same payload, and go with any.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a push message",
    label = "add `#[derive(PushMessage)]` or take `Json<{Self}>`"
)]
pub trait PushMessage {
    /// What a handler of this type listens to, if it says nothing else.
    const SUBSCRIPTIONS: &'static [Subscription];
    /// The params, and the names of the fields in the payload; empty where they are not known.
    const FIELDS: &'static [&'static str] = &[];
    /// How the payload is written: `json`, `text`, `bytes`, `msgpack`, or the path of a
    /// [`Codec`](crate::Codec).
    const CODEC: &'static str = "json";

    /// Where it is published, as its attribute says it: `quotes.{symbol}`. Of several channels the
    /// first.
    #[must_use]
    fn template() -> String {
        let first = Self::SUBSCRIPTIONS.first();
        first.map(Subscription::text).unwrap_or_default()
    }
}
