//! Why commands were not executed.

use redis::{RedisError, Value};

use super::exchange::is_passing;
use crate::error::Error;

/// Why commands were not executed, as far as that is known.
pub(crate) enum CommandError {
    /// The command was not sent, because no connection could be made.
    NotSent(Error),
    /// The server has refused a command.
    Refused(ServerError),
    /// The commands were sent, at least in part, and no answer has arrived.
    Unknown(Error),
}

impl CommandError {
    /// Copies the error for another command of the same write.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::NotSent(error) => Self::NotSent(error.again()),
            Self::Refused(refusal) => Self::Refused(refusal.clone()),
            Self::Unknown(error) => Self::Unknown(error.again()),
        }
    }
}

/// The error reply with which a server refuses a command.
#[derive(Clone, Debug)]
pub(crate) struct ServerError {
    pub(crate) code: Option<String>,
    pub(crate) text: String,
}

impl ServerError {
    /// Reads an error reply, without the arguments: a server that does not know a command repeats them,
    /// and they may contain a payload.
    pub(crate) fn of(error: &RedisError) -> Self {
        let replies = error.clone().into_server_errors();
        // In a transaction, the first one is why the others were not executed either.
        let (code, text) = match replies.as_deref() {
            Some([(_, reply), ..]) => {
                let details = reply.details().unwrap_or_default();
                let text = format!("{} {details}", reply.code());
                (Some(reply.code().to_owned()), text)
            }
            _ => (error.code().map(str::to_owned), error.to_string()),
        };
        let end = text.find(", with args").unwrap_or(text.len());
        let text = text[..end].trim_end().to_owned();
        Self { code, text }
    }

    /// Returns whether it describes a state of the server that passes, and not the command.
    pub(crate) fn is_passing(&self) -> bool {
        let code = self.code.as_deref();
        // A server that was the primary is known to be a replica only later.
        code.is_some_and(|code| is_passing(code) || code == "READONLY")
    }
}

/// Returns the replies, if none of them is an error.
pub(crate) fn accepted(replies: Vec<Value>) -> Result<Vec<Value>, CommandError> {
    let replies = replies.into_iter().map(Value::extract_error);
    let replies: Result<_, _> = replies.collect();
    replies.map_err(|error| CommandError::Refused(ServerError::of(&error)))
}
