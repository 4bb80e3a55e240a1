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
    /// How many bounds have fewer bits than this. So a time is compared with the few bounds that have as many
    /// bits as it has.
    below: [usize; u64::BITS as usize + 2],
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
        let bounds: Box<[u64]> = bounds.collect();
        let below =
            std::array::from_fn(|count| bounds.partition_point(|bound| bits(*bound) < count));
        let buckets = setting.each_bound().len() + 1;
        let histogram = |_| Histogram {
            counts: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
            nanos: AtomicU64::new(0),
        };
        Self {
            setting: setting.clone(),
            bounds,
            below,
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
        let bucket = self.bucket(time);
        add(&histogram.nanos, time.saturating_mul(weight));
        add(&histogram.counts[bucket], weight);
    }

    /// Returns the index of the lowest bound that the time keeps.
    #[inline]
    fn bucket(&self, time: u64) -> usize {
        let bits = bits(time);
        let (from, to) = (self.below[bits], self.below[bits + 1]);
        from + self.bounds[from..to].partition_point(|bound| *bound < time)
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

#[inline]
fn nanos(time: Duration) -> u64 {
    const SECOND: u64 = 1_000_000_000;
    let seconds = time.as_secs().saturating_mul(SECOND);
    seconds.saturating_add(time.subsec_nanos().into())
}

/// Returns how many bits a number has.
#[inline]
fn bits(number: u64) -> usize {
    (u64::BITS - number.leading_zeros()) as usize
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

    #[test]
    fn the_bucket_of_a_time_is_that_of_a_search_through_all_bounds() {
        let doubling = (0..64).map(|power| Duration::from_nanos(1 << power));
        let dense = (0..300).map(|step| Duration::from_nanos(1_000 + step));
        for setting in [
            Timings::default(),
            Timings::default().bounds([]),
            Timings::default().bounds([Duration::ZERO, Duration::MAX]),
            Timings::default().bounds(doubling),
            Timings::default().bounds(dense),
        ] {
            let timings = HandlerTimings::new(&setting, 0);
            let near = |time: u64| [time.saturating_sub(1), time, time.saturating_add(1)];
            let times = timings.bounds.iter().copied().chain([0, u64::MAX]);
            for time in times.flat_map(near) {
                let expected = timings.bounds.partition_point(|bound| *bound < time);
                assert_eq!(timings.bucket(time), expected, "{time} ns, {setting:?}");
            }
        }
    }
}
