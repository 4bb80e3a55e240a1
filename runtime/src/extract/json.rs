use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::FromPush;
use crate::error::{Error, Rejection, Result as Written};
use crate::message::{MessageDescriptor, ToPayload};
use crate::push::Push;
use crate::util::short_name;

/// The payload, decoded from JSON.
///
/// The type may borrow from the payload: `Json<Alert<'_>>`. Borrowed text should be a
/// `Cow<'_, str>` with `#[serde(borrow)]`: a `&str` rejects every JSON string with an escape.
///
/// Rejects a payload that is not the JSON of a `T`, one with trailing bytes, and one that is not UTF-8, as all
/// JSON is ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259#section-8.1)): also where `T` would skip it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<'p, S, T: Deserialize<'p>> FromPush<'p, S> for Json<T> {
    const MESSAGE: Option<MessageDescriptor> = Some(MessageDescriptor::payload("json"));

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        decode(push).map(Self)
    }
}

pub(crate) fn decode<'p, T: Deserialize<'p>>(push: Push<'p>) -> Result<T, Rejection> {
    read(
        push,
        || short_name(std::any::type_name::<T>()),
        |json| T::deserialize(json),
    )
}

pub(crate) type Reader<'p> = serde_json::Deserializer<serde_json::de::StrRead<'p>>;

impl<T: Serialize> ToPayload for Json<T> {
    fn to_payload(&self) -> Written<Cow<'_, [u8]>> {
        let written = serde_json::to_vec(&self.0);
        written.map(Cow::Owned).map_err(|error| {
            let name = std::any::type_name::<T>();
            Error::encode(format!("`{name}` cannot be encoded as JSON: {error}"))
        })
    }
}

/// Reads the whole payload as the JSON of a type. `name` is only called for an error.
pub(crate) fn read<'p, T>(
    push: Push<'p>,
    name: impl Fn() -> &'static str,
    read: impl FnOnce(&mut Reader<'p>) -> serde_json::Result<T>,
) -> Result<T, Rejection> {
    // Checked as a whole: to check each string alone takes several times as long.
    let text = str::from_utf8(push.payload()).map_err(|error| {
        let reason = format!(
            "the payload is not the JSON of `{}`: it is not UTF-8",
            name()
        );
        Rejection::caused_by(reason, error)
    })?;
    let mut json = Reader::from_str(text);
    let value = read(&mut json).and_then(|value| json.end().map(|()| value));
    value.map_err(|error| {
        let reason = format!(
            "the payload is not the JSON of `{}`: {}",
            name(),
            problem(&error)
        );
        Rejection::caused_by(reason, error)
    })
}

/// Describes the error without quoting the payload, because the text goes into logs. The complete
/// error is the source of the rejection.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = match error.classify() {
        // The name of a missing field is from the type, not from the payload.
        Category::Data if text.starts_with("missing field `") => return text,
        Category::Data if text.contains(", expected a borrowed string") => {
            "a string with escapes cannot be a `&str` (use `Cow<str>` with `#[serde(borrow)]`, or \
             `String`)"
        }
        Category::Data => "a value does not fit",
        Category::Eof => "it ends too early",
        Category::Syntax | Category::Io => "the syntax is wrong",
    };
    if error.line() == 0 {
        // serde has stored the part, and reads it a second time.
        let hint = if is_arbitrary_precision() {
            "; a fractional number cannot be read there, because a crate has enabled the feature \
             `arbitrary_precision` of serde_json"
        } else {
            ""
        };
        return format!("{what}, in a part that is flattened, tagged or untagged{hint}");
    }
    format!("{what} at line {} column {}", error.line(), error.column())
}

/// Returns whether a crate has enabled the feature of serde_json: numbers then have no limits.
fn is_arbitrary_precision() -> bool {
    serde_json::from_str::<serde_json::Number>("1e999").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_with_escapes_that_is_borrowed_says_what_to_use() {
        let error = serde_json::from_str::<&str>(r#""sec\nret""#).unwrap_err();
        let text = problem(&error);
        assert!(text.contains("use `Cow<str>`"), "{text}");
        assert!(text.ends_with("at line 1 column 10"), "{text}");
        assert!(!text.contains("sec"), "{text}");
    }

    #[test]
    fn an_error_without_a_position_says_where_it_may_be() {
        let error = <serde_json::Error as serde::de::Error>::custom("secret");
        let text = problem(&error);
        assert!(text.contains("flattened, tagged or untagged"), "{text}");
        assert!(
            !text.contains("line 0") && !text.contains("secret"),
            "{text}"
        );
    }
}
