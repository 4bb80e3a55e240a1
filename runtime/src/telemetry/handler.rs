use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::gaps::GapCounts;
use super::timings::TimingStats;

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
    /// How long deliveries have taken, from the extraction of the arguments to the outcome, with repetitions
    /// and the pauses before them. `None` without [`Subscriber::timings`](crate::Subscriber::timings).
    /// Deliveries that were cancelled, and pushes that the template does not match, are not measured.
    #[serde(default)]
    pub timings: Option<TimingStats>,
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
            timings,
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
        match (timings, &other.timings) {
            (Some(timings), Some(more)) => timings.add(more),
            (timings @ None, more) => timings.clone_from(more),
            (Some(_), None) => {}
        }
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
