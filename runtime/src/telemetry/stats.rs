use std::time::Duration;

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
    /// The counts of handlers that were [unmounted](crate::MountGuard), by their names and what they
    /// listened to.
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

/// How many subscriptions the counts of unmounted handlers of one name list.
const MAX_LISTED: usize = 20;

/// The counts of one handler.
///
/// When nothing is under way, `received = handled + failed + panicked + timed_out + rejected +
/// unmatched + skipped + dropped + superseded + cancelled + queued + running`. At any other moment,
/// `received` is equal or greater.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandlerStats {
    /// The handler's name.
    pub handler: String,
    /// The subscriptions of the handler.
    pub subscriptions: Vec<String>,
    /// The templates of these subscriptions, or, for those without params, their names. Names that were
    /// given with [`Mount::on`](crate::Mount::on) are not listed one by one, because they may come from the
    /// users of a service.
    #[serde(default)]
    pub listens_to: String,
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
    /// Deliveries that a [layer](crate::Layer) has skipped.
    #[serde(default)]
    pub skipped: u64,
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
    /// How long the oldest of them has waited, at most; `None` if none waits. This is since the first push
    /// of its batch arrived.
    #[serde(default)]
    pub queue_age: Option<Duration>,
    /// Deliveries under way.
    pub running: u64,
    /// Gaps that were reported to the handler, with those of requested
    /// [resyncs](crate::Handle::resync) and without the initial one.
    pub gaps: u64,
    /// The same gaps by their causes.
    #[serde(default)]
    pub gap_causes: GapCounts,
    /// Runs of the gap handler that failed. Each was retried.
    pub gap_failures: u64,
    /// Attempts of deliveries beyond the first one of each: by the [retry](crate::Spec::retry) policy, or by
    /// a [layer](crate::Layer). A delivery counts once, with its last outcome.
    #[serde(default)]
    pub retries: u64,
    /// How often the handler exceeded its stall limit.
    pub stalls: u64,
    /// Batches in which the pushes were delivered. The handler was woken for messages at most this
    /// often.
    pub batches: u64,
    /// Whether the handler is [paused](crate::Handle::pause).
    #[serde(default)]
    pub is_paused: bool,
}

/// Gaps by their [causes](crate::GapCause), without the initial ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GapCounts {
    /// Gaps of [lost connections](crate::GapCause::ConnectionLost).
    pub connection_lost: u64,
    /// Gaps of subscriptions that the server had [ended or denied](crate::GapCause::Resubscribed).
    pub resubscribed: u64,
    /// Gaps of handlers that were [too slow](crate::GapCause::Lagged).
    pub lagged: u64,
    /// Gaps of payloads that were [too large](crate::GapCause::Oversized).
    pub oversized: u64,
    /// Gaps of [restarts](crate::GapCause::Restarted) of handlers' loops.
    pub restarted: u64,
    /// Gaps of [requested](crate::GapCause::Requested) resyncs.
    pub requested: u64,
}

impl GapCounts {
    /// Returns the number of all these gaps.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_cause().iter().map(|(_, count)| count).sum()
    }

    /// Returns the names of the causes with the counts.
    pub(crate) fn by_cause(&self) -> [(&'static str, u64); 6] {
        let Self {
            connection_lost,
            resubscribed,
            lagged,
            oversized,
            restarted,
            requested,
        } = *self;
        [
            ("connection_lost", connection_lost),
            ("resubscribed", resubscribed),
            ("lagged", lagged),
            ("oversized", oversized),
            ("restarted", restarted),
            ("requested", requested),
        ]
    }

    fn add(&mut self, other: Self) {
        self.connection_lost += other.connection_lost;
        self.resubscribed += other.resubscribed;
        self.lagged += other.lagged;
        self.oversized += other.oversized;
        self.restarted += other.restarted;
        self.requested += other.requested;
    }
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
        self.handled
            + self.failed
            + self.panicked
            + self.timed_out
            + self.rejected
            + self.unmatched
            + self.skipped
    }

    /// Adds the counts of another handler of the same name.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            handler: _,
            subscriptions,
            listens_to: _,
            received,
            handled,
            failed,
            panicked,
            timed_out,
            rejected,
            unmatched,
            skipped,
            dropped,
            superseded,
            cancelled,
            queued,
            queue_age,
            running,
            gaps,
            gap_causes,
            gap_failures,
            retries,
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
        *skipped += other.skipped;
        *dropped += other.dropped;
        *superseded += other.superseded;
        *cancelled += other.cancelled;
        *queued += other.queued;
        *queue_age = (*queue_age).max(other.queue_age);
        gap_causes.add(other.gap_causes);
        *running += other.running;
        *gaps += other.gaps;
        *gap_failures += other.gap_failures;
        *retries += other.retries;
        *stalls += other.stalls;
        *batches += other.batches;
    }

    /// Counts the remaining pushes as cancelled, after the loop has ended. Up to `running` deliveries
    /// continue.
    pub(crate) fn cancel_rest(&mut self, running: u64) {
        let running = self.running.min(running);
        self.cancelled += std::mem::take(&mut self.queued) + self.running - running;
        self.running = running;
        self.queue_age = None;
    }
}
