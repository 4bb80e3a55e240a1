mod connect_error;
mod credentials;
mod dial;
mod endpoint;
mod lazy;
mod options;
mod server;
mod stream;
pub(crate) mod tls;
mod tracking;

pub use credentials::Credentials;
pub use endpoint::Endpoint;
pub(crate) use lazy::{CommandError, LazyConnection, ServerError};
pub(crate) use server::Server;
pub use tls::Tls;

use std::sync::Arc;

use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::subscription::{Kind, Subscription, TrackingFence};

/// A live connection: what the supervisor says to the server over it.
///
/// Dropping it ends the connection, unless it is the user's.
#[derive(Clone)]
pub(crate) struct Connection {
    commands: Commands,
    /// The server's number of this connection, where somebody else may replace it under us.
    attached_as: Option<i64>,
}

impl Connection {
    pub(super) fn own(manager: ConnectionManager) -> Self {
        Self {
            commands: Commands::Manager(manager),
            attached_as: None,
        }
    }

    pub(super) fn attached(manager: ConnectionManager, id: i64) -> Self {
        Self {
            commands: Commands::Manager(manager),
            attached_as: Some(id),
        }
    }

    pub(super) fn driven(connection: MultiplexedConnection, driver: JoinHandle<()>) -> Self {
        Self {
            commands: Commands::Driven(connection, Arc::new(Driver(driver))),
            attached_as: None,
        }
    }

    /// Gives the connection a name that `CLIENT LIST` shows. A user who may not do that goes
    /// without.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub(super) async fn set_name(&mut self, name: &str) -> Result<(), Error> {
        let mut command = redis::cmd("CLIENT");
        command.arg("SETNAME").arg(name);
        match self.commands.send(&command).await {
            Err(error) if error.code().is_none() => Err(lost(&error)),
            Err(error) => {
                tracing::warn!(
                    target: "redis_push",
                    %error,
                    "the server does not let the connection be named"
                );
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Sends commands in one write, and returns `count` replies behind those that are skipped.
    pub(super) async fn send_all(
        &mut self,
        commands: &Pipeline,
        skipped: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        self.commands.send_all(commands, skipped, count).await
    }

    /// Whether it is not known to have ended.
    pub(super) fn is_up(&self) -> bool {
        match &self.commands {
            Commands::Manager(_) => true,
            Commands::Driven(_, driver) => !driver.0.is_finished(),
        }
    }

    /// Whether both are one connection. Of managers it is not known, and one is as good as another.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (&self.commands, &other.commands) {
            (Commands::Driven(_, one), Commands::Driven(_, other)) => Arc::ptr_eq(one, other),
            _ => true,
        }
    }

    /// Whether the names on it may be somebody else's too.
    pub(crate) fn is_shared(&self) -> bool {
        self.attached_as.is_some()
    }

    /// Subscribes to each name with a command of its own and returns, for each, why the server
    /// refused it.
    ///
    /// One name a command: under ACL a `SUBSCRIBE` is all or nothing, and redis-rs counts one
    /// reply a command. The commands go out together, and behind their replies the
    /// [fences](Fence) of what needs one. A `None` is no confirmation: that comes to the feed.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
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
            let needs = |answer| format!("to be sure of it `UNSUBSCRIBE` is needed too: {answer}");
            *refusal = answer.map(needs);
        }
        Ok(refusals)
    }

    /// Unsubscribes from each name, likewise. Never without a name: that would end subscriptions
    /// that are not ours, and redis-rs miscounts its replies.
    pub(crate) async fn unsubscribe(
        &mut self,
        subscriptions: &[Subscription],
    ) -> Result<Vec<Option<String>>, Error> {
        let is_tracked = |one: &Subscription| one.kind() == Kind::Invalidation;
        let first = subscriptions
            .iter()
            .any(is_tracked)
            .then(tracking::switch_off);
        let skipped = usize::from(first.is_some());
        let commands = first
            .into_iter()
            .chain(subscriptions.iter().map(unsubscribe));
        self.each(commands, skipped).await
    }

    /// Waits for any answer to a `PING`.
    ///
    /// # Errors
    ///
    /// When the connection is lost. That the server refuses the command is an answer too.
    pub(crate) async fn ping(&mut self) -> Result<(), Error> {
        match self.commands.send(&redis::cmd("PING")).await {
            Err(error) if error.code().is_none() => Err(lost(&error)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Those of the prefixes that the server does not tell of on this connection. It can only be
    /// known, and only change, where somebody else has a say: no push tells that tracking has ended.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub(crate) async fn untracked(
        &mut self,
        prefixes: Vec<Subscription>,
    ) -> Result<Vec<Subscription>, Error> {
        if !self.is_shared() || prefixes.is_empty() {
            return Ok(Vec::new());
        }
        match self.commands.send(&tracking::ask()).await {
            Err(error) if error.code().is_none() => Err(lost(&error)),
            // A user without that right, or a server before 6.2.
            Err(_) => Ok(Vec::new()),
            Ok(answer) => Ok(tracking::not_in(&answer, prefixes)),
        }
    }

    /// What is wrong when the server has answered every command, and confirmations are missing.
    pub(crate) fn unconfirmed(&self) -> Error {
        let hint = match self.is_shared() {
            true => {
                "; is the attached receiver's channel the push sender of this manager, and does \
                 the manager speak RESP3 (`?protocol=resp3`)?"
            }
            false => "",
        };
        Error::connection(format!(
            "the server has answered, but not every confirmation has come as a push{hint}"
        ))
    }

    /// Sends the commands together, and returns why the server refused each of them behind those
    /// that are skipped.
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

    /// Makes sure that the user's manager has not gone to another connection unnoticed: its
    /// `Disconnection` may have been among pushes that were lost before us.
    async fn check_same(&mut self) -> Result<(), Error> {
        let (Commands::Manager(manager), Some(id)) = (&mut self.commands, self.attached_as) else {
            return Ok(());
        };
        match client_id(manager).await? == id {
            true => Ok(()),
            false => Err(Error::connection(
                "the attached manager has replaced its connection",
            )),
        }
    }
}

/// The command that asks for a subscription.
fn subscribe(subscription: &Subscription) -> Cmd {
    let name = subscription.name();
    match subscription.kind() {
        Kind::Channel => named("SUBSCRIBE", name),
        Kind::Pattern => named("PSUBSCRIBE", name),
        Kind::Shard => named("SSUBSCRIBE", name),
        Kind::Invalidation => tracking::switch_on(name),
        Kind::Connection => unreachable!("the server is not asked for it"),
    }
}

/// The command whose confirmation says that a subscription has ended.
fn unsubscribe(subscription: &Subscription) -> Cmd {
    let name = subscription.name();
    match subscription.kind() {
        Kind::Channel => named("UNSUBSCRIBE", name),
        Kind::Pattern => named("PUNSUBSCRIBE", name),
        Kind::Shard => named("SUNSUBSCRIBE", name),
        Kind::Invalidation => tracking::fence(TrackingFence::Off, name),
        Kind::Connection => unreachable!("the server is not asked for it"),
    }
}

fn named(command: &str, name: &str) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(name);
    command
}

/// Where commands go.
#[derive(Clone)]
enum Commands {
    Manager(ConnectionManager),
    Driven(
        MultiplexedConnection,
        // Ends with the last clone.
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

/// The task that reads and writes a connection over a stream of ours; it ends with its owner.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The server's number of a connection.
pub(crate) async fn client_id(manager: &mut ConnectionManager) -> Result<i64, Error> {
    redis::cmd("CLIENT")
        .arg("ID")
        .query_async(manager)
        .await
        .map_err(|error| lost(&error))
}

/// A connection that was there and is no more.
fn lost(error: &RedisError) -> Error {
    Error::connection(format!("the connection was lost: {error}")).caused_by(error.clone())
}
