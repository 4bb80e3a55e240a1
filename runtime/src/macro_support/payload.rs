//! The payload of a message type, by its codec: read and written.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Taken;
use crate::error::{BoxError, Error, Rejection};
use crate::extract::{FromText, JsonReader, read_json};
use crate::message::Codec;
use crate::push::Push;

use crate::error::Result as Written;

/// Reads the payload as JSON, for the message type of that name.
pub fn json<'p, T>(
    push: Push<'p>,
    name: &'static str,
    read: impl FnOnce(&mut JsonReader<'p>) -> serde_json::Result<T>,
) -> Taken<T> {
    read_json(push, || name, read)
}

/// Writes JSON, for the message type of that name.
pub fn to_json<'m>(
    name: &str,
    write: impl FnOnce(&mut serde_json::Serializer<&mut Vec<u8>>) -> serde_json::Result<()>,
) -> Written<Cow<'m, [u8]>> {
    let mut payload = Vec::with_capacity(128);
    let written = write(&mut serde_json::Serializer::new(&mut payload));
    written.map_err(|error| unwritten(name, error))?;
    Ok(Cow::Owned(payload))
}

/// Reads the payload by a codec of the user's.
pub fn coded<'p, C: Codec, T: Deserialize<'p>>(push: Push<'p>, name: &'static str) -> Taken<T> {
    C::decode(push.payload())
        .map_err(|error| Rejection::caused_by(format!("the payload is no `{name}`"), error))
}

/// Writes the payload by a codec of the user's.
pub fn to_coded<'m, C: Codec>(name: &str, value: &impl Serialize) -> Written<Cow<'m, [u8]>> {
    C::encode(value)
        .map(Cow::Owned)
        .map_err(|error| unwritten(name, error))
}

/// Reads the payload as the text of a value.
pub fn text<'p, T: FromText<'p, Via>, Via>(push: Push<'p>, name: &'static str) -> Taken<T> {
    let text = std::str::from_utf8(push.payload())
        .map_err(|error| Rejection::caused_by("the payload is not UTF-8", error))?;
    T::from_text(text)
        .map_err(|error| Rejection::caused_by(format!("the payload is no `{name}`"), error))
}

/// Writes the payload as the text of a value.
pub fn to_text<'m>(value: &impl Display) -> Written<Cow<'m, [u8]>> {
    Ok(Cow::Owned(value.to_string().into_bytes()))
}

/// What `codec = bytes` reads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read as bytes",
    label = "`codec = bytes` takes `&[u8]`, `Cow<[u8]>`, `Vec<u8>` or `Bytes`"
)]
pub trait FromBytes<'p>: Sized {
    /// Takes the payload as it is.
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

/// Takes the payload as it is.
pub fn bytes<'p, T: FromBytes<'p>>(push: Push<'p>) -> Taken<T> {
    Ok(T::from_bytes(push))
}

/// Writes bytes as they are.
pub fn to_bytes<T: AsRef<[u8]>>(value: &T) -> Written<Cow<'_, [u8]>> {
    Ok(Cow::Borrowed(value.as_ref()))
}

fn unwritten(name: &str, error: impl Into<BoxError>) -> Error {
    let error = error.into();
    Error::encode(format!("`{name}` cannot be published: {error}"))
}
