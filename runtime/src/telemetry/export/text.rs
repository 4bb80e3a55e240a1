//! The text formats that Prometheus reads.

use std::fmt::{Display, Write};
use std::time::Duration;

use super::names::{Kind, Metric, label};
use super::samples::collect;
use super::{Label, Sink, Value};
use crate::telemetry::Stats;

impl Stats {
    /// The content type of [`to_openmetrics`](Self::to_openmetrics).
    pub const OPENMETRICS: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// The content type of [`to_prometheus`](Self::to_prometheus).
    pub const PROMETHEUS: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Writes all counts in the format OpenMetrics 1.0, for an endpoint that Prometheus reads.
    ///
    /// ```
    /// use redis_push::{Handle, Stats};
    ///
    /// // With axum, as a route of `/metrics`:
    /// fn metrics(handle: &Handle) -> ([(&'static str, &'static str); 1], String) {
    ///     ([("content-type", Stats::OPENMETRICS)], handle.stats().to_openmetrics())
    /// }
    /// ```
    ///
    /// Every series exists from the start, and no counter falls while the subscriber lives, also when
    /// handlers are unmounted and streams end. The labels are `handler` and
    /// `messaging_destination_template`, which is a template such as `quotes.{symbol}` and never a channel.
    ///
    /// Names that OpenTelemetry defines are those of its semantic conventions 1.44, such as
    /// `messaging_client_consumed_messages_total`. The others begin with `redis_push_`. The guide lists those
    /// that [are worth an alert](crate::guide::observability#metrics).
    #[must_use]
    pub fn to_openmetrics(&self) -> String {
        let mut text = Text::new(Format::OpenMetrics);
        collect(self, &mut text);
        text.out.push_str("# EOF\n");
        text.out
    }

    /// Writes the same in the older format of Prometheus, for readers that do not know OpenMetrics.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut text = Text::new(Format::Prometheus);
        collect(self, &mut text);
        text.out
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    OpenMetrics,
    Prometheus,
}

struct Text {
    format: Format,
    metric: Option<&'static Metric>,
    out: String,
}

impl Text {
    fn new(format: Format) -> Self {
        Self {
            format,
            metric: None,
            out: String::new(),
        }
    }
}

impl Sink for Text {
    fn begin(&mut self, metric: &'static Metric) {
        self.metric = Some(metric);
        let Metric {
            name, help, unit, ..
        } = metric;
        let (kind, total) = match metric.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Histogram => ("histogram", ""),
        };
        // The metadata of OpenMetrics is of the family, that of the older format of the samples.
        let total = match self.format {
            Format::OpenMetrics => "",
            Format::Prometheus => total,
        };
        let out = &mut self.out;
        _ = writeln!(out, "# TYPE {name}{total} {kind}");
        if let (Some(unit), Format::OpenMetrics) = (unit, self.format) {
            _ = writeln!(out, "# UNIT {name} {unit}");
        }
        _ = writeln!(out, "# HELP {name}{total} {help}");
    }

    fn sample(&mut self, labels: &[Label<'_>], value: Value<'_>) {
        let metric = self.metric.expect("a metric was begun");
        match value {
            Value::Count(count) => {
                let end = if metric.kind == Kind::Counter {
                    "_total"
                } else {
                    ""
                };
                self.line(metric.name, end, labels, count);
            }
            Value::Seconds(seconds) => self.line(metric.name, "", labels, seconds),
            Value::Times(timings) => {
                for (bound, count) in timings.cumulative() {
                    let bound = bound.map_or_else(|| "+Inf".to_owned(), float);
                    let labels = [labels, &[(label::BOUND, &*bound)]].concat();
                    self.line(metric.name, "_bucket", &labels, count);
                }
                let seconds = timings.sum.as_secs_f64();
                self.line(metric.name, "_sum", labels, seconds);
                self.line(metric.name, "_count", labels, timings.count());
            }
        }
    }
}

impl Text {
    fn line(&mut self, name: &str, end: &str, labels: &[Label<'_>], value: impl Display) {
        let out = &mut self.out;
        out.push_str(name);
        out.push_str(end);
        for (index, (name, value)) in labels.iter().enumerate() {
            out.push(if index == 0 { '{' } else { ',' });
            _ = write!(out, "{name}=\"");
            escape(value, out);
            out.push('"');
        }
        if !labels.is_empty() {
            out.push('}');
        }
        _ = writeln!(out, " {value}");
    }
}

/// Returns a bound in seconds, in the form that OpenMetrics recommends: with a point.
fn float(bound: Duration) -> String {
    let text = bound.as_secs_f64().to_string();
    match text.contains('.') {
        true => text,
        false => text + ".0",
    }
}

/// Writes the value of a label.
fn escape(value: &str, out: &mut String) {
    for char in value.chars() {
        match char {
            '\\' => out.push_str(r"\\"),
            '"' => out.push_str(r#"\""#),
            '\n' => out.push_str(r"\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{HandlerStats, StreamStats, TimingStats};

    fn stats() -> Stats {
        let handler = |received| HandlerStats {
            handler: "on_quote".to_owned(),
            listens_to: "quotes.{symbol}".to_owned(),
            received,
            failed: 1,
            ..HandlerStats::default()
        };
        Stats {
            handlers: vec![handler(3), handler(4)],
            unmounted: vec![handler(5)],
            streams: vec![StreamStats {
                listens_to: "odd\"\\\n".to_owned(),
                open: 2,
                ..StreamStats::default()
            }],
            ..Stats::default()
        }
    }

    #[test]
    fn handlers_of_one_name_are_one_series_with_those_that_were_unmounted() {
        let text = stats().to_openmetrics();
        let labels = r#"{handler="on_quote",messaging_destination_template="quotes.{symbol}"}"#;
        let line = format!("redis_push_received_total{labels} 12");
        assert_eq!(text.lines().filter(|l| *l == line).count(), 1, "{text}");
        assert!(text.contains(r#"error_type="failed"} 3"#), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_histogram_has_its_buckets_their_sum_and_their_count() {
        let timings = TimingStats::new(
            vec![Duration::from_micros(50), Duration::from_secs(1)],
            vec![2, 1, 1],
            Duration::from_millis(3_500),
        );
        let mut stats = stats();
        assert!(!stats.to_openmetrics().contains("duration"));
        for handler in &mut stats.handlers {
            handler.timings = Some(timings.clone());
        }
        let labels = "messaging_system=\"redis\",messaging_operation_name=\"process\",\
                      handler=\"on_quote\",messaging_destination_template=\"quotes.{symbol}\"";
        let name = "messaging_process_duration_seconds";
        let text = stats.to_openmetrics();
        let lines = format!(
            "{name}_bucket{{{labels},le=\"0.00005\"}} 4\n\
             {name}_bucket{{{labels},le=\"1.0\"}} 6\n\
             {name}_bucket{{{labels},le=\"+Inf\"}} 8\n\
             {name}_sum{{{labels}}} 7\n\
             {name}_count{{{labels}}} 8\n"
        );
        assert!(text.contains(&lines), "{text}");
        assert!(text.contains(&format!("# TYPE {name} histogram\n# UNIT {name} seconds\n")));
    }

    #[test]
    fn values_of_labels_are_escaped() {
        let text = stats().to_prometheus();
        let line = r#"redis_push_streams_open{messaging_destination_template="odd\"\\\n"} 2"#;
        assert!(text.lines().any(|l| l == line), "{text}");
    }

    #[test]
    fn the_metadata_names_the_family_or_the_series_as_the_format_requires() {
        let (new, old) = (stats().to_openmetrics(), stats().to_prometheus());
        assert!(
            new.contains("# TYPE redis_push_received counter\n"),
            "{new}"
        );
        assert!(
            new.contains("# UNIT redis_push_queue_age_seconds seconds\n"),
            "{new}"
        );
        assert!(
            old.contains("# TYPE redis_push_received_total counter\n"),
            "{old}"
        );
        assert!(!old.contains("# UNIT") && !old.contains("# EOF"), "{old}");
    }

    #[test]
    fn no_name_stands_for_two_metrics() {
        let text = stats().to_openmetrics();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let mut names: Vec<_> = types.collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
