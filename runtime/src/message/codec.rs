use serde::{Deserialize, Serialize};

use crate::error::BoxError;

/// How the payload of a message type is written and read, for `#[push(codec = path::to::Codec)]`.
///
/// JSON, text, bytes and MessagePack need none: see
/// [`PushMessage`](macro@crate::PushMessage). What is written must be read again as the same value.
///
/// ```
/// use redis_push::{BoxError, Codec, PushMessage};
/// use serde::{Deserialize, Serialize};
///
/// /// JSON behind one byte that says which version it is.
/// struct Versioned;
///
/// impl Codec for Versioned {
///     fn decode<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Result<T, BoxError> {
///         let json = payload.strip_prefix(b"1").ok_or("not of version 1")?;
///         Ok(serde_json::from_slice(json)?)
///     }
///
///     fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BoxError> {
///         let mut payload = b"1".to_vec();
///         serde_json::to_writer(&mut payload, value)?;
///         Ok(payload)
///     }
/// }
///
/// #[derive(PushMessage)]
/// #[push(channel = "orders", codec = Versioned)]
/// struct Order {
///     id: u64,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a codec",
    label = "implement `redis_push::Codec` for it, or write `json`, `text`, `bytes` or `msgpack`"
)]
pub trait Codec {
    /// Reads a payload; the value may borrow from it.
    ///
    /// # Errors
    ///
    /// When the payload is not a `T`. The text goes into logs, so it should quote nothing of the
    /// payload.
    fn decode<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Result<T, BoxError>;

    /// Writes a payload.
    ///
    /// # Errors
    ///
    /// When the value cannot be written.
    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BoxError>;
}
