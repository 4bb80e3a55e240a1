//! What a question about the topology may be answered with, beside what was asked for.

use redis::Value;

use super::exchange::is_passing;
use crate::util::Escaped;

/// Why a node does not say how the servers are arranged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LookError {
    /// The server is not a node of a cluster.
    NoCluster,
    /// The server does not know this name of a primary, or does not know the command.
    Unknown(String),
    /// The server does not tell it in its present state.
    NotNow(String),
    /// The user may not ask, or the server refuses for another reason.
    Refused(String),
    /// The reply is not in the form that servers are known to use.
    Unreadable(String),
}

impl std::fmt::Display for LookError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoCluster => f.write_str("the server is not a node of a cluster"),
            Self::Unknown(text) | Self::NotNow(text) | Self::Refused(text) => f.write_str(text),
            Self::Unreadable(what) => write!(f, "the server's reply is not readable: {what}"),
        }
    }
}

impl LookError {
    /// Whether the user may not ask.
    pub(crate) fn is_not_allowed(&self) -> bool {
        matches!(self, Self::Refused(text) if text.starts_with("NOPERM"))
    }

    pub(super) fn unreadable(what: impl Into<String>) -> Self {
        Self::Unreadable(what.into())
    }

    fn of(error: &redis::ServerError) -> Self {
        let (code, details) = (error.code(), error.details().unwrap_or_default());
        let text = match format!("{code} {details}").trim() {
            "" => "the server refused without a reason".to_owned(),
            text => Escaped(text.as_bytes()).to_string(),
        };
        let lower = details.to_ascii_lowercase();
        if lower.contains("cluster support disabled") {
            Self::NoCluster
        } else if is_passing(code) {
            Self::NotNow(text)
        } else if lower.contains("no such master") || lower.starts_with("unknown ") {
            Self::Unknown(text)
        } else {
            Self::Refused(text)
        }
    }
}

/// The elements of a list.
pub(super) fn list<'v>(reply: &'v Value, what: &str) -> Result<&'v [Value], LookError> {
    match reply {
        Value::Array(values) | Value::Set(values) => Ok(values),
        Value::ServerError(error) => Err(LookError::of(error)),
        Value::Attribute { data, .. } => list(data, what),
        _ => Err(LookError::unreadable(format!("{what} should be a list"))),
    }
}

/// The pairs of a map, which is a flat list in RESP2.
pub(super) fn pairs<'v>(
    reply: &'v Value,
    what: &str,
) -> Result<Vec<(&'v Value, &'v Value)>, LookError> {
    if let Value::Map(pairs) = reply {
        return Ok(pairs.iter().map(|(name, value)| (name, value)).collect());
    }
    let (pairs, rest) = list(reply, what)?.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(LookError::unreadable(format!(
            "{what} has a name without a value"
        )));
    }
    Ok(pairs.iter().map(|[name, value]| (name, value)).collect())
}

pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

/// A number, which some replies contain as a text.
pub(super) fn number<T: TryFrom<i64>>(value: &Value) -> Option<T> {
    let number = match value {
        Value::Int(number) => *number,
        value => text(value)?.parse().ok()?,
    };
    T::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(reply: &str) -> Value {
        redis::parse_redis_value(reply.as_bytes()).unwrap()
    }

    #[test]
    fn an_error_reply_says_whether_to_ask_again() {
        type Is = fn(&LookError) -> bool;
        let cases: [(&str, Is); 7] = [
            (
                "-ERR This instance has cluster support disabled\r\n",
                |error| *error == LookError::NoCluster,
            ),
            ("-LOADING Redis is loading\r\n", |error| {
                matches!(error, LookError::NotNow(_))
            }),
            ("-ERR No such master with that name\r\n", |error| {
                matches!(error, LookError::Unknown(_))
            }),
            ("-ERR unknown command 'SENTINEL'\r\n", |error| {
                matches!(error, LookError::Unknown(_))
            }),
            ("-NOPERM User a has no permissions\r\n", |error| {
                matches!(error, LookError::Refused(_))
            }),
            ("-\r\n", |error| matches!(error, LookError::Refused(_))),
            ("+OK\r\n", |error| matches!(error, LookError::Unreadable(_))),
        ];
        for (reply, is) in cases {
            let error = list(&parse(reply), "the reply").unwrap_err();
            assert!(is(&error), "{reply}: {error:?}");
            assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_flat_list_of_pairs_is_a_map() {
        let map = parse("%1\r\n+a\r\n:1\r\n");
        let flat = parse("*2\r\n$1\r\na\r\n$1\r\n1\r\n");
        for reply in [map, flat] {
            let pairs = pairs(&reply, "it").unwrap();
            assert_eq!(pairs.len(), 1);
            assert_eq!(text(pairs[0].0), Some("a"));
            assert_eq!(number::<u16>(pairs[0].1), Some(1));
        }
        assert!(pairs(&parse("*1\r\n:1\r\n"), "it").is_err());
        assert_eq!(number::<u16>(&Value::Int(65_536)), None);
        assert_eq!(number::<u16>(&Value::Int(-1)), None);
    }
}
