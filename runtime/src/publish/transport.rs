//! How publish commands are sent, and what the replies say.

use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{FromRedisValue, Pipeline, RedisError, Value};
use tokio::time::timeout;

use crate::connection::{CommandError, Connection, LazyConnection, ServerError};
use crate::error::{Error, Result};

/// The connection of a publisher.
pub(super) enum Transport {
    /// The publisher's own connection.
    Own(LazyConnection),
    /// A connection that the user passed in.
    Given(Box<dyn Lend>),
    /// The connection of an attached manager, which has subscriptions too.
    Attached(Connection),
}

impl Transport {
    /// Sends publish commands in one write, and returns the numbers of receivers.
    pub(super) async fn send(&self, commands: &Pipeline, within: Duration) -> Result<Vec<u64>> {
        let timed_out = |_| {
            let text = format!("the server did not answer within {within:?}");
            unknown(Error::timeout(text))
        };
        let replies = match self {
            Self::Own(lazy) => lazy
                .send(commands, (0, commands.len()), within)
                .await
                .map_err(not_done)?,
            Self::Attached(connection) => {
                let mut connection = connection.clone();
                let sending = connection.send_in_step(commands);
                let replies = timeout(within, sending).await.map_err(timed_out)?;
                all(replies.map_err(unknown)?)?
            }
            Self::Given(connection) => {
                let mut connection = connection.lend();
                let sending = connection.req_packed_commands(commands, 0, commands.len());
                let replies = timeout(within, sending).await.map_err(timed_out)?;
                all(replies.map_err(|error| failed(&error))?)?
            }
        };
        Self::counts(replies, commands)
    }

    /// Reads the numbers of receivers.
    fn counts(replies: Vec<Value>, commands: &Pipeline) -> Result<Vec<u64>> {
        if replies.len() != commands.len() {
            let (answers, commands) = (replies.len(), commands.len());
            let text = format!("the server gave {answers} answers to {commands} commands");
            return Err(unknown(Error::connection(text)));
        }
        replies.into_iter().map(count).collect()
    }
}

/// Returns the replies, if none of them is an error.
fn all(replies: Vec<Value>) -> Result<Vec<Value>> {
    let replies = replies.into_iter().map(Value::extract_error);
    let replies: Result<_, _> = replies.collect();
    replies.map_err(|error| failed(&error))
}

fn count(reply: Value) -> Result<u64> {
    u64::from_redis_value(reply).map_err(|error| {
        unknown(Error::connection(format!(
            "the server's answer to a publish is not a number: {error}"
        )))
    })
}

fn not_done(error: CommandError) -> Error {
    match error {
        CommandError::NotSent(error) => error,
        CommandError::Refused(refusal) => refused(&refusal),
        CommandError::Unknown(error) => unknown(error),
    }
}

fn failed(error: &RedisError) -> Error {
    match error.code() {
        Some(_) => refused(&ServerError::of(error)),
        None => unknown(Error::connection(error.to_string())),
    }
}

fn refused(refusal: &ServerError) -> Error {
    let text = &refusal.text;
    Error::denied(format!("not published: the server refused it: {text}"))
}

fn unknown(error: Error) -> Error {
    error.in_words(|text| format!("not known to be published: {text}"))
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
