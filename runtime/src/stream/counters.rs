//! What streams count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::telemetry::StreamStats;
use crate::util::Mutex;

/// The counters of all streams, by what they listen to. Those of streams that have ended stay.
#[derive(Debug, Default)]
pub(crate) struct StreamRegistry {
    by_label: Mutex<BTreeMap<String, Arc<StreamCounters>>>,
}

impl StreamRegistry {
    /// Returns the counters for a label.
    pub(super) fn counters(&self, label: &str) -> Arc<StreamCounters> {
        let mut by_label = self.by_label.lock();
        if let Some(counters) = by_label.get(label) {
            return Arc::clone(counters);
        }
        let counters = Arc::default();
        by_label.insert(label.to_owned(), Arc::clone(&counters));
        counters
    }

    /// Reads the counters.
    pub(crate) fn stats(&self) -> Vec<StreamStats> {
        let by_label = self.by_label.lock();
        let each = by_label.iter();
        each.map(|(label, counters)| counters.read(label)).collect()
    }
}

/// The counters of the streams that listen to the same.
#[derive(Debug, Default)]
pub(super) struct StreamCounters {
    begun: AtomicU64,
    ended: AtomicU64,
    taken: AtomicU64,
    rejected: AtomicU64,
    unmatched: AtomicU64,
    dropped: AtomicU64,
    superseded: AtomicU64,
    cancelled: AtomicU64,
    gaps: AtomicU64,
}

/// What one stream has counted and not added to the counters.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) taken: u32,
    pub(super) rejected: u32,
    pub(super) unmatched: u32,
    pub(super) gaps: u32,
}

impl StreamCounters {
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Relaxed);
    }

    /// Adds a tally, and empties it.
    pub(super) fn add(&self, tally: &mut Tally) {
        let Tally {
            taken,
            rejected,
            unmatched,
            gaps,
        } = std::mem::take(tally);
        for (counter, count) in [
            (&self.taken, taken),
            (&self.rejected, rejected),
            (&self.unmatched, unmatched),
            (&self.gaps, gaps),
        ] {
            if count > 0 {
                counter.fetch_add(count.into(), Relaxed);
            }
        }
    }

    /// Adds what a reader has missed and skipped.
    pub(super) fn add_losses(&self, dropped: u64, superseded: u64) {
        for (counter, count) in [(&self.dropped, dropped), (&self.superseded, superseded)] {
            if count > 0 {
                counter.fetch_add(count, Relaxed);
            }
        }
    }

    /// Counts the end of a stream, with the messages that it has not taken.
    pub(super) fn end(&self, cancelled: u64) {
        self.cancelled.fetch_add(cancelled, Relaxed);
        self.ended.fetch_add(1, Relaxed);
    }

    fn read(&self, label: &str) -> StreamStats {
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        let ended = load(&self.ended);
        let mut stats = StreamStats {
            listens_to: label.to_owned(),
            taken: load(&self.taken),
            rejected: load(&self.rejected),
            unmatched: load(&self.unmatched),
            dropped: load(&self.dropped),
            superseded: load(&self.superseded),
            cancelled: load(&self.cancelled),
            gaps: load(&self.gaps),
            open: load(&self.begun) - ended,
            ..StreamStats::default()
        };
        stats.received = stats.accounted();
        stats
    }
}
