//! The names of the metrics, of their labels and of the fields of spans, and what they mean.
//!
//! Names that OpenTelemetry defines are those of its semantic conventions 1.44 (August 2026), in the form
//! that its specification gives for Prometheus. There, messaging is still under development. All other
//! names begin with `redis_push_`.

/// A metric: its name and its meaning.
#[derive(Debug)]
pub(super) struct Metric {
    /// The name, of a counter without `_total`.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    /// The unit, which is also the end of the name.
    pub(super) unit: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        help,
        kind: Kind::Counter,
        unit: None,
    }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric {
        kind: Kind::Gauge,
        ..counter(name, help)
    }
}

const fn seconds(name: &'static str, help: &'static str) -> Metric {
    Metric {
        unit: Some("seconds"),
        ..gauge(name, help)
    }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric {
        kind: Kind::Histogram,
        ..seconds(name, help)
    }
}

/// The labels.
pub(super) mod label {
    /// The name of a handler.
    pub(crate) const HANDLER: &str = "handler";
    /// What a handler or a stream listens to: templates, never channels. From OpenTelemetry.
    pub(crate) const TEMPLATE: &str = "messaging_destination_template";
    /// How a delivery failed. From OpenTelemetry; absent if it succeeded.
    pub(crate) const ERROR: &str = "error_type";
    /// Always `redis`. From OpenTelemetry.
    pub(crate) const SYSTEM: &str = "messaging_system";
    /// Always `process`. From OpenTelemetry.
    pub(crate) const OPERATION: &str = "messaging_operation_name";
    /// The cause of a gap.
    pub(crate) const CAUSE: &str = "cause";
    /// The template of the keys of a cache.
    pub(crate) const KEYS: &str = "keys";
    /// How the names of subscriptions stand: `desired`, `confirmed` or `denied`.
    pub(crate) const STATE: &str = "state";
    /// The bound of a bucket of a histogram.
    pub(crate) const BOUND: &str = "le";
    /// Who listens: `handlers` or `streams`.
    pub(crate) const READERS: &str = "readers";
}

/// The fields of spans, by the names of OpenTelemetry, and two that `tracing-opentelemetry` gives a meaning.
pub(in crate::telemetry) mod field {
    /// The name of the span, which is the static one of `tracing` otherwise.
    pub(crate) const NAME: &str = "otel.name";
    pub(crate) const KIND: &str = "otel.kind";
    pub(crate) const STATUS: &str = "otel.status_code";
    pub(crate) const DESCRIPTION: &str = "otel.status_description";
    pub(crate) const SYSTEM: &str = "messaging.system";
    pub(crate) const OPERATION_NAME: &str = "messaging.operation.name";
    pub(crate) const OPERATION_TYPE: &str = "messaging.operation.type";
    pub(crate) const TEMPLATE: &str = "messaging.destination.template";
    pub(crate) const DESTINATION: &str = "messaging.destination.name";
    pub(crate) const COUNT: &str = "messaging.batch.message_count";
    pub(crate) const ERROR: &str = "error.type";
    // Not of OpenTelemetry.
    /// The name of the handler, as in the log.
    pub(crate) const HANDLER: &str = "handler";
    /// The cause of a gap, as in the log.
    pub(crate) const CAUSE: &str = "cause";
    /// How many messages are missing in a gap, as in the log.
    pub(crate) const MISSED: &str = "missed";
}

/// The values of fields and labels.
pub(in crate::telemetry) mod value {
    pub(crate) const REDIS: &str = "redis";
    pub(crate) const CONSUMER: &str = "consumer";
    /// The kind of a span that stands for no message.
    pub(crate) const INTERNAL: &str = "internal";
    pub(crate) const PRODUCER: &str = "producer";
    pub(crate) const PROCESS: &str = "process";
    /// Not of OpenTelemetry, which has no operation for it.
    pub(crate) const RESYNC: &str = "resync";
    pub(crate) const PUBLISH: &str = "publish";
    /// The type of the operation `publish`.
    pub(crate) const SEND: &str = "send";
    /// The status of a span that failed.
    pub(crate) const ERROR: &str = "ERROR";
}

// Of each handler.
pub(super) static CONSUMED: Metric = counter(
    "messaging_client_consumed_messages",
    "Deliveries that have ended. error_type says how a delivery failed.",
);
pub(super) static DURATION: Metric = histogram(
    "messaging_process_duration_seconds",
    "How long deliveries took, whether they succeeded or not.",
);
pub(super) static RECEIVED: Metric = counter(
    "redis_push_received",
    "Messages that have entered the buffer of the handler.",
);
pub(super) static UNMATCHED: Metric = counter(
    "redis_push_unmatched",
    "Messages that the glob of the subscription matches but the template does not.",
);
pub(super) static SKIPPED: Metric =
    counter("redis_push_skipped", "Deliveries that a layer has skipped.");
pub(super) static RETRIES: Metric = counter(
    "redis_push_retries",
    "Further attempts of deliveries that had failed.",
);
pub(super) static DROPPED: Metric = counter(
    "redis_push_dropped",
    "Messages that were lost because the handler was too slow, or its loop was restarted.",
);
pub(super) static SUPERSEDED: Metric = counter(
    "redis_push_superseded",
    "Messages that were replaced by newer ones before they were delivered.",
);
pub(super) static CANCELLED: Metric = counter(
    "redis_push_cancelled",
    "Messages that were not delivered before the end of the handler.",
);
pub(super) static BATCHES: Metric = counter(
    "redis_push_batches",
    "Batches in which messages were delivered.",
);
pub(super) static GAPS: Metric = counter(
    "redis_push_gaps",
    "Gaps that were reported to the handler, without the initial one.",
);
pub(super) static GAP_FAILURES: Metric = counter(
    "redis_push_gap_failures",
    "Runs of the gap handler that failed.",
);
pub(super) static STALLS: Metric = counter(
    "redis_push_stalls",
    "How often the handler exceeded its stall limit.",
);
pub(super) static QUEUED: Metric = gauge(
    "redis_push_queued",
    "Messages that are waiting for the handler.",
);
pub(super) static QUEUE_AGE: Metric = seconds(
    "redis_push_queue_age_seconds",
    "How long the oldest waiting message has waited, at most.",
);
pub(super) static RUNNING: Metric = gauge("redis_push_running", "Deliveries under way.");
pub(super) static PAUSED: Metric = gauge("redis_push_paused", "Whether the handler is paused.");

// Of the streams of each template.
pub(super) static STREAMS_OPEN: Metric =
    gauge("redis_push_streams_open", "Streams that have not ended.");
pub(super) static STREAMS_RECEIVED: Metric = counter(
    "redis_push_streams_received",
    "Messages that have entered the buffers of streams.",
);
pub(super) static STREAMS_TAKEN: Metric = counter(
    "redis_push_streams_taken",
    "Messages that were decoded and returned.",
);
pub(super) static STREAMS_REJECTED: Metric = counter(
    "redis_push_streams_rejected",
    "Messages that could not be decoded.",
);
pub(super) static STREAMS_UNMATCHED: Metric = counter(
    "redis_push_streams_unmatched",
    "Messages that the glob of the subscription matches but the template does not.",
);
pub(super) static STREAMS_DROPPED: Metric = counter(
    "redis_push_streams_dropped",
    "Messages that were lost because a stream was too slow.",
);
pub(super) static STREAMS_SUPERSEDED: Metric = counter(
    "redis_push_streams_superseded",
    "Messages that were skipped for newer ones.",
);
pub(super) static STREAMS_CANCELLED: Metric = counter(
    "redis_push_streams_cancelled",
    "Messages that waited when a stream was dropped.",
);
pub(super) static STREAMS_QUEUED: Metric = gauge(
    "redis_push_streams_queued",
    "Messages that wait to be read.",
);
pub(super) static STREAMS_GAPS: Metric = counter(
    "redis_push_streams_gaps",
    "Gaps that were reported to streams, without the initial ones.",
);

// Of the caches of each template of keys.
pub(super) static CACHE_HITS: Metric = counter("redis_push_cache_hits", "Keys that were cached.");
pub(super) static CACHE_MISSES: Metric =
    counter("redis_push_cache_misses", "Keys that were not cached.");
pub(super) static CACHE_BYPASSES: Metric = counter(
    "redis_push_cache_bypasses",
    "Keys that were loaded without the cache, which could not know what had changed.",
);
pub(super) static CACHE_LOADS: Metric = counter("redis_push_cache_loads", "Loads that were begun.");
pub(super) static CACHE_INVALIDATIONS: Metric = counter(
    "redis_push_cache_invalidations",
    "Keys that the server has reported as changed.",
);
pub(super) static CACHE_CLEARS: Metric = counter(
    "redis_push_cache_clears",
    "How often everything was removed.",
);
pub(super) static CACHE_EVICTIONS: Metric = counter(
    "redis_push_cache_evictions",
    "Entries that were removed to make room for others.",
);
pub(super) static CACHE_ENTRIES: Metric = gauge(
    "redis_push_cache_entries",
    "Entries that are in the caches.",
);

// Of the connection.
pub(super) static PUSHES: Metric = counter(
    "redis_push_pushes",
    "Pushes of every kind on live connections.",
);
pub(super) static UNROUTED: Metric = counter(
    "redis_push_unrouted",
    "Messages for names that nobody listens to.",
);
pub(super) static UNKNOWN: Metric = counter("redis_push_unknown", "Pushes of an unknown kind.");
pub(super) static MALFORMED: Metric = counter(
    "redis_push_malformed",
    "Pushes of a known kind that are malformed.",
);
pub(super) static STALE: Metric = counter(
    "redis_push_stale",
    "Pushes that an ended connection delivered late.",
);
pub(super) static OVERFLOWED: Metric = counter(
    "redis_push_overflowed",
    "Pushes that were lost in an attached channel.",
);
pub(super) static OVERSIZED: Metric = counter(
    "redis_push_oversized",
    "Messages that were left out because of their size.",
);
pub(super) static RECONNECTS: Metric = counter(
    "redis_push_reconnects",
    "Connections that were lost after they were subscribed.",
);
pub(super) static RESTARTS: Metric = counter(
    "redis_push_restarts",
    "Restarts of internal tasks that exited unexpectedly.",
);
pub(super) static LIVE: Metric = gauge("redis_push_live", "Whether the internal tasks run.");
pub(super) static READY: Metric = gauge(
    "redis_push_ready",
    "Whether every subscription is confirmed and the handlers are synced.",
);
pub(super) static SUBSCRIPTIONS: Metric = gauge(
    "redis_push_subscriptions",
    "Names that are subscribed, or should be.",
);
pub(super) static PING_RTT: Metric = seconds(
    "redis_push_ping_rtt_seconds",
    "How long the last answer to a PING took.",
);
pub(super) static SINCE_PING: Metric = seconds(
    "redis_push_since_ping_seconds",
    "How long ago a PING was last answered.",
);

// Of the failure hook.
pub(super) static HOOK_TOLD: Metric = counter(
    "redis_push_hook_told",
    "Failures that the failure hook has accepted.",
);
pub(super) static HOOK_FAILED: Metric = counter(
    "redis_push_hook_failed",
    "Failures for which the failure hook returned an error.",
);
pub(super) static HOOK_PANICKED: Metric = counter(
    "redis_push_hook_panicked",
    "Failures for which the failure hook panicked.",
);
pub(super) static HOOK_DROPPED: Metric = counter(
    "redis_push_hook_dropped",
    "Failures that the failure hook did not complete.",
);
pub(super) static HOOK_QUEUED: Metric = gauge(
    "redis_push_hook_queued",
    "Failures that are waiting for the failure hook.",
);
