//! Export of the counts as metrics.
//!
//! `names` has the names of all metrics, with their meanings; `samples` walks over the counts and passes
//! each to a [`Sink`]; `text` is the sink that writes the formats of Prometheus, and `facade` the one for
//! the crate `metrics`.

#[cfg(feature = "metrics")]
mod facade;
pub(super) mod names;
mod samples;
mod text;

use super::timings::TimingStats;
use names::Metric;

/// The name and the value of a label.
type Label<'a> = (&'static str, &'a str);

#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Count(u64),
    Seconds(f64),
    Times(&'a TimingStats),
}

/// Where samples go: the samples of one metric after the other.
trait Sink {
    fn begin(&mut self, metric: &'static Metric);

    /// Adds a sample of the metric that was last begun.
    fn sample(&mut self, labels: &[Label<'_>], value: Value<'_>);
}
