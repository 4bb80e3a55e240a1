use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{Pipeline, Value};
use tokio::time::timeout;

use super::cluster::{ClusterConnection, Outcome};
#[cfg(feature = "cache")]
use super::command_error::ServerError;
use super::command_error::{CommandError, accepted};
use super::commands::Connection;
use super::lazy::LazyConnection;
use crate::error::Error;

/// The connection of a subscriber for commands that are not about subscriptions: what publishers write
/// and what caches read.
pub(crate) enum CommandConnection {
    /// A connection of its own, separate from the link.
    Own(LazyConnection),
    /// Connections of its own to the nodes of a cluster.
    Cluster(ClusterConnection),
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
            Self::Cluster(_) => "connections to the nodes of a cluster",
            Self::Attached(_) => "the connection of an attached manager",
        }
    }

    /// Returns the probe of the test kit that the connection belongs to.
    #[cfg(feature = "testing")]
    pub(crate) fn probe(&self) -> Option<crate::probe::SharedProbe> {
        match self {
            Self::Own(lazy) => lazy.probe(),
            Self::Cluster(nodes) => nodes.probe(),
            Self::Attached(_) => None,
        }
    }

    /// Whether it goes to one server, and not to the nodes of a cluster.
    pub(crate) fn is_of_one_server(&self) -> bool {
        !matches!(self, Self::Cluster(_))
    }

    /// Sends commands in one write, or in one to each node of a cluster, and returns the reply to each, which
    /// may be an error.
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
            Self::Cluster(nodes) => return all_of(nodes.each(commands, within).await),
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

    /// Sends commands and returns what became of each.
    #[cfg(feature = "cache")]
    async fn send_each(
        &self,
        commands: &Pipeline,
        within: Duration,
    ) -> Result<Vec<Outcome>, CommandError> {
        if let Self::Cluster(nodes) = self {
            return Ok(nodes.each(commands, within).await);
        }
        let replies = self.send(commands, within).await?;
        Ok(replies.into_iter().map(Ok).collect())
    }

    /// Sends commands about one key, in one write, and returns if none of them is refused.
    pub(crate) async fn write(
        &self,
        commands: &Pipeline,
        within: Duration,
    ) -> Result<(), CommandError> {
        if !commands.is_transaction() {
            return accepted(self.send(commands, within).await?).map(drop);
        }
        // Each command is answered with `QUEUED`, and the last reply has the results.
        let replies = (commands.len() + 1, 1);
        let replies = match self {
            Self::Own(lazy) => lazy.replies(commands, replies, within).await?,
            Self::Cluster(nodes) => nodes.together(commands, replies, within).await?,
            Self::Attached(_) => unreachable!("nothing writes transactions to an attached manager"),
        };
        accepted(replies).map(drop)
    }

    /// Reads keys, in one write, or in one to each node of a cluster. Returns for each what is there, or why it
    /// was not read.
    ///
    /// A key is read with `GET`: no slot of a cluster has to have all keys, and a key of another type does
    /// not look as if it were absent. `PTTL` goes before it, so that the value is never older than the
    /// time to live.
    #[cfg(feature = "cache")]
    pub(crate) async fn get(
        &self,
        keys: &[String],
        within: Duration,
    ) -> Result<Vec<Result<KeyRead, CommandError>>, CommandError> {
        let mut commands = Pipeline::new();
        for key in keys {
            commands.cmd("PTTL").arg(key).cmd("GET").arg(key);
        }
        let mut replies = self.send_each(&commands, within).await?.into_iter();
        let mut reads = Vec::with_capacity(keys.len());
        while let (Some(time), Some(value)) = (replies.next(), replies.next()) {
            let read = accepted_one(time).and_then(|time| Ok((time, accepted_one(value)?)));
            reads.push(match read {
                Ok((time, value)) => Ok(KeyRead::of(time, value)?),
                Err(error) => Err(error),
            });
        }
        Ok(reads)
    }
}

#[cfg(feature = "cache")]
fn accepted_one(outcome: Outcome) -> Result<Value, CommandError> {
    let refused = |error| CommandError::Refused(ServerError::of(&error));
    outcome?.extract_error().map_err(refused)
}

/// Returns the replies if there is one to each command. Otherwise it returns what is least certain: that it is
/// not known whether one was executed, or that some were not sent.
fn all_of(outcomes: Vec<Outcome>) -> Result<Vec<Value>, CommandError> {
    let all = outcomes.len();
    let mut replies = Vec::with_capacity(all);
    let mut failed: Option<CommandError> = None;
    let mut count = 0;
    for outcome in outcomes {
        match outcome {
            Ok(reply) => replies.push(reply),
            Err(error) => {
                count += 1;
                let is_worse = matches!(error, CommandError::Unknown(_));
                if failed.is_none() || is_worse {
                    failed = Some(error);
                }
            }
        }
    }
    match failed {
        None => Ok(replies),
        Some(CommandError::NotSent(error)) if count < all => {
            let words = |text| format!("{count} of {all} commands were not sent: {text}");
            Err(CommandError::NotSent(error.in_words(words)))
        }
        Some(error) => Err(error),
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
