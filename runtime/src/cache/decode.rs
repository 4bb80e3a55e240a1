//! From the bytes of a key to a value, by the extractors that decode a handler's message.

use std::str::FromStr;

use serde::de::DeserializeOwned;

use crate::error::{BoxError, Rejection};
#[cfg(feature = "msgpack")]
use crate::extract::MsgPack;
use crate::extract::{FromPush, Json, Text};
use crate::message::Codec;
use crate::push::OwnedPush;
use crate::subscription::Subscription;

/// Decodes the bytes of a key. It runs user code.
pub(super) type Decode<V> = fn(Vec<u8>) -> Result<V, Rejection>;

pub(super) fn json<V: DeserializeOwned>(bytes: Vec<u8>) -> Result<V, Rejection> {
    extracted::<Json<V>>(&bytes).map(|Json(value)| value)
}

#[cfg(feature = "msgpack")]
pub(super) fn msgpack<V: DeserializeOwned>(bytes: Vec<u8>) -> Result<V, Rejection> {
    extracted::<MsgPack<V>>(&bytes).map(|MsgPack(value)| value)
}

pub(super) fn text<V: FromStr<Err: Into<BoxError>>>(bytes: Vec<u8>) -> Result<V, Rejection> {
    extracted::<Text<V>>(&bytes).map(|Text(value)| value)
}

#[expect(clippy::unnecessary_wraps, reason = "it is a `Decode`")]
pub(super) fn bytes<V: From<Vec<u8>>>(bytes: Vec<u8>) -> Result<V, Rejection> {
    Ok(bytes.into())
}

pub(super) fn coded<C: Codec, V: DeserializeOwned>(bytes: Vec<u8>) -> Result<V, Rejection> {
    C::decode(&bytes).map_err(|error| Rejection::caused_by("its codec does not decode it", error))
}

/// Decodes a payload that was not published.
fn extracted<T: for<'p> FromPush<'p, ()>>(payload: &[u8]) -> Result<T, Rejection> {
    let push = OwnedPush::new(Subscription::channel(""), "", payload);
    T::from_push(push.as_push(), &())
}
