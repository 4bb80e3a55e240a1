//! Where a handler's message comes from, and which subscriptions carry it.

use crate::subscription::{Kind, Subscription};

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Published on a channel.
    Channel,
    /// A key event, which the server publishes on a `__keyspace@…` or `__keyevent@…` channel.
    Keys,
    /// An invalidation of keys.
    Invalidation,
    /// A connection event.
    Connection,
}

impl Source {
    /// Returns whether a subscription may carry messages from this source.
    pub(crate) fn is_carried_by(self, subscription: &Subscription) -> bool {
        match (subscription.kind(), self) {
            (Kind::Channel | Kind::Pattern, Self::Keys) => {
                may_carry_key_events(subscription.name())
            }
            (Kind::Channel | Kind::Pattern | Kind::Shard, Self::Channel)
            | (Kind::Invalidation, Self::Invalidation)
            | (Kind::Connection, Self::Connection) => true,
            _ => false,
        }
    }

    /// Names a message from this source, for errors.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Channel => "a channel message",
            Self::Keys => "a key event",
            Self::Invalidation => "an invalidation",
            Self::Connection => "a connection event",
        }
    }
}

/// Returns whether a name may be that of a channel with key events, or a glob that matches one.
fn may_carry_key_events(name: &str) -> bool {
    name.starts_with("__key") || name.starts_with(['*', '?', '[', '\\'])
}
