use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{Pipeline, Value};
use tokio::time::timeout;

use super::commands::Connection;
#[cfg(feature = "cache")]
use super::lazy::ServerError;
use super::lazy::{CommandError, LazyConnection};
use crate::error::Error;

/// The connection of a subscriber for commands that are not about subscriptions: what publishers write
/// and what caches read.
pub(crate) enum CommandConnection {
    /// A connection of its own, separate from the link.
    Own(LazyConnection),
    /// The connection of an attached manager, which has subscriptions too.
    Attached(Connection),
}

impl CommandConnection {
    pub(crate) fn attached(manager: ConnectionManager) -> Self {
        Self::Attached(Connection::own(manager))
    }

    /// Says what it is, for people to read.
    pub(crate) fn in_words(&self) -> &'static str {
        match self {
            Self::Own(_) => "a connection of its own",
            Self::Attached(_) => "the connection of an attached manager",
        }
    }

    /// Sends commands in one write, and returns the reply to each, which may be an error.
    pub(crate) async fn send(
        &self,
        commands: &Pipeline,
        within: Duration,
    ) -> Result<Vec<Value>, CommandError> {
        let replies = match self {
            Self::Own(lazy) => {
                let all = (0, commands.len());
                lazy.replies(commands, all, within).await?
            }
            Self::Attached(connection) => {
                let mut connection = connection.clone();
                match timeout(within, connection.send_in_step(commands)).await {
                    Ok(replies) => replies.map_err(CommandError::Unknown)?,
                    Err(_) => {
                        let text = format!("the server did not answer within {within:?}");
                        return Err(CommandError::Unknown(Error::timeout(text)));
                    }
                }
            }
        };
        one_each(replies, commands)
    }

    /// Reads keys with one `GET` each, in one write: no slot of a cluster has to have all of them, and
    /// a key of another type does not look as if it were absent. Returns for each the bytes, or none if
    /// the key is absent, or why the server has refused it.
    #[cfg(feature = "cache")]
    pub(crate) async fn get(
        &self,
        keys: &[String],
        within: Duration,
    ) -> Result<Vec<Result<Option<Vec<u8>>, ServerError>>, CommandError> {
        let mut commands = Pipeline::with_capacity(keys.len());
        for key in keys {
            commands.cmd("GET").arg(key);
        }
        let replies = self.send(&commands, within).await?;
        let bytes = |reply| {
            redis::from_redis_value(reply).map_err(|error: redis::ParsingError| {
                let text = format!("the server's answer to `GET` is not a string: {error}");
                CommandError::Unknown(Error::connection(text))
            })
        };
        replies
            .into_iter()
            .map(|reply| match reply.extract_error() {
                Ok(reply) => bytes(reply).map(Ok),
                Err(error) => Ok(Err(ServerError::of(&error))),
            })
            .collect()
    }
}

/// Returns the replies, if there is one to each command.
pub(crate) fn one_each(
    replies: Vec<Value>,
    commands: &Pipeline,
) -> Result<Vec<Value>, CommandError> {
    if replies.len() == commands.len() {
        return Ok(replies);
    }
    let (answers, commands) = (replies.len(), commands.len());
    let text = format!("the server gave {answers} answers to {commands} commands");
    Err(CommandError::Unknown(Error::connection(text)))
}
