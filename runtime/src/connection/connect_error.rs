//! Why a connection could not be made, in words that help and hold no secret.

use redis::{ConnectionAddr, ErrorKind, RedisConnectionInfo, RedisError};

use super::server::Server;
use super::tls;
use crate::error::Error;

pub(super) fn refused(
    server: &Server,
    greeting: Option<&RedisConnectionInfo>,
    error: RedisError,
) -> Error {
    let password = greeting.and_then(RedisConnectionInfo::password);
    let words = Words::of(&error, password);
    let refusal = trouble_of_tls(server, &error)
        .unwrap_or_else(|| classified(server, greeting.is_some(), &error, &words));
    match words {
        Words::Fit(_) => refusal.caused_by(error),
        // The error as a cause would be printed too.
        Words::Withheld => refusal,
    }
}

/// What went wrong below the server's words, if that is a matter of TLS.
fn trouble_of_tls(server: &Server, error: &RedisError) -> Option<Error> {
    let address = server.address();
    let is_tls = matches!(address, ConnectionAddr::TcpTls { .. });
    (is_tls && error.code().is_none())
        .then(|| tls::explain(error, address))
        .flatten()
}

/// What an error says, unless that is not fit to be printed.
enum Words {
    Fit(String),
    Withheld,
}

impl Words {
    /// A server that does not know a command repeats its arguments, whole or cut: those of `HELLO`
    /// hold the password.
    fn of(error: &RedisError, password: Option<&str>) -> Self {
        const TELLING: usize = 6;
        let text = error.to_string();
        let repeats = |password: &str| {
            let end = password.char_indices().nth(TELLING);
            let start = end.map_or(password, |(end, _)| &password[..end]);
            !start.is_empty() && text.contains(start)
        };
        match text.contains("args beginning with") || password.is_some_and(repeats) {
            true => Self::Withheld,
            false => Self::Fit(text),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Fit(text) => text,
            Self::Withheld => "what it says is left out here, for it may repeat the password",
        }
    }
}

fn classified(server: &Server, is_greeted: bool, error: &RedisError, words: &Words) -> Error {
    let address = server.address();
    let is_auth = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"));
    let detail = error.detail().unwrap_or_default();
    if detail.contains("DB index is out of range") {
        return Error::config(format!(
            "the server at {address} has no database of the index that the URL names"
        ));
    }
    if error.kind() == ErrorKind::InvalidClientConfig && words.as_str().contains("tls feature") {
        return Error::config(tls::NOT_BUILT_IN);
    }
    if detail.contains("'select' command") {
        return Error::auth(format!(
            "the server at {address} does not let this user select the database that the URL names"
        ));
    }
    if is_auth {
        let answer = match words {
            Words::Fit(_) => error.detail().or(error.code()).unwrap_or("no reason given"),
            Words::Withheld => words.as_str(),
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
            ConnectionAddr::Tcp(..) => ", or it speaks TLS there (`rediss://`)",
            _ => "",
        };
        format!("what answers at {address} is no Redis or Valkey server{hint}")
    } else if error.kind() == ErrorKind::RESP3NotSupported
        || detail.starts_with("unknown command 'HELLO'")
    {
        format!("the server at {address} has no RESP3; Redis 6.0 or newer, or Valkey, is needed")
    } else {
        let hint = match server.tls() {
            Some(tls) if is_greeted && error.is_io_error() => tls.hint_on_end(),
            _ => "",
        };
        format!("cannot connect to {address}: {}{hint}", words.as_str())
    })
}
