use std::any::type_name;
use std::char::ParseCharError;
use std::fmt;
use std::net::AddrParseError;
use std::num::{ParseFloatError, ParseIntError};
use std::str::ParseBoolError;

use crate::error::{BoxError, Rejection};
use crate::util::short_name;

/// Why a text could not be converted into a value.
///
/// It displays the cause without the text, because it goes into logs. The errors of the standard
/// library do not quote the text. Another error may, so only its type is named.
#[derive(Debug)]
pub struct TextError {
    cause: String,
    source: BoxError,
}

impl TextError {
    pub(crate) fn new<E: Into<BoxError>>(error: E) -> Self {
        let source = error.into();
        let cause =
            of_std(&source).unwrap_or_else(|| format!("`{}`", short_name(type_name::<E>())));
        Self { cause, source }
    }

    /// Returns the rejection with this reason and the cause.
    pub(crate) fn reject(self, reason: impl fmt::Display) -> Rejection {
        Rejection::caused_by(format!("{reason}: {}", self.cause), self.source)
    }
}

fn of_std(error: &BoxError) -> Option<String> {
    fn text<E: std::error::Error + 'static>(error: &BoxError) -> Option<String> {
        error.downcast_ref::<E>().map(ToString::to_string)
    }
    text::<ParseIntError>(error)
        .or_else(|| text::<ParseFloatError>(error))
        .or_else(|| text::<ParseBoolError>(error))
        .or_else(|| text::<ParseCharError>(error))
        .or_else(|| text::<AddrParseError>(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause<E: Into<BoxError>>(error: E) -> String {
        TextError::new(error).reject("no").to_string()
    }

    #[test]
    fn the_cause_does_not_quote_the_text() {
        let number = "secret".parse::<u32>().unwrap_err();
        assert_eq!(cause(number), "no: invalid digit found in string");
        assert_eq!(cause(String::from("`secret` is wrong")), "no: `String`");
        assert_eq!(cause(fmt::Error), "no: `Error`");
    }
}
