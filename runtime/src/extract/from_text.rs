//! The conversion of a param or a text payload into a value.

use std::borrow::Cow;
use std::marker::PhantomData;
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

/// Passes on the value of the param `name`, or rejects its text.
pub fn param<T>(name: &str, value: Result<T, TextError>) -> Result<T, Rejection> {
    value.map_err(|error| {
        let wanted = std::any::type_name::<T>();
        error.reject(format_args!(
            "the param `{name}` of the channel name is not a valid `{wanted}`"
        ))
    })
}

/// The conversion of text into a type that generated code knows: by `FromStr`, or else by
/// `From<&str>`.
///
/// The function of this type hides that of [`ConvertByFrom`], so a type with both is not ambiguous.
#[derive(Debug)]
pub struct Conversion<T>(PhantomData<T>);

impl<T: FromStr<Err: Into<BoxError>>> Conversion<T> {
    /// Parses the text.
    pub fn convert(text: &str) -> Result<T, TextError> {
        text.parse().map_err(TextError::new)
    }
}

/// The conversion of text into a type that has no `FromStr`: see [`Conversion`].
pub trait ConvertByFrom<'p> {
    /// The type.
    type Value;

    /// Converts the text.
    fn convert(text: &'p str) -> Result<Self::Value, TextError>
    where
        Self::Value: FromParam<'p>;
}

impl<'p, T> ConvertByFrom<'p> for Conversion<T> {
    type Value = T;

    fn convert(text: &'p str) -> Result<T, TextError>
    where
        T: FromParam<'p>,
    {
        Ok(T::from_param(text))
    }
}

/// Types that have `From<&str>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be filled from text",
    label = "no `FromStr` and no `From<&str>` for this type",
    note = "implement `std::str::FromStr` or `From<&str>` for `{Self}`, or take a `&str`, a `Cow<str>` or a `String`"
)]
pub trait FromParam<'p>: Sized {
    /// Converts the text.
    fn from_param(text: &'p str) -> Self;
}

#[diagnostic::do_not_recommend]
impl<'p, T: From<&'p str>> FromParam<'p> for T {
    fn from_param(text: &'p str) -> Self {
        Self::from(text)
    }
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
