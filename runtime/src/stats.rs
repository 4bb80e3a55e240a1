use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Acquire};

use serde::{Deserialize, Serialize};

use crate::mount::Lane;
use crate::outcome::Counters;
use crate::ring::Meter;

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

    /// Reads what a handler counts. What counts the end of something is read before what counts
    /// its beginning, so that nothing seems to end before it began.
    pub(crate) fn read(lane: &Lane, subscriptions: Vec<String>, meter: &Meter) -> Self {
        let sum = |counter: fn(&Counters) -> &AtomicU64| {
            let counts = lane.all_counters().map(|all| counter(all).load(Acquire));
            counts.sum::<u64>()
        };
        let handled = sum(|all| &all.handled);
        let failed = sum(|all| &all.failed);
        let panicked = sum(|all| &all.panicked);
        let timed_out = sum(|all| &all.timed_out);
        let rejected = sum(|all| &all.rejected);
        let unmatched = sum(|all| &all.unmatched);
        let dropped = sum(|all| &all.dropped);
        let cancelled = sum(|all| &all.cancelled);
        let running = sum(|all| &all.running);
        let position = sum(|all| &all.position);
        let backlog = meter.backlog();
        Self {
            handler: lane.spec.name.clone().into_owned(),
            subscriptions,
            received: backlog.end + backlog.superseded,
            handled,
            failed,
            panicked,
            timed_out,
            rejected,
            unmatched,
            dropped: dropped + backlog.missed,
            superseded: backlog.superseded,
            // What the ring has dropped it counts itself: counted here, it would lie in the queue
            // until it is.
            queued: backlog.end.saturating_sub(position + backlog.missed),
            running,
            gaps: sum(|all| &all.gaps),
            gap_failures: sum(|all| &all.gap_failures),
            batches: sum(|all| &all.batches),
            is_paused: lane.gate.is_paused(),
            cancelled,
            stalls: sum(|all| &all.stalls),
        }
    }

    /// Counts what is left as cancelled: nobody will deliver it any more.
    pub(crate) fn cancel_rest(&mut self) {
        self.cancelled += std::mem::take(&mut self.queued) + std::mem::take(&mut self.running);
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> = COLUMNS
            .iter()
            .filter(|column| column.always || self.handlers.iter().any(|h| (column.count)(h) > 0))
            .map(|Column { name, count, .. }| {
                let cells = self.handlers.iter().map(|h| count(h).to_string());
                column(std::iter::once((*name).to_owned()).chain(cells))
            })
            .collect();
        let names = self.handlers.iter().map(|h| h.handler.clone());
        let (names, width) = column(std::iter::once("handler".to_owned()).chain(names));
        for (row, name) in names.iter().enumerate() {
            write!(f, "{name:<width$}")?;
            for (cells, width) in &columns {
                write!(f, "  {:>width$}", cells[row])?;
            }
            writeln!(f)?;
        }
        let FeedStats {
            pushes,
            unrouted,
            unknown,
            malformed,
            stale,
            overflowed,
            oversized,
            reconnects,
        } = self.feed;
        write!(
            f,
            "{pushes} pushes, {reconnects} reconnects; unrouted {unrouted}, unknown {unknown}, \
             malformed {malformed}, stale {stale}"
        )?;
        for (count, what) in [
            (overflowed, "overflowed"),
            (oversized, "oversized"),
            (self.restarts, "restarts"),
        ] {
            if count > 0 {
                write!(f, ", {what} {count}")?;
            }
        }
        if self.failures != FailureStats::default() {
            write!(f, "\n{}", self.failures)?;
        }
        Ok(())
    }
}

impl fmt::Display for FailureStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            told,
            failed,
            panicked,
            dropped,
            queued,
        } = self;
        write!(
            f,
            "{told} failures told; hook failed {failed}, panicked {panicked}, dropped {dropped}, \
             queued {queued}"
        )
    }
}

/// A column of the table: what is rarely anything else than 0 is only shown when it is.
struct Column {
    name: &'static str,
    count: fn(&HandlerStats) -> u64,
    always: bool,
}

const COLUMNS: &[Column] = &[
    Column::always("received", |h| h.received),
    Column::always("handled", |h| h.handled),
    Column::rare("failed", |h| h.failed),
    Column::rare("panicked", |h| h.panicked),
    Column::rare("timed out", |h| h.timed_out),
    Column::rare("rejected", |h| h.rejected),
    Column::rare("unmatched", |h| h.unmatched),
    Column::always("dropped", |h| h.dropped),
    Column::rare("superseded", |h| h.superseded),
    Column::rare("cancelled", |h| h.cancelled),
    Column::always("queued", |h| h.queued + h.running),
    Column::always("gaps", |h| h.gaps),
    Column::rare("gap failures", |h| h.gap_failures),
    Column::rare("stalls", |h| h.stalls),
];

impl Column {
    const fn always(name: &'static str, count: fn(&HandlerStats) -> u64) -> Self {
        let always = true;
        Self {
            name,
            count,
            always,
        }
    }

    const fn rare(name: &'static str, count: fn(&HandlerStats) -> u64) -> Self {
        let always = false;
        Self {
            name,
            count,
            always,
        }
    }
}

/// Cells and how wide the widest is.
fn column(cells: impl Iterator<Item = String>) -> (Vec<String>, usize) {
    let cells: Vec<_> = cells.collect();
    let width = cells.iter().map(|cell| cell.chars().count()).max();
    (cells, width.unwrap_or(0))
}
