//! A live connection, and the commands that the session sends over it.

use std::sync::Arc;

use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::task::JoinHandle;

use super::tracking;
use crate::error::Error;
use crate::subscription::{Kind, Subscription, TrackingFence};

/// A live connection, for the commands of the session.
///
/// Dropping the last clone ends the connection, unless it is the user's.
#[derive(Clone)]
pub(crate) struct Connection {
    commands: Commands,
    /// The server's number of an attached connection, which its manager may replace at any time.
    attached_as: Option<i64>,
}

impl Connection {
    pub(crate) fn own(manager: ConnectionManager) -> Self {
        Self {
            commands: Commands::Manager(manager),
            attached_as: None,
        }
    }

    pub(crate) fn attached(manager: ConnectionManager, id: i64) -> Self {
        Self {
            commands: Commands::Manager(manager),
            attached_as: Some(id),
        }
    }

    pub(crate) fn driven(connection: MultiplexedConnection, driver: JoinHandle<()>) -> Self {
        Self {
            commands: Commands::Driven(connection, Arc::new(Driver(driver))),
            attached_as: None,
        }
    }

    /// Sets the name that `CLIENT LIST` shows. If the server refuses it, the connection has no name.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(super) async fn set_name(&mut self, name: &str) -> Result<(), Error> {
        let mut command = redis::cmd("CLIENT");
        command.arg("SETNAME").arg(name);
        match self.commands.send(&command).await {
            Err(error) if error.code().is_none() => Err(lost(&error)),
            Err(error) => {
                tracing::warn!(
                    target: "redis_push",
                    %error,
                    "connection name refused by the server; continuing without a name"
                );
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Sends commands in one write, skips `skipped` replies, and returns the `count` after them.
    pub(super) async fn send_all(
        &mut self,
        commands: &Pipeline,
        skipped: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        self.commands.send_all(commands, skipped, count).await
    }

    /// Whether the connection is up, as far as that is known.
    pub(super) fn is_up(&self) -> bool {
        match &self.commands {
            Commands::Manager(_) => true,
            Commands::Driven(_, driver) => !driver.0.is_finished(),
        }
    }

    /// Whether both are the same connection. For managers this is not known, and does not matter.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (&self.commands, &other.commands) {
            (Commands::Driven(_, one), Commands::Driven(_, other)) => Arc::ptr_eq(one, other),
            _ => true,
        }
    }

    /// Whether the connection is the user's, who may use the same names.
    pub(crate) fn is_shared(&self) -> bool {
        self.attached_as.is_some()
    }

    /// Subscribes to each name with its own command. Returns for each why the server refused it, or
    /// `None`.
    ///
    /// The commands are sent together, and after their replies the [fences](TrackingFence) of those
    /// that need one. `None` is not a confirmation: that is a push, which goes to the dispatcher.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn subscribe(
        &mut self,
        subscriptions: &[Subscription],
    ) -> Result<Vec<Option<String>>, Error> {
        self.check_same().await?;
        let commands = subscriptions.iter().map(subscribe);
        let mut refusals = self.each(commands, 0).await?;
        let mut fenced = Vec::new();
        for (subscription, refusal) in subscriptions.iter().zip(&mut refusals) {
            if subscription.kind() == Kind::Invalidation {
                let prefix = subscription.name();
                refusal.take_if(|refusal| tracking::is_already_tracked(prefix, refusal));
                if refusal.is_none() {
                    fenced.push((prefix, refusal));
                }
            }
        }
        let commands = fenced
            .iter()
            .map(|(prefix, _)| tracking::fence(TrackingFence::On, prefix));
        let answers = self.each(commands, 0).await?;
        for ((_, refusal), answer) in fenced.into_iter().zip(answers) {
            let explain = |answer| {
                format!("`UNSUBSCRIBE`, which confirms the tracking, is refused: {answer}")
            };
            *refusal = answer.map(explain);
        }
        Ok(refusals)
    }

    /// Unsubscribes from each name with its own command. Returns for each why the server refused it,
    /// or `None`.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn unsubscribe(
        &mut self,
        subscriptions: &[Subscription],
    ) -> Result<Vec<Option<String>>, Error> {
        let is_tracked = |one: &Subscription| one.kind() == Kind::Invalidation;
        let switch_off = subscriptions
            .iter()
            .any(is_tracked)
            .then(tracking::switch_off);
        let skipped = usize::from(switch_off.is_some());
        let commands = switch_off
            .into_iter()
            .chain(subscriptions.iter().map(unsubscribe));
        self.each(commands, skipped).await
    }

    /// Waits for any answer to a `PING`: an error reply is an answer too.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn ping(&mut self) -> Result<(), Error> {
        match self.commands.send(&redis::cmd("PING")).await {
            Err(error) if error.code().is_none() => Err(lost(&error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Returns those of the prefixes that the server does not track on this connection.
    ///
    /// Asks only on a shared connection: on others nobody switches tracking off. No push reports the
    /// end of tracking.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn untracked(
        &mut self,
        prefixes: Vec<Subscription>,
    ) -> Result<Vec<Subscription>, Error> {
        if !self.is_shared() || prefixes.is_empty() {
            return Ok(Vec::new());
        }
        match self.commands.send(&tracking::ask()).await {
            Err(error) if error.code().is_none() => Err(lost(&error)),
            // The user may not run the command, or the server is older than 6.2.
            Err(_) => Ok(Vec::new()),
            Ok(answer) => Ok(tracking::not_in(&answer, prefixes)),
        }
    }

    /// Returns the error for a server that has replied to every command while confirmations are
    /// missing.
    pub(crate) fn unconfirmed(&self) -> Error {
        let hint = if self.is_shared() {
            "; check that the attached receiver's channel is the push sender of this manager, and \
             that the manager speaks RESP3 (`?protocol=resp3`)"
        } else {
            ""
        };
        Error::connection(format!(
            "the server has replied, but not every confirmation has arrived as a push{hint}"
        ))
    }

    /// Sends the commands together, skips `skipped` replies, and returns for each of the others why
    /// the server refused the command, or `None`.
    async fn each(
        &mut self,
        commands: impl Iterator<Item = Cmd>,
        skipped: usize,
    ) -> Result<Vec<Option<String>>, Error> {
        let mut pipeline = Pipeline::new();
        for command in commands {
            pipeline.add_command(command);
        }
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let replies = self
            .commands
            .send_all(&pipeline, skipped, pipeline.len() - skipped)
            .await
            .map_err(|error| lost(&error))?;
        Ok(replies
            .into_iter()
            .map(|reply| match reply {
                Value::ServerError(error) => {
                    let details = error.details().unwrap_or_default();
                    Some(format!("{} {details}", error.code()))
                }
                _ => None,
            })
            .collect())
    }

    /// Checks that the user's manager still has the same connection. Its `Disconnection` may have been
    /// among the pushes that the attached channel has lost.
    async fn check_same(&mut self) -> Result<(), Error> {
        let (Commands::Manager(manager), Some(id)) = (&mut self.commands, self.attached_as) else {
            return Ok(());
        };
        if client_id(manager).await? == id {
            Ok(())
        } else {
            let text = "the attached manager has replaced its connection";
            Err(Error::connection(text))
        }
    }
}

/// Returns the command that starts a subscription.
fn subscribe(subscription: &Subscription) -> Cmd {
    let name = subscription.name();
    match subscription.kind() {
        Kind::Channel => named("SUBSCRIBE", name),
        Kind::Pattern => named("PSUBSCRIBE", name),
        Kind::Shard => named("SSUBSCRIBE", name),
        Kind::Invalidation => tracking::switch_on(name),
        Kind::Connection => unreachable!("connection events are not subscribed on the server"),
    }
}

/// Returns the command whose confirmation proves that a subscription has ended.
fn unsubscribe(subscription: &Subscription) -> Cmd {
    let name = subscription.name();
    match subscription.kind() {
        Kind::Channel => named("UNSUBSCRIBE", name),
        Kind::Pattern => named("PUNSUBSCRIBE", name),
        Kind::Shard => named("SUNSUBSCRIBE", name),
        Kind::Invalidation => tracking::fence(TrackingFence::Off, name),
        Kind::Connection => unreachable!("connection events are not subscribed on the server"),
    }
}

fn named(command: &str, name: &str) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(name);
    command
}

/// The sender of the commands.
#[derive(Clone)]
enum Commands {
    Manager(ConnectionManager),
    Driven(
        MultiplexedConnection,
        // Aborted when the last clone is dropped.
        Arc<Driver>,
    ),
}

impl Commands {
    async fn send(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Manager(manager) => manager.send_packed_command(command).await,
            Self::Driven(connection, _) => connection.send_packed_command(command).await,
        }
    }

    async fn send_all(
        &mut self,
        commands: &Pipeline,
        skipped: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        match self {
            Self::Manager(manager) => manager.send_packed_commands(commands, skipped, count).await,
            Self::Driven(connection, _) => {
                connection
                    .send_packed_commands(commands, skipped, count)
                    .await
            }
        }
    }
}

/// The task that runs redis-rs over a stream that this crate has opened. Dropping this aborts the task.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns the server's number of a connection.
pub(crate) async fn client_id(manager: &mut ConnectionManager) -> Result<i64, Error> {
    redis::cmd("CLIENT")
        .arg("ID")
        .query_async(manager)
        .await
        .map_err(|error| lost(&error))
}

/// Returns the error for a connection that was lost.
fn lost(error: &RedisError) -> Error {
    Error::connection(format!("the connection was lost: {error}")).caused_by(error.clone())
}
