use serde::{Deserialize, Serialize};

/// What a subscriber has counted since it started.
///
/// Prints as a table, a line for each handler:
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
    /// What came off the connection, before it was any handler's.
    pub feed: FeedStats,
    /// What became of the deliveries that the failure hook was to be told of.
    pub failures: FailureStats,
    /// Tasks of the subscriber that had ended unasked and were started again.
    pub restarts: u64,
}

/// What one handler has counted.
///
/// At a quiet moment, and as an inequality (≥) at any other:
/// `received = handled + failed + panicked + timed_out + rejected + unmatched + dropped +
/// superseded + cancelled + queued + running`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandlerStats {
    /// The handler's name.
    pub handler: String,
    /// What it listens to.
    pub subscriptions: Vec<String>,
    /// Pushes that have entered its ring since it was mounted.
    pub received: u64,
    /// Deliveries that ended well.
    pub handled: u64,
    /// Deliveries for which the handler returned an error.
    pub failed: u64,
    /// Deliveries in which the handler panicked.
    pub panicked: u64,
    /// Deliveries that took longer than the handler's timeout.
    pub timed_out: u64,
    /// Pushes from which an argument could not be taken; the handler did not run.
    pub rejected: u64,
    /// Pushes that the handler's glob matches but its template does not.
    pub unmatched: u64,
    /// Pushes that were lost because the handler's buffer was full.
    pub dropped: u64,
    /// Pushes that a newer one on the same channel replaced before they were delivered, where only
    /// the newest counts.
    pub superseded: u64,
    /// Pushes that a shutdown did not leave time for, and deliveries that were under way when the
    /// handler's loop was ended.
    pub cancelled: u64,
    /// Pushes that wait for the handler.
    pub queued: u64,
    /// Deliveries under way.
    pub running: u64,
    /// Gaps the handler was told of; its first subscription is not one.
    pub gaps: u64,
    /// Runs of the gap handler that failed, each of which was tried again.
    pub gap_failures: u64,
    /// Times it had not come back within its stall limit.
    pub stalls: u64,
    /// Batches in which the pushes were delivered: the handler was woken at most this often for
    /// messages.
    pub batches: u64,
    /// Whether the handler is [paused](crate::Handle::pause).
    #[serde(default)]
    pub is_paused: bool,
}

/// What came off the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FeedStats {
    /// Pushes of every kind on live connections.
    pub pushes: u64,
    /// Messages for names that nobody here listens to.
    pub unrouted: u64,
    /// Pushes of a kind that is not known here.
    pub unknown: u64,
    /// Pushes of a known kind that are not formed as they should be.
    pub malformed: u64,
    /// Pushes that an ended connection delivered late; they were discarded.
    pub stale: u64,
    /// Pushes that were lost in an attached channel, before they were counted as `pushes`; whose
    /// they were is not known. Each handler was told of a gap.
    pub overflowed: u64,
    /// Messages that were left out because their payload was larger than it may be. Each handler
    /// was told.
    #[serde(default)]
    pub oversized: u64,
    /// Connections that were lost after they had been subscribed.
    pub reconnects: u64,
}

/// What became of the deliveries that did not end well, where there is a hook
/// ([`Subscriber::on_failure`](crate::Subscriber::on_failure)); all 0 without one.
///
/// At a quiet moment the sum is that of the handlers' `failed`, `panicked`, `timed_out` and
/// `rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureStats {
    /// Failures that the hook was told of, and took.
    pub told: u64,
    /// Failures for which the hook returned an error, such as one that a sink could not write.
    pub failed: u64,
    /// Failures over which the hook panicked.
    pub panicked: u64,
    /// Failures that the hook was not told of: its queue was full, or the subscriber ended first.
    pub dropped: u64,
    /// Failures that wait for the hook, with the one it is being told of.
    pub queued: u64,
}

impl Stats {
    /// Messages that are known to be lost: the sum of `dropped`.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.handlers.iter().map(|handler| handler.dropped).sum()
    }

    /// Gaps that handlers were told of: the sum of `gaps`.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.handlers.iter().map(|handler| handler.gaps).sum()
    }

    /// The entry of the handler with this name, the first if there are several.
    #[must_use]
    pub fn handler(&self, name: &str) -> Option<&HandlerStats> {
        self.handlers.iter().find(|entry| entry.handler == name)
    }
}

impl HandlerStats {
    /// Everything that `received` has become: equal to it at a quiet moment.
    #[must_use]
    pub fn accounted(&self) -> u64 {
        self.delivered()
            + self.dropped
            + self.superseded
            + self.cancelled
            + self.queued
            + self.running
    }

    /// Deliveries that have ended, in whatever way.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.handled + self.failed + self.panicked + self.timed_out + self.rejected + self.unmatched
    }

    /// Counts what is left as cancelled: nobody will deliver it any more.
    pub(crate) fn cancel_rest(&mut self) {
        self.cancelled += std::mem::take(&mut self.queued) + std::mem::take(&mut self.running);
    }
}
