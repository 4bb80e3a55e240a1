//! Error replies, and the texts that several commands share.

use std::borrow::Cow;

/// What a command returns: that it has written its reply, or the error to reply with instead. A command
/// that returns an error has not written anything.
pub(super) type Answer = Result<(), ErrorReply>;

/// The text of an error reply, which begins with the error's code.
#[derive(Debug)]
pub(super) struct ErrorReply(pub(super) Cow<'static, [u8]>);

pub(super) const SYNTAX: &str = "ERR syntax error";
pub(super) const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
pub(super) const OVERFLOW: &str = "ERR increment or decrement would overflow";
pub(super) const WRONG_TYPE: &str =
    "WRONGTYPE Operation against a key holding the wrong kind of value";

impl ErrorReply {
    /// The error for a command with too many or too few words.
    pub(super) fn wrong_number_of_arguments(command: &str) -> Self {
        format!("ERR wrong number of arguments for '{command}' command").into()
    }
}

impl From<&'static str> for ErrorReply {
    fn from(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for ErrorReply {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text.into_bytes()))
    }
}

impl From<Vec<u8>> for ErrorReply {
    fn from(text: Vec<u8>) -> Self {
        Self(Cow::Owned(text))
    }
}
