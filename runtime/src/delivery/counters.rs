use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::Release};

use crate::gap::GapCause;
use crate::handler::OutcomeKind;
use crate::telemetry::GapCounts;

/// The counters of a handler's loop, or of one of its workers. One task writes them; any thread may
/// read them.
///
/// With a single writer, a load and a store are enough. An atomic addition would cost as much as
/// the rest of a delivery's bookkeeping: see [`add`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Pushes whose delivery has begun, and pushes that were lost in a restart of the loop.
    pub(crate) position: AtomicU64,
    /// 1 while a delivery is under way, else 0.
    pub(crate) running: AtomicU64,
    /// 1 from the first run of the gap handler for a gap until a run succeeds, else 0.
    pub(crate) telling: AtomicU64,
    /// Pushes that were lost in a restart of the loop. The broadcast channel counts its own.
    pub(crate) dropped: AtomicU64,
    pub(crate) gap_failures: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) handled: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) unmatched: AtomicU64,
    pub(crate) skipped: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    /// Written by the watchdog.
    pub(crate) stalls: AtomicU64,
}

/// The gaps of a handler, which only its loop counts.
#[derive(Debug, Default)]
pub(crate) struct GapCounters {
    /// The gaps of each cause, in the order of [`CAUSES`]. Most handlers never have one.
    by_cause: OnceLock<Box<[AtomicU64; CAUSES.len()]>>,
}

/// The causes of the gaps that are counted, all but the initial one, in the order of [`GapCounts`].
const CAUSES: [GapCause; GapCounts::CAUSES.len()] = [
    GapCause::ConnectionLost,
    GapCause::Resubscribed,
    GapCause::Moved,
    GapCause::Bus,
    GapCause::Lagged,
    GapCause::Oversized,
    GapCause::Restarted,
    GapCause::Requested,
];

impl GapCounters {
    /// Counts a gap, unless it is the initial one.
    pub(crate) fn record(&self, cause: GapCause) {
        if let Some(index) = CAUSES.iter().position(|one| *one == cause) {
            add(&self.by_cause.get_or_init(Box::default)[index], 1);
        }
    }

    pub(crate) fn read(&self) -> GapCounts {
        self.by_cause.get().map_or_else(GapCounts::default, |gaps| {
            GapCounts::from_counts(gaps.each_ref().map(|count| count.load(Relaxed)))
        })
    }
}

/// Adds to a counter that has no other writer.
#[inline]
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed) + more, Release);
}

impl Counters {
    /// Ends the delivery under way, and counts it.
    #[inline]
    pub(crate) fn end(&self, outcome: OutcomeKind) {
        self.running.store(0, Release);
        self.record(outcome);
    }

    /// Counts a delivery that has ended.
    #[inline]
    pub(crate) fn record(&self, outcome: OutcomeKind) {
        let counter = match outcome {
            OutcomeKind::Handled => &self.handled,
            OutcomeKind::Failed => &self.failed,
            OutcomeKind::Panicked => &self.panicked,
            OutcomeKind::TimedOut => &self.timed_out,
            OutcomeKind::Rejected => &self.rejected,
            OutcomeKind::Unmatched => &self.unmatched,
            OutcomeKind::Skipped => &self.skipped,
        };
        add(counter, 1);
    }
}
