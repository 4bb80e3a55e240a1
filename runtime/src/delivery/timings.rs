use std::sync::atomic::{AtomicU64, Ordering::Acquire};
use std::time::Duration;

use super::counters::add;
use crate::telemetry::{TimingStats, Timings};

/// The times of a handler's deliveries.
#[derive(Debug)]
pub(crate) struct HandlerTimings {
    setting: Timings,
    /// The bounds in nanoseconds.
    bounds: Box<[u64]>,
    /// A histogram for the loop, then one for each worker: each has one writer, as the counters have.
    histograms: Box<[Histogram]>,
}

#[derive(Debug)]
struct Histogram {
    /// One more than bounds.
    counts: Box<[AtomicU64]>,
    nanos: AtomicU64,
}

impl HandlerTimings {
    pub(crate) fn new(setting: &Timings, workers: usize) -> Self {
        let bounds = setting.each_bound().iter().copied().map(nanos);
        let buckets = setting.each_bound().len() + 1;
        let histogram = |_| Histogram {
            counts: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            nanos: AtomicU64::new(0),
        };
        Self {
            setting: setting.clone(),
            bounds: bounds.collect(),
            histograms: (0..=workers).map(histogram).collect(),
        }
    }

    /// Returns how many deliveries one that is measured stands for.
    pub(super) fn weight(&self) -> u32 {
        self.setting.weight()
    }

    /// Adds the time of a delivery of the loop, or of a worker.
    #[inline]
    pub(super) fn record(&self, worker: Option<u16>, time: Duration) {
        let histogram = &self.histograms[worker.map_or(0, |worker| usize::from(worker) + 1)];
        let time = nanos(time);
        let weight = u64::from(self.setting.weight());
        let bucket = self.bounds.partition_point(|bound| *bound < time);
        add(&histogram.nanos, time.saturating_mul(weight));
        add(&histogram.counts[bucket], weight);
    }

    pub(super) fn read(&self) -> TimingStats {
        let bounds = self.setting.each_bound().to_vec();
        let mut counts = vec![0; bounds.len() + 1];
        let mut nanos = 0;
        for histogram in &self.histograms {
            let each = counts.iter_mut().zip(&histogram.counts);
            each.for_each(|(sum, count)| *sum += count.load(Acquire));
            nanos += histogram.nanos.load(Acquire);
        }
        TimingStats::new(bounds, counts, Duration::from_nanos(nanos))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_by_the_lowest_bound_that_it_keeps() {
        let bounds = [1, 10].map(Duration::from_millis);
        let setting = Timings::default().bounds(bounds).one_in(3);
        let timings = HandlerTimings::new(&setting, 2);
        for (worker, time) in [
            (None, Duration::ZERO),
            (Some(0), bounds[0]),
            (Some(1), bounds[0] + Duration::from_nanos(1)),
            (Some(1), bounds[1] * 2),
        ] {
            timings.record(worker, time);
        }
        let stats = timings.read();
        assert_eq!(stats.counts, [6, 3, 3]);
        assert_eq!(stats.sum, 3 * Duration::from_nanos(22_000_001));
    }
}
