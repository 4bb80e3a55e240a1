//! The conversion of a param or a text payload into a value.

use std::borrow::Cow;
use std::str::FromStr;

use super::text_error::TextError;
use crate::error::{BoxError, Rejection};

/// Types that can be converted from text. `Via` distinguishes the ways to do it, so that their
/// implementations do not overlap.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be filled from text",
    label = "no `FromStr` for this type",
    note = "implement `std::str::FromStr` for `{Self}`, or take a `&str`, a `Cow<str>` or a `String`"
)]
pub trait FromText<'p, Via>: Sized {
    /// Converts the text of a param, or of a payload.
    fn from_text(text: &'p str) -> Result<Self, TextError>;
}

/// Marks types that borrow from the text.
#[derive(Debug)]
pub enum Borrowed {}

/// Marks a `Cow` that copies the text, because it must not borrow.
#[derive(Debug)]
pub enum Copied {}

/// Marks types that are parsed from the text.
#[derive(Debug)]
pub enum Parsed {}

/// Converts the text of the param `name`.
pub fn param<'p, T: FromText<'p, Via>, Via>(name: &str, text: &'p str) -> Result<T, Rejection> {
    T::from_text(text).map_err(|error| {
        let wanted = std::any::type_name::<T>();
        error.reject(format_args!(
            "the param `{name}` of the channel name is not a valid `{wanted}`"
        ))
    })
}

impl<'p> FromText<'p, Borrowed> for &'p str {
    fn from_text(text: &'p str) -> Result<Self, TextError> {
        Ok(text)
    }
}

impl<'p> FromText<'p, Borrowed> for Cow<'p, str> {
    fn from_text(text: &'p str) -> Result<Self, TextError> {
        Ok(Cow::Borrowed(text))
    }
}

impl FromText<'_, Copied> for Cow<'static, str> {
    fn from_text(text: &str) -> Result<Self, TextError> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[diagnostic::do_not_recommend]
impl<'p, T: FromStr<Err: Into<BoxError>>> FromText<'p, Parsed> for T {
    fn from_text(text: &'p str) -> Result<Self, TextError> {
        text.parse().map_err(TextError::new)
    }
}
