//! A live connection, and the commands that the session sends over it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use redis::aio::{ConnectionManager, MultiplexedConnection};
use redis::{Pipeline, RedisError, RedisResult, Value};

use super::awaited::Awaited;
use super::exchange::{Replies, is_passing};
use super::moved::Moved;
use super::requests::{Request, subscribe, unsubscribe, unsubscribe_name};
use super::sender::{Driver, Sender};
use super::sentinel::Primary;
use super::tracking;
use crate::error::Error;
#[cfg(feature = "testing")]
use crate::subscription::KitFence;
use crate::subscription::{Kind, PingFence, Subscription, TrackingFence};

/// A live connection, for the commands of the session.
///
/// Dropping the last clone ends the connection, unless it is the user's.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: Sender,
    /// The server's number of an attached connection, which its manager may replace at any time.
    pub(super) attached_as: Option<i64>,
    /// What the wire link passes to redis-rs as replies. `None` for the other links.
    pub(super) awaited: Option<Awaited>,
    /// The primary that it goes to, if sentinels have named it.
    primary: Option<Arc<Primary>>,
    /// The prefixes that the server tracks since this clone was made or has ended the tracking, wanted or
    /// not. None of them begins with another one.
    pub(super) tracked: BTreeSet<Box<str>>,
    /// When the last `PING` was sent.
    last_ping: Option<SystemTime>,
    /// The same in all clones.
    identity: Arc<()>,
}

impl Connection {
    pub(crate) fn own(manager: ConnectionManager) -> Self {
        Self::over(Sender::Manager(manager))
    }

    /// Spawns the task that runs a connection.
    pub(crate) fn driven(
        connection: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self::over(Sender::Driven(connection, Arc::new(Driver::spawn(driver))))
    }

    /// Sets what the wire link passes to redis-rs as replies.
    pub(crate) fn awaiting(mut self, awaited: Awaited) -> Self {
        self.awaited = Some(awaited);
        self
    }

    /// Sets the primary that it goes to.
    pub(super) fn with_primary(mut self, primary: Arc<Primary>) -> Self {
        self.primary = Some(primary);
        self
    }

    /// Returns the primary that it goes to, if sentinels have named it.
    pub(crate) fn primary(&self) -> Option<&Arc<Primary>> {
        self.primary.as_ref()
    }

    fn over(sender: Sender) -> Self {
        Self {
            sender,
            attached_as: None,
            awaited: None,
            primary: None,
            tracked: BTreeSet::new(),
            last_ping: None,
            identity: Arc::default(),
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
        match self.sender.send(&command).await {
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
        self.sender.send_all(commands, skipped, count).await
    }

    /// Whether the connection is up, and its server the right one, as far as that is known.
    pub(super) fn is_up(&self) -> bool {
        if self
            .primary
            .as_ref()
            .is_some_and(|primary| primary.is_replaced())
        {
            return false;
        }
        match &self.sender {
            Sender::Manager(_) => true,
            Sender::Driven(_, driver) => !driver.has_ended(),
        }
    }

    /// Whether one is a clone of the other.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.identity, &other.identity)
    }

    /// Whether every push is dispatched before the reply after it. Otherwise pushes wait in a queue of
    /// redis-rs while replies overtake them.
    fn keeps_order(&self) -> bool {
        self.awaited.is_some()
    }

    /// Unsubscribes from each of the names that are left, and subscribes to each that is wanted, with its
    /// own command. Returns for each what the server has replied.
    ///
    /// The commands are sent together, and after their replies the [fences](TrackingFence) of those
    /// that need one. [`Reply::Accepted`] is not a confirmation: that is a push, which goes to the
    /// dispatcher.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn change(
        &mut self,
        leaving: &[Subscription],
        wanted: &[Subscription],
    ) -> Result<(Vec<Reply>, Vec<Reply>), Error> {
        if !wanted.is_empty() {
            self.check_same().await?;
        }
        let requests = leaving.iter().map(unsubscribe);
        let requests = requests.chain(wanted.iter().map(subscribe));
        let mut left = self.each(requests).await?;
        let mut replies = left.split_off(leaving.len());
        let mut fenced = Vec::new();
        for (subscription, reply) in wanted.iter().zip(&mut replies) {
            if subscription.kind() == Kind::Invalidation {
                let prefix = subscription.name();
                match reply {
                    Reply::Accepted => _ = self.tracked.insert(prefix.into()),
                    Reply::Denied(why) if tracking::is_already_tracked(prefix, why) => {
                        *reply = Reply::Accepted;
                    }
                    Reply::Denied(_) | Reply::NotNow(_) | Reply::Moved { .. } => continue,
                }
                fenced.push((prefix, reply));
            }
        }
        let fences = fenced
            .iter()
            .map(|(prefix, _)| unsubscribe_name(Kind::Channel, TrackingFence::On.name(prefix)));
        let answers = self.each(fences).await?;
        for ((_, reply), answer) in fenced.into_iter().zip(answers) {
            *reply = match answer {
                Reply::Denied(reason) => Reply::Denied(format!(
                    "`UNSUBSCRIBE`, which confirms the tracking, is refused: {reason}"
                )),
                answer => answer,
            };
        }
        Ok((left, replies))
    }

    /// Unsubscribes from each name with its own command, and from all invalidations if there is one
    /// among them. Returns how many of the names the server does not unsubscribe: no push follows for
    /// them.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost.
    pub(crate) async fn unsubscribe(
        &mut self,
        subscriptions: &[Subscription],
    ) -> Result<u64, Error> {
        let is_tracked = |one: &Subscription| one.kind() == Kind::Invalidation;
        let switch_off = subscriptions
            .iter()
            .any(is_tracked)
            .then(|| Request::new(tracking::switch_off()));
        let skipped = usize::from(switch_off.is_some());
        let requests = switch_off
            .into_iter()
            .chain(subscriptions.iter().map(unsubscribe));
        let replies = self.exchange(requests.collect()).await?;
        let replies = replies.values.iter().skip(skipped);
        let refused = replies.filter(|reply| matches!(reply, Value::ServerError(_)));
        Ok(refused.count() as u64)
    }

    /// Whether [`ping`](Self::ping) sends a [`PingFence`].
    pub(crate) fn pings_with_a_fence(&self) -> bool {
        !self.keeps_order()
    }

    /// Waits for any answer to a `PING` that is sent at `now`: an error reply is an answer too.
    ///
    /// Where pushes wait in a queue, a [`PingFence`] is sent too. Its confirmation follows the pushes
    /// that the server has sent before, and contains how many channels and patterns the connection is
    /// subscribed to. A connection `with_shards` gets a fence for the number of sharded channels too.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost, or its replies are out of step.
    pub(crate) async fn ping(&mut self, now: SystemTime, with_shards: bool) -> Result<Pong, Error> {
        let previous = self.last_ping.replace(now);
        if self.keeps_order() {
            let replies = self.exchange(Vec::new()).await?;
            let complete_until = replies.are_proven.then_some(now);
            return Ok(Pong { complete_until });
        }
        let name = PingFence(now).name();
        // The one that moves the fence comes last.
        let shards = with_shards.then(|| unsubscribe_name(Kind::Shard, name.clone()));
        let fences = shards
            .into_iter()
            .chain([unsubscribe_name(Kind::Channel, name)]);
        let Replies { values, are_proven } = self.exchange(fences.collect()).await?;
        match values.last() {
            // The user may not unsubscribe. The queue is hardly longer than a ping interval.
            Some(Value::ServerError(_)) => Ok(Pong {
                complete_until: previous.filter(|_| are_proven),
            }),
            Some(Value::Push { .. }) => Ok(Pong {
                complete_until: None,
            }),
            _ => Err(Error::connection(
                "the connection does not speak RESP3 any more; its owner may have sent `RESET`, which \
                 ends every subscription",
            )),
        }
    }

    /// Sends a fence of the test kit. The dispatcher sees its confirmation after all pushes that the server
    /// has sent before.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is lost, or if the server refuses the command.
    #[cfg(feature = "testing")]
    pub(crate) async fn send_fence(&mut self, fence: KitFence) -> Result<(), Error> {
        let request = unsubscribe_name(Kind::Channel, fence.name());
        match self.exchange(vec![request]).await?.values.first() {
            Some(Value::ServerError(error)) => Err(Error::denied(format!(
                "the server refuses `UNSUBSCRIBE`, with which the test kit finds out what has arrived: \
                 {} {}",
                error.code(),
                error.details().unwrap_or_default()
            ))),
            _ => Ok(()),
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

    /// Sends the commands together, and returns what the server has replied to each.
    pub(super) async fn each(
        &mut self,
        requests: impl Iterator<Item = Request>,
    ) -> Result<Vec<Reply>, Error> {
        let requests: Vec<_> = requests.collect();
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let Replies { values, are_proven } = self.exchange(requests).await?;
        Ok(values
            .into_iter()
            .map(|value| match value {
                Value::ServerError(error) => {
                    let details = error.details().unwrap_or_default();
                    let reason = format!("{} {details}", error.code());
                    if let Some(to) = Moved::parse(&error, "").filter(|_| are_proven) {
                        Reply::Moved { reason, to }
                    } else if are_proven && !is_passing(error.code()) {
                        Reply::Denied(reason)
                    } else {
                        Reply::NotNow(reason)
                    }
                }
                _ => Reply::Accepted,
            })
            .collect())
    }
}

/// The answer to a `PING`.
#[derive(Debug)]
pub(crate) struct Pong {
    /// A time to which the dispatcher can move its fence: the server has sent all that was published
    /// until then, and the dispatcher has accepted it. `None` if that is not known, or if the dispatcher
    /// finds it out by a push.
    pub(crate) complete_until: Option<SystemTime>,
}

/// What the server has replied to a subscribe command.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The command is accepted. The confirmation is a push.
    Accepted,
    /// The command is refused, for this reason.
    Denied(String),
    /// The command is not executed in the present state of the server, for this reason.
    NotNow(String),
    /// Another node of the cluster has the slot of the name.
    Moved { reason: String, to: Moved },
}

/// Returns the error for a connection that was lost.
pub(super) fn lost(error: &RedisError) -> Error {
    Error::connection(format!("the connection was lost: {error}")).caused_by(error.clone())
}
