use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use super::FromPush;
use super::text_error::TextError;
use crate::error::{BoxError, Rejection, Result as Written};
use crate::message::{MessageDescriptor, ToPayload};
use crate::push::Push;

/// The payload, parsed from text with [`FromStr`]: `Text<u32>`, `Text<IpAddr>`, `Text<String>`.
///
/// Rejects a payload that is not UTF-8 and one that does not parse; white space is not trimmed. For
/// the text itself, without a copy, take `&str`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text<T>(pub T);

impl<'p, S, T> FromPush<'p, S> for Text<T>
where
    T: FromStr<Err: Into<BoxError>>,
{
    const MESSAGE: Option<MessageDescriptor> = Some(MessageDescriptor::payload("text"));

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        text(push)?.parse().map(Self).map_err(|error: T::Err| {
            let name = std::any::type_name::<T>();
            TextError::new(error).reject(format_args!("the payload does not parse as `{name}`"))
        })
    }
}

impl<'p, S> FromPush<'p, S> for &'p str {
    const MESSAGE: Option<MessageDescriptor> = Some(MessageDescriptor::payload("text"));

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        text(push)
    }
}

impl<T: Display> ToPayload for Text<T> {
    fn to_payload(&self) -> Written<Cow<'_, [u8]>> {
        Ok(Cow::Owned(self.0.to_string().into_bytes()))
    }
}

fn text(push: Push<'_>) -> Result<&str, Rejection> {
    std::str::from_utf8(push.payload())
        .map_err(|error| Rejection::caused_by("the payload is not UTF-8", error))
}
