//! The commands that subscribe and unsubscribe.

use redis::Cmd;

use super::awaited::Confirmation;
use super::tracking;
use crate::subscription::{Kind, Subscription, TrackingFence};

/// A command, and the confirmation that the server sends as a push, if there is one.
pub(super) struct Request {
    pub(super) command: Cmd,
    pub(super) confirmed_by: Option<Confirmation>,
}

impl Request {
    pub(super) fn new(command: Cmd) -> Self {
        Self {
            command,
            confirmed_by: None,
        }
    }
}

/// Returns the command that starts a subscription.
pub(super) fn subscribe(subscription: &Subscription) -> Request {
    let name = subscription.name();
    let kind = subscription.kind();
    let command = match kind {
        Kind::Channel => "SUBSCRIBE",
        Kind::Pattern => "PSUBSCRIBE",
        Kind::Shard => "SSUBSCRIBE",
        Kind::Invalidation => return Request::new(tracking::switch_on(name)),
        Kind::Connection => unreachable!("connection events are not subscribed on the server"),
    };
    Request {
        command: named(command, name.as_bytes()),
        confirmed_by: Some(Confirmation::subscribed(kind, name)),
    }
}

/// Returns the command whose confirmation proves that a subscription has ended.
pub(super) fn unsubscribe(subscription: &Subscription) -> Request {
    let name = subscription.name();
    match subscription.kind() {
        Kind::Invalidation => unsubscribe_name(Kind::Channel, TrackingFence::Off.name(name)),
        kind => unsubscribe_name(kind, name.as_bytes().to_vec()),
    }
}

pub(super) fn unsubscribe_name(kind: Kind, name: Vec<u8>) -> Request {
    let command = match kind {
        Kind::Channel => "UNSUBSCRIBE",
        Kind::Pattern => "PUNSUBSCRIBE",
        Kind::Shard => "SUNSUBSCRIBE",
        Kind::Invalidation | Kind::Connection => unreachable!("not a name on the server"),
    };
    Request {
        command: named(command, &name),
        confirmed_by: Some(Confirmation::unsubscribed(kind, name)),
    }
}

fn named(command: &str, name: &[u8]) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(name);
    command
}
