//! Why a connection could not be made: errors for users, without secrets.

use redis::{ConnectionAddr, ErrorKind, RedisConnectionInfo, RedisError};

use super::tls::{self, Connector};
use crate::error::Error;

/// What gave the settings of a connection, for advice in errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingsFrom {
    /// The URL of the server, or the redis-rs client, and the options.
    Url,
    /// The URL of a sentinel.
    SentinelUrl,
    /// The options only: sentinels name the server.
    Options,
}

impl SettingsFrom {
    fn where_to_set_the_password(self) -> &'static str {
        match self {
            Self::Url => "write it in the URL, `redis://:password@host`, or set `credentials`",
            Self::SentinelUrl => {
                "write it in the sentinel's URL, `redis://:password@host`, or set \
                 `sentinel_credentials`"
            }
            Self::Options => {
                "set `credentials`, because those in the URL of a sentinel are for the sentinel"
            }
        }
    }

    fn the_database(self) -> &'static str {
        match self {
            Self::Url | Self::SentinelUrl => "in the URL",
            Self::Options => "that `database` sets",
        }
    }
}

/// Returns the error for a failed attempt. `greeting` is what had been sent by then.
pub(super) fn refused(
    address: &ConnectionAddr,
    from: SettingsFrom,
    tls: Option<&Connector>,
    greeting: Option<&RedisConnectionInfo>,
    error: RedisError,
) -> Error {
    let password = greeting.and_then(RedisConnectionInfo::password);
    let text = Text::of(&error, password);
    if password.is_none() && error.code() == Some("NOAUTH") {
        let what_to_do = from.where_to_set_the_password();
        return Error::auth(format!(
            "the server at {address} requires a password, and none is set: {what_to_do}"
        ));
    }
    let refusal = tls_error(address, &error).unwrap_or_else(|| {
        let tls = tls.filter(|_| greeting.is_some());
        classified(address, from, tls, &error, &text)
    });
    match text {
        Text::Printable(_) => refusal.caused_by(error),
        // If the error were the cause, it would be printed too.
        Text::Withheld => refusal,
    }
}

/// Returns a TLS error, if TLS failed before the server could reply.
fn tls_error(address: &ConnectionAddr, error: &RedisError) -> Option<Error> {
    let is_tls = matches!(address, ConnectionAddr::TcpTls { .. });
    (is_tls && error.code().is_none())
        .then(|| tls::explain(error, address))
        .flatten()
}

/// The text of an error, unless it must not be printed.
enum Text {
    Printable(String),
    Withheld,
}

impl Text {
    /// A server that does not know a command repeats its arguments, whole or cut. Those of `HELLO`
    /// contain the password, so a text that contains the first characters of the password is withheld.
    fn of(error: &RedisError, password: Option<&str>) -> Self {
        const REVEALING: usize = 6;
        let text = error.to_string();
        let repeats = |password: &str| {
            let end = password.char_indices().nth(REVEALING);
            let start = end.map_or(password, |(end, _)| &password[..end]);
            !start.is_empty() && text.contains(start)
        };
        if text.contains("args beginning with") || password.is_some_and(repeats) {
            Self::Withheld
        } else {
            Self::Printable(text)
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Printable(text) => text,
            Self::Withheld => "the answer is not shown, because it may contain the password",
        }
    }
}

/// Returns the error that fits, with a hint at what to do. `tls` is set if the greeting had been sent through it.
fn classified(
    address: &ConnectionAddr,
    from: SettingsFrom,
    tls: Option<&Connector>,
    error: &RedisError,
    text: &Text,
) -> Error {
    let is_auth = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"));
    let detail = error.detail().unwrap_or_default();
    if detail.contains("DB index is out of range") {
        let database = from.the_database();
        return Error::config(format!(
            "the server at {address} has no database with the index {database}"
        ));
    }
    if detail.contains("SELECT is not allowed in cluster mode") {
        return Error::config(format!(
            "the server at {address} is a node of a cluster, which has only database 0; remove the \
             database from the URL"
        ));
    }
    if error.kind() == ErrorKind::InvalidClientConfig && text.as_str().contains("tls feature") {
        return Error::config(tls::NOT_BUILT_IN);
    }
    if detail.contains("'select' command") {
        let database = from.the_database();
        return Error::auth(format!(
            "the server at {address} does not allow this user to select the database {database}"
        ));
    }
    if is_auth {
        let answer = match text {
            Text::Printable(_) => error.detail().or(error.code()).unwrap_or("no reason given"),
            Text::Withheld => text.as_str(),
        };
        return Error::auth(format!(
            "the server at {address} refused the credentials ({}); check the user name and the \
             password",
            answer.trim_end_matches('.')
        ));
    }
    Error::connection(if error.is_connection_refusal() {
        match address {
            ConnectionAddr::Unix(_) => format!("no server listens on the socket {address}"),
            _ => format!("no server answers at {address} (connection refused)"),
        }
    } else if error.is_timeout() {
        format!("the server at {address} did not answer in time")
    } else if error.kind() == ErrorKind::Parse {
        let hint = match address {
            ConnectionAddr::Tcp(..) => ", or expects TLS (`rediss://`)",
            _ => "",
        };
        format!("the server at {address} is not a Redis or Valkey server{hint}")
    } else if error.kind() == ErrorKind::RESP3NotSupported
        || detail.starts_with("unknown command 'HELLO'")
    {
        format!(
            "the server at {address} does not support RESP3; Redis 6.0 or newer, or Valkey, is \
             required"
        )
    } else {
        let hint = match tls {
            Some(tls) if error.is_io_error() => tls.hint_on_end(),
            _ => "",
        };
        format!("cannot connect to {address}: {}{hint}", text.as_str())
    })
}
