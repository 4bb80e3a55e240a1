use std::borrow::Cow;

use rmp_serde::decode::Error;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::FromPush;
use crate::error::{self, BoxError, Rejection, Result as Written};
use crate::message::{Codec, MessageDescriptor, ToPayload};
use crate::push::Push;

/// The payload, decoded from MessagePack. Requires the feature `msgpack`.
///
/// The type may borrow from the payload. A struct is decoded from a map with the names of its
/// fields, or from an array in the order of its fields, and encoded as a map.
///
/// ```
/// use redis_push::{MsgPack, push_handler};
///
/// #[push_handler(channel = "points")]
/// async fn on_point(MsgPack((x, y)): MsgPack<(f64, f64)>) {
///     println!("{x} {y}");
/// }
/// # let _ = redis_push::handlers![on_point] as Vec<redis_push::Mount<()>>;
/// ```
///
/// Rejects a payload that is not the MessagePack of a `T`, and one with trailing bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsgPack<T>(pub T);

impl<'p, S, T: Deserialize<'p>> FromPush<'p, S> for MsgPack<T> {
    const MESSAGE: Option<MessageDescriptor> = Some(MessageDescriptor::payload("msgpack"));

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        let value = MsgPackCodec::decode(push.payload());
        value.map(Self).map_err(|error| {
            let name = std::any::type_name::<T>();
            Rejection::caused_by(
                format!("the payload is not the MessagePack of `{name}`"),
                error,
            )
        })
    }
}

impl<T: Serialize> ToPayload for MsgPack<T> {
    fn to_payload(&self) -> Written<Cow<'_, [u8]>> {
        let written = MsgPackCodec::encode(&self.0);
        written.map(Cow::Owned).map_err(|error| {
            let name = std::any::type_name::<T>();
            error::Error::encode(format!(
                "`{name}` cannot be encoded as MessagePack: {error}"
            ))
        })
    }
}

pub(crate) type Reader<'p> = rmp_serde::Deserializer<rmp_serde::decode::ReadRefReader<'p, [u8]>>;

/// Reads the whole payload.
pub(crate) fn read<'p, T>(
    payload: &'p [u8],
    read: impl FnOnce(&mut Reader<'p>) -> Result<T, Error>,
) -> Result<T, BoxError> {
    let mut rest = rmp_serde::Deserializer::from_read_ref(payload);
    let value = read(&mut rest)?;
    // The deserializer does not say how many bytes are left, so try to read one more value.
    match IgnoredAny::deserialize(&mut rest) {
        Err(Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err("there are bytes after the value".into()),
    }
}

/// The codec of `codec = msgpack`.
#[derive(Debug)]
pub enum MsgPackCodec {}

impl Codec for MsgPackCodec {
    fn decode<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Result<T, BoxError> {
        read(payload, |reader| T::deserialize(reader))
    }

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BoxError> {
        Ok(rmp_serde::to_vec_named(value)?)
    }
}
