//! Where a handler's message is taken from, and whether what it listens to carries that.

use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::subscription::Kind;

/// Where a message is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// What was published on a channel.
    Channel,
    /// An invalidation of keys.
    Invalidation,
    /// An event of the connection.
    Connection,
}

impl Source {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Channel | Kind::Pattern | Kind::Shard => Self::Channel,
            Kind::Invalidation => Self::Invalidation,
            Kind::Connection => Self::Connection,
        }
    }

    const fn in_words(self) -> &'static str {
        match self {
            Self::Channel => "a message of a channel",
            Self::Invalidation => "an invalidation",
            Self::Connection => "an event of the connection",
        }
    }
}

/// Refuses a handler that takes what its subscription never carries, and one that listens to the
/// connection among other things: its stream has no gaps, theirs have. In the attribute the macros
/// see to that; a mount may say something else.
pub(crate) fn refuse_foreign<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Result<()> {
    for spec in specs {
        let taken = spec.message.as_ref().and_then(|message| message.source);
        for subscription in &spec.subscriptions {
            let carried = Source::of(subscription.kind());
            if let Some(taken) = taken
                && taken != carried
            {
                return Err(Error::config(format!(
                    "{} takes {}, and listens to {subscription}, which carries none",
                    spec.label(),
                    taken.in_words(),
                )));
            }
            if carried == Source::Connection && spec.subscriptions.len() > 1 {
                return Err(Error::config(format!(
                    "{} listens to the connection and to something else: let two handlers do that",
                    spec.label(),
                )));
            }
        }
    }
    Ok(())
}
