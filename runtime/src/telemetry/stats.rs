use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CacheStats, FailureStats, FeedStats, HandlerStats, StreamStats};

/// The counts of a subscriber since its start.
///
/// `Display` prints a table with one line for each handler:
///
/// ```
/// # let stats = redis_push::Stats::default();
/// println!("{stats}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// One entry for each mounted handler, in the order of mounting.
    pub handlers: Vec<HandlerStats>,
    /// The counts of handlers that were [unmounted](crate::MountGuard), by their names and what they
    /// listened to.
    #[serde(default)]
    pub unmounted: Vec<HandlerStats>,
    /// One entry for each template or kind of name that streams have listened to, in alphabetical
    /// order. Entries stay when their streams have ended. After 1,000 of them, the next ones are counted
    /// together as `others`.
    #[serde(default)]
    pub streams: Vec<StreamStats>,
    /// One entry for each template of a `NearCache` (feature `cache`), in alphabetical order. Entries stay
    /// when their caches are gone. After 1,000 of them, the next ones are counted together as `others`.
    #[serde(default)]
    pub caches: Vec<CacheStats>,
    /// The pushes of the connection, before they are distributed to handlers.
    pub feed: FeedStats,
    /// The failures that were meant for the failure hook.
    pub failures: FailureStats,
    /// Restarts of internal tasks that exited unexpectedly.
    pub restarts: u64,
    /// The connection and the subscriptions at this moment.
    #[serde(default)]
    pub now: StateStats,
}

/// How the connection and the subscriptions of a subscriber are at one moment.
/// [`Health`](crate::Health) has the reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateStats {
    /// Whether the internal tasks run: see [`Health::is_live`](crate::Health::is_live).
    pub is_live: bool,
    /// Whether every subscription is confirmed: see [`Health::is_ready`](crate::Health::is_ready).
    pub is_ready: bool,
    /// The names that handlers listen to.
    pub handler_names: NameStats,
    /// The names that only streams listen to.
    pub stream_names: NameStats,
    /// How long the last answer to a `PING` took.
    pub ping_rtt: Option<Duration>,
    /// How long ago a `PING`, or the greeting of a connection, was last answered.
    pub since_ping: Option<Duration>,
}

/// How many names are subscribed, and how many should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NameStats {
    /// Names that handlers or streams listen to.
    pub desired: u64,
    /// Those that the server has confirmed on this connection.
    pub confirmed: u64,
    /// Those that the server has denied.
    pub denied: u64,
}

impl Stats {
    /// Returns how many messages are known to be lost: the sum of `dropped`.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.all_handlers().map(|handler| handler.dropped).sum()
    }

    /// Returns how many gaps were reported to handlers: the sum of `gaps`.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.all_handlers().map(|handler| handler.gaps).sum()
    }

    pub(super) fn all_handlers(&self) -> impl Iterator<Item = &HandlerStats> {
        self.handlers.iter().chain(&self.unmounted)
    }

    /// Returns the entry of the handler with this name; the first one if there are several.
    #[must_use]
    pub fn handler(&self, name: &str) -> Option<&HandlerStats> {
        self.handlers.iter().find(|entry| entry.handler == name)
    }
}
