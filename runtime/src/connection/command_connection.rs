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

    /// Returns the probe of the test kit that the connection belongs to.
    #[cfg(feature = "testing")]
    pub(crate) fn probe(&self) -> Option<crate::probe::SharedProbe> {
        match self {
            Self::Own(lazy) => lazy.probe(),
            Self::Attached(_) => None,
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

    /// Reads keys, in one write. Returns for each what is there, or why the server has refused it.
    ///
    /// A key is read with `GET`: no slot of a cluster has to have all keys, and a key of another type does
    /// not look as if it were absent. `PTTL` goes before it, so that the value is never older than the
    /// time to live.
    #[cfg(feature = "cache")]
    pub(crate) async fn get(
        &self,
        keys: &[String],
        within: Duration,
    ) -> Result<Vec<Result<KeyRead, ServerError>>, CommandError> {
        let mut commands = Pipeline::new();
        for key in keys {
            commands.cmd("PTTL").arg(key).cmd("GET").arg(key);
        }
        let mut replies = self.send(&commands, within).await?.into_iter();
        let mut reads = Vec::with_capacity(keys.len());
        while let (Some(time), Some(value)) = (replies.next(), replies.next()) {
            reads.push(match (time.extract_error(), value.extract_error()) {
                (Ok(time), Ok(value)) => Ok(KeyRead::of(time, value)?),
                (Err(error), _) | (_, Err(error)) => Err(ServerError::of(&error)),
            });
        }
        Ok(reads)
    }
}

/// What the server has said about a key.
#[cfg(feature = "cache")]
pub(crate) struct KeyRead {
    /// `None` if the key is absent.
    pub(crate) value: Option<Vec<u8>>,
    /// How long the key stays, from the moment at which the server was asked.
    pub(crate) time_to_live: Option<Duration>,
}

#[cfg(feature = "cache")]
impl KeyRead {
    fn of(time: Value, value: Value) -> Result<Self, CommandError> {
        let unusable = |command, error: redis::ParsingError| {
            let text = format!("the server's answer to `{command}` is not usable: {error}");
            CommandError::Unknown(Error::connection(text))
        };
        let time: i64 = redis::from_redis_value(time).map_err(|error| unusable("PTTL", error))?;
        Ok(Self {
            value: redis::from_redis_value(value).map_err(|error| unusable("GET", error))?,
            // Negative: the key is absent, or it has no time to live.
            time_to_live: u64::try_from(time).ok().map(Duration::from_millis),
        })
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
