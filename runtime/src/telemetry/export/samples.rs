//! All counts of a subscriber, as samples of metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use super::names::{self, Metric, label, value};
use super::{Sink, Value};
use crate::telemetry::{CacheStats, HandlerStats, NameStats, Stats, StreamStats};

/// A metric, and the count that is its sample.
type Count<T> = (&'static Metric, fn(&T) -> u64);

const HANDLERS: &[Count<HandlerStats>] = &[
    (&names::RECEIVED, |handler| handler.received),
    (&names::UNMATCHED, |handler| handler.unmatched),
    (&names::SKIPPED, |handler| handler.skipped),
    (&names::RETRIES, |handler| handler.retries),
    (&names::DROPPED, |handler| handler.dropped),
    (&names::SUPERSEDED, |handler| handler.superseded),
    (&names::CANCELLED, |handler| handler.cancelled),
    (&names::BATCHES, |handler| handler.batches),
    (&names::GAP_FAILURES, |handler| handler.gap_failures),
    (&names::STALLS, |handler| handler.stalls),
    (&names::QUEUED, |handler| handler.queued),
    (&names::RUNNING, |handler| handler.running),
    (&names::PAUSED, |handler| handler.is_paused.into()),
];

const STREAMS: &[Count<StreamStats>] = &[
    (&names::STREAMS_OPEN, |streams| streams.open),
    (&names::STREAMS_RECEIVED, |streams| streams.received),
    (&names::STREAMS_TAKEN, |streams| streams.taken),
    (&names::STREAMS_REJECTED, |streams| streams.rejected),
    (&names::STREAMS_UNMATCHED, |streams| streams.unmatched),
    (&names::STREAMS_DROPPED, |streams| streams.dropped),
    (&names::STREAMS_SUPERSEDED, |streams| streams.superseded),
    (&names::STREAMS_CANCELLED, |streams| streams.cancelled),
    (&names::STREAMS_QUEUED, |streams| streams.queued),
    (&names::STREAMS_GAPS, |streams| streams.gaps),
];

const CACHES: &[Count<CacheStats>] = &[
    (&names::CACHE_HITS, |cache| cache.hits),
    (&names::CACHE_MISSES, |cache| cache.misses),
    (&names::CACHE_BYPASSES, |cache| cache.bypasses),
    (&names::CACHE_LOADS, |cache| cache.loads),
    (&names::CACHE_INVALIDATIONS, |cache| cache.invalidations),
    (&names::CACHE_CLEARS, |cache| cache.clears),
    (&names::CACHE_EVICTIONS, |cache| cache.evictions),
    (&names::CACHE_ENTRIES, |cache| cache.entries),
];

const SUBSCRIBER: &[Count<Stats>] = &[
    (&names::PUSHES, |stats| stats.feed.pushes),
    (&names::UNROUTED, |stats| stats.feed.unrouted),
    (&names::UNKNOWN, |stats| stats.feed.unknown),
    (&names::MALFORMED, |stats| stats.feed.malformed),
    (&names::STALE, |stats| stats.feed.stale),
    (&names::OVERFLOWED, |stats| stats.feed.overflowed),
    (&names::OVERSIZED, |stats| stats.feed.oversized),
    (&names::RECONNECTS, |stats| stats.feed.reconnects),
    (&names::RESTARTS, |stats| stats.restarts),
    (&names::HOOK_TOLD, |stats| stats.failures.told),
    (&names::HOOK_FAILED, |stats| stats.failures.failed),
    (&names::HOOK_PANICKED, |stats| stats.failures.panicked),
    (&names::HOOK_DROPPED, |stats| stats.failures.dropped),
    (&names::HOOK_QUEUED, |stats| stats.failures.queued),
    (&names::LIVE, |stats| stats.now.is_live.into()),
    (&names::READY, |stats| stats.now.is_ready.into()),
];

/// How a delivery has ended: the value of [`label::ERROR`], and the count.
type Outcome = (Option<&'static str>, fn(&HandlerStats) -> u64);

const OUTCOMES: [Outcome; 5] = [
    (None, |handler| handler.handled),
    (Some("failed"), |handler| handler.failed),
    (Some("panicked"), |handler| handler.panicked),
    (Some("timed_out"), |handler| handler.timed_out),
    (Some("rejected"), |handler| handler.rejected),
];

/// Passes all counts to a sink.
pub(super) fn collect(stats: &Stats, sink: &mut impl Sink) {
    collect_handlers(stats, sink);
    for (metric, count) in STREAMS {
        sink.begin(metric);
        for streams in &stats.streams {
            let labels = [(label::TEMPLATE, &*streams.listens_to)];
            sink.sample(&labels, Value::Count(count(streams)));
        }
    }
    for (metric, count) in CACHES {
        sink.begin(metric);
        for cache in &stats.caches {
            sink.sample(&[(label::KEYS, &*cache.keys)], Value::Count(count(cache)));
        }
    }
    for (metric, count) in SUBSCRIBER {
        sink.begin(metric);
        sink.sample(&[], Value::Count(count(stats)));
    }
    collect_state(stats, sink);
}

fn collect_handlers(stats: &Stats, sink: &mut impl Sink) {
    let handlers = by_label(stats);
    sink.begin(&names::CONSUMED);
    for handler in handlers.values() {
        for (error, count) in OUTCOMES {
            let mut labels = Vec::from(process_labels(handler));
            labels.extend(error.map(|error| (label::ERROR, error)));
            sink.sample(&labels, Value::Count(count(handler)));
        }
    }
    for (metric, count) in HANDLERS {
        sink.begin(metric);
        for handler in handlers.values() {
            sink.sample(&labels(handler), Value::Count(count(handler)));
        }
    }
    let timed = || handlers.values().filter(|one| one.timings.is_some());
    if timed().next().is_some() {
        sink.begin(&names::DURATION);
    }
    for handler in timed() {
        if let Some(timings) = &handler.timings {
            sink.sample(&process_labels(handler), Value::Times(timings));
        }
    }
    sink.begin(&names::GAPS);
    for handler in handlers.values() {
        for (cause, count) in handler.gap_causes.by_cause() {
            let [name, template] = labels(handler);
            sink.sample(
                &[name, template, (label::CAUSE, cause)],
                Value::Count(count),
            );
        }
    }
    sink.begin(&names::QUEUE_AGE);
    for handler in handlers.values() {
        let age = handler.queue_age.unwrap_or_default();
        sink.sample(&labels(handler), Value::Seconds(age.as_secs_f64()));
    }
}

fn collect_state(stats: &Stats, sink: &mut impl Sink) {
    sink.begin(&names::SUBSCRIPTIONS);
    for (readers, counts) in [
        ("handlers", stats.now.handler_names),
        ("streams", stats.now.stream_names),
    ] {
        let NameStats {
            desired,
            confirmed,
            denied,
        } = counts;
        for (state, count) in [
            ("desired", desired),
            ("confirmed", confirmed),
            ("denied", denied),
        ] {
            let labels = [(label::READERS, readers), (label::STATE, state)];
            sink.sample(&labels, Value::Count(count));
        }
    }
    for (metric, time) in [
        (&names::PING_RTT, stats.now.ping_rtt),
        (&names::SINCE_PING, stats.now.since_ping),
    ] {
        sink.begin(metric);
        // There is no answer yet.
        if let Some(time) = time.map(|time: Duration| time.as_secs_f64()) {
            sink.sample(&[], Value::Seconds(time));
        }
    }
}

/// Returns the labels of the metrics that OpenTelemetry defines.
fn process_labels(handler: &HandlerStats) -> [(&'static str, &str); 4] {
    let [name, template] = labels(handler);
    let system = (label::SYSTEM, value::REDIS);
    [system, (label::OPERATION, value::PROCESS), name, template]
}

fn labels(handler: &HandlerStats) -> [(&'static str, &str); 2] {
    [
        (label::HANDLER, &*handler.handler),
        (label::TEMPLATE, &*handler.listens_to),
    ]
}

/// Returns the counts of the handlers, with those that were unmounted, so that no counter falls. Handlers
/// of one name that listen to the same are one entry.
fn by_label(stats: &Stats) -> BTreeMap<(&str, &str), HandlerStats> {
    let mut by_label: BTreeMap<_, HandlerStats> = BTreeMap::new();
    for handler in stats.all_handlers() {
        let label = (&*handler.handler, &*handler.listens_to);
        match by_label.get_mut(&label) {
            Some(sum) => {
                sum.add(handler);
                sum.is_paused |= handler.is_paused;
            }
            None => _ = by_label.insert(label, handler.clone()),
        }
    }
    by_label
}
