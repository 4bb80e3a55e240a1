use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::Release};

use crate::handler::Outcome;

/// What one worker of a handler counts. Only it writes; reads come from anywhere.
///
/// One writer needs no atomic addition, which would cost as much as the rest of a delivery's
/// bookkeeping: see [`add`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// How many pushes were begun, or given up with the loop that had them in hand.
    pub(crate) position: AtomicU64,
    pub(crate) running: AtomicU64,
    /// Whether the gap handler runs.
    pub(crate) telling: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) gaps: AtomicU64,
    pub(crate) gap_failures: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) handled: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) unmatched: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    /// Counted by the watchdog.
    pub(crate) stalls: AtomicU64,
}

/// Adds to a counter that nobody else writes.
#[inline]
pub(crate) fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed) + more, Release);
}

impl Counters {
    #[inline]
    pub(crate) fn record(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Handled => &self.handled,
            Outcome::Failed => &self.failed,
            Outcome::Panicked => &self.panicked,
            Outcome::TimedOut => &self.timed_out,
            Outcome::Rejected => &self.rejected,
            Outcome::Unmatched => &self.unmatched,
        };
        add(counter, 1);
    }
}
