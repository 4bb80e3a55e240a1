//! Where a handler's message is taken from, and whether what it listens to carries that.

use crate::subscription::{Kind, Subscription};

/// Where a message is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// What was published on a channel.
    Channel,
    /// What a channel that tells of keys says.
    Keys,
    /// An invalidation of keys.
    Invalidation,
    /// An event of the connection.
    Connection,
}

impl Source {
    /// Whether a subscription may carry it.
    pub(crate) fn is_carried_by(self, subscription: &Subscription) -> bool {
        match (subscription.kind(), self) {
            (Kind::Channel | Kind::Pattern, Self::Keys) => may_tell_of_keys(subscription.name()),
            (Kind::Channel | Kind::Pattern | Kind::Shard, Self::Channel)
            | (Kind::Invalidation, Self::Invalidation)
            | (Kind::Connection, Self::Connection) => true,
            _ => false,
        }
    }

    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Channel => "a message of a channel",
            Self::Keys => "what happens to a key",
            Self::Invalidation => "an invalidation",
            Self::Connection => "an event of the connection",
        }
    }
}

/// Whether a name may be that of a channel that tells of keys, or a glob that matches one.
fn may_tell_of_keys(name: &str) -> bool {
    name.starts_with("__key") || name.starts_with(['*', '?', '[', '\\'])
}
