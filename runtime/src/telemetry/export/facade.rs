//! The counts for the crate `metrics`, whose recorder the program chooses.

use metrics::{Key, KeyName, Level, Metadata, Recorder, Unit};

use super::names::{Kind, Metric};
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
        }
    }

    fn sample(&mut self, labels: &[Label<'_>], value: Value) {
        let metric = self.metric.expect("a metric was begun");
        let labels = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let labels: Vec<_> = labels.map(|label| (&label).into()).collect();
        let key = Key::from_parts(metric.name, labels);
        match (metric.kind, value) {
            (Kind::Counter, Value::Count(count)) => {
                self.recorder
                    .register_counter(&key, &METADATA)
                    .absolute(count);
            }
            (_, value) => {
                let value = match value {
                    Value::Count(count) => count as f64,
                    Value::Seconds(seconds) => seconds,
                };
                self.recorder.register_gauge(&key, &METADATA).set(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};

    use ::metrics::{Counter, Gauge, Histogram, SharedString};

    use super::*;
    use crate::telemetry::HandlerStats;

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
        // A gauge keeps the bits of a float.
        assert_eq!(kept.value("redis_push_ready{}"), Some(1.0_f64.to_bits()));
    }
}
