use serde::{Deserialize, Serialize};

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
    /// The counts of handlers that were [unmounted](crate::MountGuard), by their names.
    #[serde(default)]
    pub unmounted: Vec<HandlerStats>,
    /// One entry for each template or kind of name that streams have listened to, in alphabetical
    /// order. Entries stay when their streams have ended.
    #[serde(default)]
    pub streams: Vec<StreamStats>,
    /// One entry for each template of a `NearCache` (feature `cache`), in alphabetical order. Entries stay
    /// when their caches are gone.
    #[serde(default)]
    pub caches: Vec<CacheStats>,
    /// The pushes of the connection, before they are distributed to handlers.
    pub feed: FeedStats,
    /// The failures that were meant for the failure hook.
    pub failures: FailureStats,
    /// Restarts of internal tasks that exited unexpectedly.
    pub restarts: u64,
}

/// How many subscriptions the counts of unmounted handlers of one name list.
const MAX_LISTED: usize = 20;

/// The counts of one handler.
///
/// When nothing is under way, `received = handled + failed + panicked + timed_out + rejected +
/// unmatched + dropped + superseded + cancelled + queued + running`. At any other moment,
/// `received` is equal or greater.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandlerStats {
    /// The handler's name.
    pub handler: String,
    /// The subscriptions of the handler.
    pub subscriptions: Vec<String>,
    /// Pushes that have entered the handler's buffer since it was mounted.
    pub received: u64,
    /// Deliveries that succeeded.
    pub handled: u64,
    /// Deliveries for which the handler returned an error.
    pub failed: u64,
    /// Deliveries in which the handler panicked.
    pub panicked: u64,
    /// Deliveries that took longer than the handler's timeout.
    pub timed_out: u64,
    /// Deliveries for which an argument could not be extracted; the handler did not run.
    pub rejected: u64,
    /// Pushes that the handler's glob matches but its template does not.
    pub unmatched: u64,
    /// Pushes that were lost because the handler's buffer was full, because all buffers together
    /// had reached their limit, or because the handler's loop was restarted.
    pub dropped: u64,
    /// Pushes that were replaced by a newer one on the same channel before they were delivered,
    /// with [`Overflow::Latest`](crate::Overflow::Latest).
    pub superseded: u64,
    /// Pushes that were not delivered before the end of a shutdown, and deliveries that were under
    /// way when the handler's loop ended.
    pub cancelled: u64,
    /// Pushes that are waiting for the handler.
    pub queued: u64,
    /// Deliveries under way.
    pub running: u64,
    /// Gaps that were reported to the handler, with those of requested
    /// [resyncs](crate::Handle::resync) and without the initial one.
    pub gaps: u64,
    /// Runs of the gap handler that failed. Each was retried.
    pub gap_failures: u64,
    /// How often the handler exceeded its stall limit.
    pub stalls: u64,
    /// Batches in which the pushes were delivered. The handler was woken for messages at most this
    /// often.
    pub batches: u64,
    /// Whether the handler is [paused](crate::Handle::pause).
    #[serde(default)]
    pub is_paused: bool,
}

/// The counts of the streams that listen to the same template, or to the same kind of name.
///
/// A message counts when a stream has read it or has passed it, or when the stream ends. Until then it
/// is in no count. So `received = taken + rejected + unmatched + dropped + superseded + cancelled`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamStats {
    /// The template, or the kind of the name.
    pub listens_to: String,
    /// The streams that have not ended.
    pub open: u64,
    /// Messages that have entered the buffers of the streams since they have begun: for each stream, each
    /// message. They are equal to [`accounted`](Self::accounted) when nothing is under way, and otherwise
    /// equal or greater.
    pub received: u64,
    /// Messages that were decoded and returned.
    pub taken: u64,
    /// Messages that could not be decoded.
    pub rejected: u64,
    /// Messages that the glob matches but the template does not.
    pub unmatched: u64,
    /// Messages that were lost because the stream was too slow, or because all buffers together had
    /// reached their limit.
    pub dropped: u64,
    /// Messages that were skipped for newer ones, with [`latest`](crate::Subscribe::latest).
    pub superseded: u64,
    /// Messages that waited when the stream was dropped.
    pub cancelled: u64,
    /// Messages that wait to be read, with those that a stream has read since it last ran out of them.
    #[serde(default)]
    pub queued: u64,
    /// Gaps that were reported, without the initial ones.
    pub gaps: u64,
}

impl StreamStats {
    /// Returns the sum of all that messages have become.
    #[must_use]
    pub fn accounted(&self) -> u64 {
        self.taken
            + self.rejected
            + self.unmatched
            + self.dropped
            + self.superseded
            + self.cancelled
            + self.queued
    }
}

/// The counts of the near caches of one template (feature `cache`): what `NearCache::stats` returns.
///
/// Each key that was asked for is in one of `hits`, `misses` and `bypasses`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CacheStats {
    /// The template of the keys.
    pub keys: String,
    /// Keys that were in the cache, including those that it knew to be absent.
    pub hits: u64,
    /// Keys that were not in the cache. The caller has loaded the key, or has waited for a load of it
    /// that was under way.
    pub misses: u64,
    /// Keys that were loaded without the cache, because it could not know what had changed.
    pub bypasses: u64,
    /// Loads that were begun: keys that were read from the server, or calls of the loader.
    pub loads: u64,
    /// Keys that the server has reported as changed, in the cache or not.
    pub invalidations: u64,
    /// How often everything was removed: because changes may have been missed, or were too many, or the
    /// server was flushed.
    pub clears: u64,
    /// Entries that were removed to make room for others.
    pub evictions: u64,
    /// Entries that are in the caches now.
    pub entries: u64,
}

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

impl HandlerStats {
    /// Returns the sum of all that the received pushes have become. It is equal to `received` when
    /// nothing is under way.
    #[must_use]
    pub fn accounted(&self) -> u64 {
        self.delivered()
            + self.dropped
            + self.superseded
            + self.cancelled
            + self.queued
            + self.running
    }

    /// Returns how many deliveries have ended, with any outcome.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.handled + self.failed + self.panicked + self.timed_out + self.rejected + self.unmatched
    }

    /// Adds the counts of another handler of the same name.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            handler: _,
            subscriptions,
            received,
            handled,
            failed,
            panicked,
            timed_out,
            rejected,
            unmatched,
            dropped,
            superseded,
            cancelled,
            queued,
            running,
            gaps,
            gap_failures,
            stalls,
            batches,
            is_paused: _,
        } = self;
        let new = other.subscriptions.iter();
        let new: Vec<_> = new
            .filter(|one| !subscriptions.contains(one))
            .cloned()
            .collect();
        // Names that come from the users of a service would grow without end.
        let room = MAX_LISTED.saturating_sub(subscriptions.len());
        subscriptions.extend(new.into_iter().take(room));
        *received += other.received;
        *handled += other.handled;
        *failed += other.failed;
        *panicked += other.panicked;
        *timed_out += other.timed_out;
        *rejected += other.rejected;
        *unmatched += other.unmatched;
        *dropped += other.dropped;
        *superseded += other.superseded;
        *cancelled += other.cancelled;
        *queued += other.queued;
        *running += other.running;
        *gaps += other.gaps;
        *gap_failures += other.gap_failures;
        *stalls += other.stalls;
        *batches += other.batches;
    }

    /// Counts the remaining pushes as cancelled, after the loop has ended. Up to `running` deliveries
    /// continue.
    pub(crate) fn cancel_rest(&mut self, running: u64) {
        let running = self.running.min(running);
        self.cancelled += std::mem::take(&mut self.queued) + self.running - running;
        self.running = running;
    }
}
