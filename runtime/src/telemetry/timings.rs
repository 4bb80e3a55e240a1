//! How long deliveries take.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the time of deliveries is measured: a setting of
/// [`Subscriber::timings_with`](crate::Subscriber::timings_with).
///
/// ```
/// use std::time::Duration;
///
/// use redis_push::{Subscriber, Timings};
///
/// let in_ms = [1, 5, 25, 100, 500].map(Duration::from_millis);
/// let subscriber = Subscriber::new("redis://127.0.0.1/")
///     .timings_with(Timings::default().bounds(in_ms).one_in(10));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    bounds: Arc<[Duration]>,
    one_in: u32,
}

/// From 50 µs to 10 s, in steps of 1, 2 and 5.
impl Default for Timings {
    fn default() -> Self {
        const FIRST: Duration = Duration::from_micros(50);
        const LAST: Duration = Duration::from_secs(10);
        let decades = (0..6).map(|power| Duration::from_micros(10) * 10_u32.pow(power));
        let steps = decades.flat_map(|decade| [decade, 2 * decade, 5 * decade]);
        let bounds = steps.chain([LAST]).filter(|bound| *bound >= FIRST);
        Self {
            bounds: bounds.collect(),
            one_in: 1,
        }
    }
}

impl Timings {
    /// Sets the bounds of the buckets, each of which counts the deliveries that took at most this long. One
    /// more bucket counts those that took longer.
    #[must_use]
    pub fn bounds(self, bounds: impl IntoIterator<Item = Duration>) -> Self {
        let mut bounds: Vec<_> = bounds.into_iter().collect();
        bounds.sort_unstable();
        bounds.dedup();
        Self {
            bounds: bounds.into(),
            ..self
        }
    }

    /// Measures only one in `n` deliveries, which are chosen at random. Each of them counts `n` times, so
    /// that counts and sums are estimates of those of all deliveries.
    #[must_use]
    pub fn one_in(self, n: u32) -> Self {
        Self {
            one_in: n.max(1),
            ..self
        }
    }

    pub(crate) fn each_bound(&self) -> &[Duration] {
        &self.bounds
    }

    /// Returns how many deliveries one that is measured stands for.
    pub(crate) fn weight(&self) -> u32 {
        self.one_in
    }
}

/// How long the deliveries of a handler have taken, as a histogram: see
/// [`Subscriber::timings`](crate::Subscriber::timings).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimingStats {
    /// The bounds of the buckets, in ascending order.
    pub bounds: Vec<Duration>,
    /// The deliveries of each bucket: those that took longer than the bound before it, and not longer than
    /// its own. There is one more bucket than bounds.
    pub counts: Vec<u64>,
    /// The sum of all times.
    pub sum: Duration,
}

impl TimingStats {
    pub(crate) fn new(bounds: Vec<Duration>, counts: Vec<u64>, sum: Duration) -> Self {
        Self {
            bounds,
            counts,
            sum,
        }
    }

    /// Returns how many deliveries there were. With [`Timings::one_in`], this is an estimate: each one that
    /// was measured counts for `n`.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the mean time. `None` if nothing was measured.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let nanos = self.sum.as_nanos().checked_div(self.count().into())?;
        Some(Duration::from_nanos(u64::try_from(nanos).ok()?))
    }

    /// Returns the lowest bound that at least this part of the deliveries has kept: `0.99` for 99 %. `None` if
    /// nothing was measured, or if more of them took longer than the last bound.
    ///
    /// ```
    /// use redis_push::Stats;
    ///
    /// fn is_slow(stats: &Stats) -> bool {
    ///     let timings = stats.handler("on_quote").and_then(|handler| handler.timings.as_ref());
    ///     timings.and_then(|timings| timings.quantile(0.99)).is_some_and(|time| time.as_millis() > 20)
    /// }
    /// ```
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let count = self.count();
        let wanted = (count as f64 * part.clamp(0.0, 1.0)).ceil() as u64;
        let mut within = self.cumulative();
        let (bound, _) = within.find(|(_, within)| count > 0 && *within >= wanted.max(1))?;
        bound
    }

    /// Returns each bound, and how many deliveries took at most this long. The last entry has no bound.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        let mut within = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            within += count;
            (bound, within)
        })
    }

    /// Adds the times of another handler of the same name. All handlers of a subscriber have the same bounds.
    pub(super) fn add(&mut self, other: &Self) {
        if self.bounds == other.bounds {
            let both = self.counts.iter_mut().zip(&other.counts);
            both.for_each(|(sum, more)| *sum += more);
            self.sum += other.sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_go_from_50_microseconds_to_10_seconds() {
        let timings = Timings::default();
        let bounds = timings.each_bound();
        assert_eq!(bounds.len(), 17);
        assert_eq!(bounds[..3], [50, 100, 200].map(Duration::from_micros));
        assert_eq!(bounds[14..], [2, 5, 10].map(Duration::from_secs));
        assert!(bounds.is_sorted());
    }

    #[test]
    fn a_quantile_is_the_bound_that_so_many_have_kept() {
        let bounds = [1, 10, 100].map(Duration::from_millis);
        let stats = TimingStats {
            bounds: bounds.into(),
            counts: vec![90, 9, 0, 1],
            sum: Duration::from_secs(2),
        };
        assert_eq!(stats.count(), 100);
        assert_eq!(stats.mean(), Some(Duration::from_millis(20)));
        assert_eq!(stats.quantile(0.0), Some(bounds[0]));
        assert_eq!(stats.quantile(0.9), Some(bounds[0]));
        assert_eq!(stats.quantile(0.91), Some(bounds[1]));
        assert_eq!(stats.quantile(0.99), Some(bounds[1]));
        assert_eq!(stats.quantile(1.0), None);
        assert_eq!(TimingStats::default().quantile(0.5), None);
        assert_eq!(TimingStats::default().mean(), None);
    }
}
