//! The counts for the crate `metrics`, whose recorder the program chooses.

use metrics::{Key, KeyName, Level, Metadata, Recorder, Unit};

use super::names::{Kind, Metric, label};
use super::samples::collect;
use super::{Label, Sink, Value};
use crate::telemetry::Stats;

impl Stats {
    /// Passes all counts to the global recorder of the crate [`metrics`](::metrics) (feature `metrics`). Does
    /// nothing if the program has installed none.
    ///
    /// The names and the labels are those of [`to_openmetrics`](Self::to_openmetrics), without the `_total`
    /// that exporters for Prometheus add. A program calls this at intervals, shorter than those in which the
    /// recorder is read:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use redis_push::WeakHandle;
    ///
    /// async fn record(handle: WeakHandle) {
    ///     let mut interval = tokio::time::interval(Duration::from_secs(5));
    ///     while let Some(handle) = handle.upgrade() {
    ///         handle.stats().record();
    ///         drop(handle);
    ///         interval.tick().await;
    ///     }
    /// }
    /// ```
    ///
    /// A delivery pays nothing for it: the counts are there anyway.
    ///
    /// The facade has no way to set a histogram, so [`timings`](crate::Subscriber::timings) are passed as what a
    /// histogram of Prometheus consists of: the counters `messaging_process_duration_seconds_bucket`, with the
    /// label `le`, and `_count`, and the gauge `_sum`. `histogram_quantile` accepts them. A recorder for another
    /// system sees counters.
    pub fn record(&self) {
        ::metrics::with_recorder(|recorder| {
            let mut facade = Facade {
                recorder,
                metric: None,
            };
            collect(self, &mut facade);
        });
    }
}

static METADATA: Metadata<'static> =
    Metadata::new("redis_push", Level::INFO, Some("redis_push::telemetry"));

struct Facade<'a> {
    recorder: &'a dyn Recorder,
    metric: Option<&'static Metric>,
}

impl Sink for Facade<'_> {
    fn begin(&mut self, metric: &'static Metric) {
        self.metric = Some(metric);
        let name = KeyName::from_const_str(metric.name);
        let unit = metric.unit.map(|_| Unit::Seconds);
        match metric.kind {
            Kind::Counter => self
                .recorder
                .describe_counter(name, unit, metric.help.into()),
            Kind::Gauge => self.recorder.describe_gauge(name, unit, metric.help.into()),
            Kind::Histogram => {
                for end in ["_bucket", "_count"] {
                    let name = format!("{}{end}", metric.name).into();
                    self.recorder
                        .describe_counter(name, None, metric.help.into());
                }
                let name = format!("{}_sum", metric.name).into();
                self.recorder.describe_gauge(name, unit, metric.help.into());
            }
        }
    }

    fn sample(&mut self, labels: &[Label<'_>], value: Value<'_>) {
        let metric = self.metric.expect("a metric was begun");
        match (metric.kind, value) {
            (Kind::Counter, Value::Count(count)) => self.counter(key(metric, "", labels), count),
            (_, Value::Count(count)) => self.gauge(key(metric, "", labels), count as f64),
            (_, Value::Seconds(seconds)) => self.gauge(key(metric, "", labels), seconds),
            // A histogram of the facade takes single values, and these are counts.
            (_, Value::Times(timings)) => {
                for (bound, count) in timings.cumulative() {
                    let bound = bound.map(|bound| bound.as_secs_f64().to_string());
                    let bound = bound.as_deref().unwrap_or("+Inf");
                    let labels = [labels, &[(label::BOUND, bound)]].concat();
                    self.counter(key(metric, "_bucket", &labels), count);
                }
                self.counter(key(metric, "_count", labels), timings.count());
                let seconds = timings.sum.as_secs_f64();
                self.gauge(key(metric, "_sum", labels), seconds);
            }
        }
    }
}

impl Facade<'_> {
    fn counter(&self, key: Key, count: u64) {
        let counter = self.recorder.register_counter(&key, &METADATA);
        counter.absolute(count);
    }

    fn gauge(&self, key: Key, value: f64) {
        self.recorder.register_gauge(&key, &METADATA).set(value);
    }
}

fn key(metric: &'static Metric, end: &str, labels: &[Label<'_>]) -> Key {
    let labels = labels
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let labels: Vec<_> = labels.map(|label| (&label).into()).collect();
    match end {
        "" => Key::from_parts(metric.name, labels),
        _ => Key::from_parts(format!("{}{end}", metric.name), labels),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};

    use ::metrics::{Counter, Gauge, Histogram, SharedString};

    use super::*;
    use std::time::Duration;

    use crate::telemetry::{HandlerStats, TimingStats};

    /// Keeps the value of each series.
    #[derive(Default)]
    struct Kept(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

    impl Kept {
        fn cell(&self, key: &Key) -> Arc<AtomicU64> {
            let labels = key
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()));
            let labels: Vec<_> = labels.collect();
            let name = format!("{}{{{}}}", key.name(), labels.join(","));
            Arc::clone(self.0.lock().unwrap().entry(name).or_default())
        }

        fn value(&self, name: &str) -> Option<u64> {
            Some(self.0.lock().unwrap().get(name)?.load(Relaxed))
        }
    }

    impl Recorder for Kept {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.cell(key))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(self.cell(key))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn the_recorder_has_the_counts_and_follows_them() {
        let mut stats = Stats {
            handlers: vec![HandlerStats {
                handler: "on_quote".to_owned(),
                listens_to: "quotes.{symbol}".to_owned(),
                ..HandlerStats::default()
            }],
            ..Stats::default()
        };
        let kept = Kept::default();
        let received = "redis_push_received{handler=on_quote,\
                        messaging_destination_template=quotes.{symbol}}";
        for count in [0, 3, 7] {
            stats.handlers[0].received = count;
            stats.now.is_ready = count > 3;
            ::metrics::with_local_recorder(&kept, || stats.record());
            assert_eq!(kept.value(received), Some(count));
        }
        let [bounds, sum] = [1, 3].map(Duration::from_secs);
        stats.handlers[0].timings = Some(TimingStats::new(vec![bounds], vec![2, 1], sum));
        ::metrics::with_local_recorder(&kept, || stats.record());
        let times = |end: &str, bound: &str| {
            kept.value(&format!(
                "messaging_process_duration_seconds{end}{{messaging_system=redis,\
                 messaging_operation_name=process,handler=on_quote,\
                 messaging_destination_template=quotes.{{symbol}}{bound}}}"
            ))
        };
        assert_eq!(times("_bucket", ",le=1"), Some(2));
        assert_eq!(times("_bucket", ",le=+Inf"), Some(3));
        assert_eq!(times("_count", ""), Some(3));
        assert_eq!(times("_sum", ""), Some(3.0_f64.to_bits()));
        // A gauge keeps the bits of a float.
        assert_eq!(kept.value("redis_push_ready{}"), Some(1.0_f64.to_bits()));
    }
}
