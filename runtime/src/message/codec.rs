use serde::{Deserialize, Serialize};

use crate::error::BoxError;

/// An encoding for the payloads of message types, for `#[push(codec = path::to::Codec)]`.
///
/// JSON, text, bytes and MessagePack are built in: see [`PushMessage`](macro@crate::PushMessage). A
/// value that is encoded must be decoded as the same value.
///
/// ```
/// use redis_push::{BoxError, Codec, PushMessage};
/// use serde::{Deserialize, Serialize};
///
/// /// JSON after one byte for the version.
/// struct Versioned;
///
/// impl Codec for Versioned {
///     fn decode<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Result<T, BoxError> {
///         let json = payload.strip_prefix(b"1").ok_or("not version 1")?;
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
    /// Decodes a payload. The value may borrow from it.
    ///
    /// # Errors
    ///
    /// When the payload is not a `T`. The error's text goes into logs, so it should not quote the
    /// payload.
    fn decode<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Result<T, BoxError>;

    /// Encodes a payload.
    ///
    /// # Errors
    ///
    /// When the value cannot be encoded.
    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BoxError>;
}
