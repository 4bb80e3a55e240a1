use std::borrow::Cow;

use rmp_serde::decode::Error;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::FromPush;
use crate::error;
use crate::error::{BoxError, Rejection};
use crate::message::{Codec, MessageDescriptor, ToPayload};
use crate::push::Push;

use crate::error::Result as Written;

/// The payload, read as MessagePack. Needs the feature `msgpack`.
///
/// The type may borrow from the payload. Structs are maps by the names of their fields, or arrays
/// in the order of their fields: both are read, and maps are written.
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
/// Rejects what is not the MessagePack of a `T`, trailing bytes included.
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
                "`{name}` cannot be written as MessagePack: {error}"
            ))
        })
    }
}

/// `codec = msgpack`.
#[derive(Debug)]
pub enum MsgPackCodec {}

impl Codec for MsgPackCodec {
    fn decode<'p, T: Deserialize<'p>>(payload: &'p [u8]) -> Result<T, BoxError> {
        let mut rest = rmp_serde::Deserializer::from_read_ref(payload);
        let value = T::deserialize(&mut rest)?;
        // It does not tell how many bytes are left, only that there is no first one.
        match IgnoredAny::deserialize(&mut rest) {
            Err(Error::InvalidMarkerRead(_)) => Ok(value),
            _ => Err("there are bytes behind the value".into()),
        }
    }

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, BoxError> {
        Ok(rmp_serde::to_vec_named(value)?)
    }
}
