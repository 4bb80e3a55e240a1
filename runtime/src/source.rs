//! Where a handler's message is taken from, and whether what it listens to carries that.

use crate::error::{Error, Result};
use crate::spec::Spec;
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
    fn is_carried_by(self, subscription: &Subscription) -> bool {
        match (subscription.kind(), self) {
            (Kind::Channel | Kind::Pattern, Self::Keys) => may_tell_of_keys(subscription.name()),
            (Kind::Channel | Kind::Pattern | Kind::Shard, Self::Channel)
            | (Kind::Invalidation, Self::Invalidation)
            | (Kind::Connection, Self::Connection) => true,
            _ => false,
        }
    }

    const fn in_words(self) -> &'static str {
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

/// Refuses a handler that takes what its subscription never carries, and one that listens to the
/// connection among other things, or by several workers: its stream has no gaps, theirs have, and
/// it is told in order. In the attribute the macros see to that; a mount may say something else.
pub(crate) fn refuse_foreign<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    for spec in specs {
        let taken = spec.message.as_ref().and_then(|message| message.source);
        for subscription in &spec.subscriptions {
            if let Some(taken) = taken.filter(|taken| !taken.is_carried_by(subscription)) {
                return Err(Error::config(format!(
                    "{} takes {}, and listens to {subscription}, which carries none: mount it on \
                     what carries that, or let it take something else",
                    spec.label(),
                    taken.in_words(),
                )));
            }
            if subscription.kind() != Kind::Connection {
                continue;
            }
            let mistake = if spec.subscriptions.len() > 1 {
                "and to something else: let two handlers do that"
            } else if spec.workers > 1 {
                "by several workers: its events are told in order"
            } else {
                continue;
            };
            return Err(Error::config(format!(
                "{} listens to the connection {mistake}",
                spec.label(),
            )));
        }
    }
    Ok(())
}
