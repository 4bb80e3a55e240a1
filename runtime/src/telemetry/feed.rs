use serde::{Deserialize, Serialize};

/// The counts of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FeedStats {
    /// Pushes of every kind on live connections.
    pub pushes: u64,
    /// Messages for names that no handler listens to.
    pub unrouted: u64,
    /// Pushes of an unknown kind.
    pub unknown: u64,
    /// Pushes of a known kind that are malformed.
    pub malformed: u64,
    /// Pushes that an ended connection delivered late. They were discarded.
    pub stale: u64,
    /// Pushes that were lost in an attached channel, before they were counted as `pushes`. Their
    /// handlers are not known, so each handler received a gap.
    pub overflowed: u64,
    /// Messages that were left out because their payload was larger than
    /// [`Subscriber::max_payload`](crate::Subscriber::max_payload). Each handler received a gap.
    #[serde(default)]
    pub oversized: u64,
    /// Connections that were lost after they were subscribed.
    pub reconnects: u64,
}

/// The counts of the failure hook ([`Subscriber::on_failure`](crate::Subscriber::on_failure)); all
/// 0 without a hook.
///
/// When nothing is under way, their sum is the sum of `failed`, `panicked`, `timed_out` and
/// `rejected` of all handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureStats {
    /// Failures that were passed to the hook, and that it accepted.
    pub told: u64,
    /// Failures for which the hook returned an error, such as those that a sink could not write.
    pub failed: u64,
    /// Failures for which the hook panicked.
    pub panicked: u64,
    /// Failures that the hook did not complete: its queue was full, the subscriber ended first, or
    /// the hook's task was restarted.
    pub dropped: u64,
    /// Failures that are waiting for the hook, and the one that it is handling.
    pub queued: u64,
}
