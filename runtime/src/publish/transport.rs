//! How publish commands are sent, and what the replies say.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{FromRedisValue, Pipeline, RedisError, Value};
use tokio::time::timeout;

use crate::connection::{CommandConnection, CommandError, ServerError, accepted, one_each};
use crate::error::{Error, Result};

/// The connection of a publisher.
pub(super) enum Transport {
    /// The connection for commands, of the publisher itself or of a subscriber.
    Server(Arc<CommandConnection>),
    /// A connection that the user passed in.
    Given(Box<dyn Lend>),
}

impl Transport {
    /// Sends publish commands in one write, and returns the numbers of receivers.
    pub(super) async fn send(&self, commands: &Pipeline, within: Duration) -> Result<Vec<u64>> {
        let replies = match self {
            Self::Server(connection) => connection.send(commands, within).await,
            Self::Given(connection) => send_over(&**connection, commands, within).await,
        };
        let replies = replies.and_then(accepted);
        let replies = replies.map_err(|error| not_done(error, self.is_of_one_server()))?;
        replies.into_iter().map(count).collect()
    }
}

impl Transport {
    /// Whether it goes to one server as far as is known.
    fn is_of_one_server(&self) -> bool {
        matches!(self, Self::Server(connection) if connection.is_of_one_server())
    }
}

fn count(reply: Value) -> Result<u64> {
    u64::from_redis_value(reply).map_err(|error| {
        unknown(Error::connection(format!(
            "the server's answer to a publish is not a number: {error}"
        )))
    })
}

fn not_done(error: CommandError, is_of_one_server: bool) -> Error {
    match error {
        CommandError::NotSent(error) => error,
        CommandError::Refused(refusal)
            if is_of_one_server && refusal.code.as_deref() == Some("MOVED") =>
        {
            let text = &refusal.text;
            Error::denied(format!(
                "not published: the server is one node of a cluster, use `Publisher::cluster` or \
                 `Endpoint::cluster`: {text}"
            ))
        }
        CommandError::Refused(refusal) => refused(&refusal),
        CommandError::Unknown(error) => unknown(error),
    }
}

fn refused(refusal: &ServerError) -> Error {
    let text = &refusal.text;
    if refusal.is_passing() {
        return Error::connection(format!(
            "not published: the server cannot do it now: {text}"
        ));
    }
    Error::denied(format!("not published: the server refused it: {text}"))
}

fn unknown(error: Error) -> Error {
    error.in_words(|text| format!("not known to be published: {text}"))
}

/// Sends commands over a connection that the user passed in, and returns the replies.
async fn send_over(
    connection: &dyn Lend,
    commands: &Pipeline,
    within: Duration,
) -> Result<Vec<Value>, CommandError> {
    let mut connection = connection.lend();
    let sending = connection.req_packed_commands(commands, 0, commands.len());
    let replies = timeout(within, sending).await.map_err(|_| {
        let text = format!("the server did not answer within {within:?}");
        CommandError::Unknown(Error::timeout(text))
    })?;
    one_each(replies.map_err(|error| failed(&error))?, commands)
}

fn failed(error: &RedisError) -> CommandError {
    match error.code() {
        Some(_) => CommandError::Refused(ServerError::of(error)),
        None => CommandError::Unknown(Error::connection(error.to_string())),
    }
}

/// A connection that the user passed in, of any type.
pub(super) trait Lend: Send + Sync {
    fn lend(&self) -> Box<dyn ConnectionLike + Send>;
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Lend for C {
    fn lend(&self) -> Box<dyn ConnectionLike + Send> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_the_server_that_passes_is_no_denial() {
        let error = |reply: &str| {
            let reply = redis::parse_redis_value(format!("-{reply}\r\n").as_bytes()).unwrap();
            refused(&ServerError::of(&reply.extract_error().unwrap_err()))
        };
        for reply in [
            "BUSY a script runs",
            "CLUSTERDOWN Hash slot not served",
            "LOADING",
        ] {
            let error = error(reply);
            assert!(error.is_connection() && !error.is_denied(), "{error}");
        }
        assert!(error("NOPERM no permissions to access a channel").is_denied());
    }
}
