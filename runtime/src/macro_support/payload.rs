//! The payload of a message type: decoding and encoding with each codec.

use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use super::Taken;
use crate::error::{BoxError, Error, Rejection, Result as Written};
use crate::extract::{JsonReader, TextError, read_json};
use crate::message::Codec;
use crate::push::Push;
use crate::util::short_name;

/// Decodes the payload from JSON, for the message type `name`.
pub fn json<'p, T>(
    push: Push<'p>,
    name: &'static str,
    read: impl FnOnce(&mut JsonReader<'p>) -> serde_json::Result<T>,
) -> Taken<T> {
    read_json(push, || name, read)
}

/// Encodes JSON, for the message type `name`.
pub fn to_json<'m>(
    name: &str,
    write: impl FnOnce(&mut serde_json::Serializer<&mut Vec<u8>>) -> serde_json::Result<()>,
) -> Written<Cow<'m, [u8]>> {
    let mut payload = Vec::with_capacity(128);
    write(&mut serde_json::Serializer::new(&mut payload))
        .map_err(|error| cannot_publish(name, error))?;
    Ok(Cow::Owned(payload))
}

/// Decodes the payload with a user's codec.
pub fn coded<'p, C: Codec, T: Deserialize<'p>>(push: Push<'p>, name: &'static str) -> Taken<T> {
    C::decode(push.payload()).map_err(|error| {
        Rejection::caused_by(format!("the payload is not a valid `{name}`"), error)
    })
}

/// Encodes the payload with a user's codec.
pub fn to_coded<'m, C: Codec>(name: &str, value: &impl Serialize) -> Written<Cow<'m, [u8]>> {
    C::encode(value)
        .map(Cow::Owned)
        .map_err(|error| cannot_publish(name, error))
}

/// Returns the payload as text. `place` is the field or the type that it is for.
pub fn payload_text<'p>(push: Push<'p>, place: &'static str) -> Taken<&'p str> {
    std::str::from_utf8(push.payload()).map_err(|error| {
        let reason = format!("the payload is not UTF-8, for {place}: {error}");
        Rejection::caused_by(reason, error)
    })
}

/// Passes on the value of the payload, or rejects its text. `place` is the field or the type that it is
/// for.
pub fn text<T>(value: Result<T, TextError>, place: &'static str) -> Taken<T> {
    value.map_err(|error| {
        let wanted = short_name(std::any::type_name::<T>());
        error.reject(format_args!(
            "the payload does not parse as `{wanted}`, for {place}"
        ))
    })
}

/// Encodes a value as text.
pub fn to_text<'m>(value: &impl Display) -> Written<Cow<'m, [u8]>> {
    Ok(Cow::Owned(value.to_string().into_bytes()))
}

/// Types that `codec = bytes` decodes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read as bytes",
    label = "`codec = bytes` takes `&[u8]`, `Cow<[u8]>`, `Vec<u8>` or `Bytes`"
)]
pub trait FromBytes<'p>: Sized {
    /// Converts the payload.
    fn from_bytes(push: Push<'p>) -> Self;
}

impl<'p> FromBytes<'p> for &'p [u8] {
    fn from_bytes(push: Push<'p>) -> Self {
        push.payload()
    }
}

impl<'p> FromBytes<'p> for Cow<'p, [u8]> {
    fn from_bytes(push: Push<'p>) -> Self {
        Cow::Borrowed(push.payload())
    }
}

impl FromBytes<'_> for Vec<u8> {
    fn from_bytes(push: Push<'_>) -> Self {
        push.payload().to_vec()
    }
}

impl FromBytes<'_> for Bytes {
    fn from_bytes(push: Push<'_>) -> Self {
        push.payload_bytes()
    }
}

/// Returns the payload as bytes.
pub fn bytes<'p, T: FromBytes<'p>>(push: Push<'p>) -> Taken<T> {
    Ok(T::from_bytes(push))
}

/// Encodes bytes as they are.
pub fn to_bytes<T: AsRef<[u8]>>(value: &T) -> Written<Cow<'_, [u8]>> {
    Ok(Cow::Borrowed(value.as_ref()))
}

fn cannot_publish(name: &str, error: impl Into<BoxError>) -> Error {
    let error = error.into();
    Error::encode(format!("`{name}` cannot be published: {error}"))
}

/// A field of the payload that is not used, because a param fills the field of the type.
pub struct Ignored<T>(PhantomData<T>);

impl<T> Default for Ignored<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'p, T> Deserialize<'p> for Ignored<T> {
    fn deserialize<D: Deserializer<'p>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self::default())
    }
}
