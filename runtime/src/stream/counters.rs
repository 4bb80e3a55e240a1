//! What streams count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::log::StreamLog;
use crate::broadcast::Entered;
use crate::error::Rejection;
#[cfg(feature = "testing")]
use crate::probe::{SharedProbe, Streamed};
use crate::push::Push;
use crate::subscription::Subscription;
use crate::telemetry::{StreamStats, one_of_bounded};
use crate::util::Mutex;

/// The counters of all streams, by what they listen to. Those of streams that have ended stay.
#[derive(Debug, Default)]
pub(crate) struct StreamRegistry {
    by_label: Mutex<BTreeMap<String, Arc<StreamCounters>>>,
    /// What the test kit observes the streams with.
    #[cfg(feature = "testing")]
    probe: Option<SharedProbe>,
}

impl StreamRegistry {
    /// Creates counters whose streams report what they return.
    #[cfg(feature = "testing")]
    pub(crate) fn probed(probe: Option<SharedProbe>) -> Self {
        Self {
            probe,
            ..Self::default()
        }
    }

    /// Returns the counters for a label.
    pub(super) fn counters(&self, label: &str) -> Arc<StreamCounters> {
        let mut by_label = self.by_label.lock();
        let label = one_of_bounded(&by_label, label);
        if let Some(counters) = by_label.get(label) {
            return Arc::clone(counters);
        }
        let counters = Arc::new(StreamCounters {
            number: u16::try_from(by_label.len()).expect("labels are bounded"),
            label: label.into(),
            #[cfg(feature = "testing")]
            probe: self.probe.clone(),
            ..StreamCounters::default()
        });
        by_label.insert(label.to_owned(), Arc::clone(&counters));
        counters
    }

    /// Logs how many lines were left out since the last ones.
    pub(crate) fn flush_log(&self) {
        let by_label = self.by_label.lock().clone();
        for log in by_label.values().filter_map(|each| each.log.get()) {
            log.flush();
        }
    }

    /// Reads the counters. `entered` returns what has entered the channels of the streams that have not
    /// ended, by the numbers of their counters, of which there are as many as its argument.
    pub(crate) fn stats(&self, entered: impl Fn(usize) -> Vec<Entered>) -> Vec<StreamStats> {
        const ATTEMPTS: usize = 16;
        let by_label = self.by_label.lock().clone();
        let mut all = Vec::new();
        for _ in 0..ATTEMPTS {
            let ended: Vec<_> = by_label
                .values()
                .map(|each| each.ended.load(SeqCst))
                .collect();
            let each = by_label.iter();
            all = each.map(|(label, each)| each.read(label)).collect();
            // What has become of the messages is read first, so it is never more than what has entered.
            let entered = entered(by_label.len());
            for (stats, counters) in all.iter_mut().zip(by_label.values()) {
                let open = entered.get(usize::from(counters.number));
                let open = open.copied().unwrap_or_default();
                stats.received = open.pushes + counters.entered.load(SeqCst);
                stats.superseded += open.superseded;
            }
            // The messages of a stream that ends meanwhile may be counted twice.
            let counters = by_label.values().zip(ended);
            let mut is_whole = counters.map(|(each, ended)| each.ending.load(SeqCst) == ended);
            if is_whole.all(|is_whole| is_whole) {
                for (stats, counters) in all.iter_mut().zip(by_label.values()) {
                    stats.received = highest(&counters.highest, stats.received);
                    stats.superseded = highest(&counters.most_superseded, stats.superseded);
                    stats.queued = stats.received.saturating_sub(stats.accounted());
                }
                return all;
            }
        }
        // Streams end all the time. What has become of messages has entered, and nothing falls.
        for (stats, counters) in all.iter_mut().zip(by_label.values()) {
            let superseded = counters.superseded.load(Relaxed);
            stats.superseded = highest(&counters.most_superseded, superseded);
            stats.received = highest(&counters.highest, stats.accounted());
            stats.queued = stats.received - stats.accounted();
        }
        all
    }
}

/// The counters of the streams that listen to the same.
#[derive(Debug, Default)]
pub(super) struct StreamCounters {
    number: u16,
    label: Box<str>,
    /// Made with the first line.
    log: OnceLock<Box<StreamLog>>,
    begun: AtomicU64,
    /// Streams whose end has begun, and those whose end is complete.
    ending: AtomicU64,
    ended: AtomicU64,
    /// The highest numbers of received and of superseded messages that were read.
    highest: AtomicU64,
    most_superseded: AtomicU64,
    taken: AtomicU64,
    rejected: AtomicU64,
    unmatched: AtomicU64,
    dropped: AtomicU64,
    superseded: AtomicU64,
    cancelled: AtomicU64,
    gaps: AtomicU64,
    /// How many pushes had entered the channels of the streams that have ended.
    entered: AtomicU64,
    /// What the test kit observes the streams with.
    #[cfg(feature = "testing")]
    probe: Option<SharedProbe>,
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
    /// Reports what a stream returns to its reader.
    #[cfg(feature = "testing")]
    #[inline]
    pub(super) fn observe(&self, item: Streamed<'_>) {
        if let Some(probe) = &self.probe {
            probe.streamed(&self.label, item);
        }
    }

    /// Logs a message that could not be decoded, at a limited rate.
    #[cold]
    #[inline(never)]
    pub(super) fn log_rejected(&self, push: Push<'_>, rejection: &Rejection) {
        self.log().rejected(&self.label, push, rejection);
    }

    /// Logs a message whose channel is not of the template, at a limited rate.
    #[cold]
    #[inline(never)]
    pub(super) fn log_unmatched(&self, push: Push<'_>) {
        self.log().unmatched(&self.label, push);
    }

    /// Logs that a snapshot was not loaded, at a limited rate.
    #[cold]
    #[inline(never)]
    pub(super) fn log_not_loaded(&self, names: &[Subscription], problem: &str, delay: Duration) {
        self.log().not_loaded(&self.label, names, problem, delay);
    }

    fn log(&self) -> &StreamLog {
        self.log
            .get_or_init(|| Box::new(StreamLog::new(&self.label)))
    }

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

    /// What the readers of these streams are labelled with.
    pub(super) fn label(&self) -> u16 {
        self.number
    }

    /// Counts the end of a stream, with the messages that have entered its channel and those that it has
    /// not taken.
    pub(super) fn end(&self, entered: u64, cancelled: u64) {
        self.entered.fetch_add(entered, SeqCst);
        self.cancelled.fetch_add(cancelled, Relaxed);
    }

    /// Runs the end of a stream, from which on its channel does not count it.
    pub(super) fn end_with(&self, end: impl FnOnce()) {
        self.ending.fetch_add(1, SeqCst);
        end();
        self.ended.fetch_add(1, SeqCst);
    }

    fn read(&self, label: &str) -> StreamStats {
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        let ended = load(&self.ended);
        StreamStats {
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
        }
    }
}

/// Returns a count that is as high as before, or higher.
fn highest(before: &AtomicU64, now: u64) -> u64 {
    before.fetch_max(now, SeqCst).max(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_beyond_a_thousand_are_counted_together() {
        let registry = StreamRegistry::default();
        for id in 0..70_000 {
            registry.counters(&format!("user{id}.{{room}}")).begin();
        }
        let stats = registry.stats(|labels| {
            let one = Entered {
                pushes: 1,
                superseded: 0,
            };
            vec![one; labels]
        });
        assert_eq!(stats.len(), 1_001);
        let others = stats.iter().find(|stats| stats.listens_to == "others");
        assert_eq!(others.unwrap().open, 69_000);
        assert!(stats.iter().all(|stats| stats.received == 1));
    }
}
