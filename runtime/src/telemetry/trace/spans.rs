use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use tracing::Span;
use tracing::field::{Empty, display};

use super::names::{field, value};
use super::{Propagator, Relation, TraceParent};
use crate::util::{Contained, call, drop_caught, runs_without_panic};

/// The target of the spans, for filters of `tracing`.
const TARGET: &str = "redis_push::spans";

/// Spans of deliveries, of gap handlers and of publishing, through `tracing`: a setting of
/// [`Subscriber::spans`](crate::Subscriber::spans) and [`Publisher::spans`](crate::Publisher::spans).
///
/// ```
/// use redis_push::{Spans, Subscriber};
///
/// let subscriber = Subscriber::new("redis://127.0.0.1/").spans(Spans::linked());
/// ```
///
/// Their names and fields are those of OpenTelemetry's semantic conventions 1.44, in which messaging is still
/// under development:
///
/// | | a delivery | publishing |
/// | --- | --- | --- |
/// | `otel.name` | `process quotes.{symbol}` | `publish quotes.{symbol}` |
/// | `otel.kind` | `consumer` | `producer` |
/// | `messaging.system` | `redis` | `redis` |
/// | `messaging.operation.name` | `process` | `publish` |
/// | `messaging.operation.type` | `process` | `send` |
/// | `messaging.destination.template` | what the handler listens to | that of the message type; absent on a name |
/// | `messaging.destination.name` | the channel | the channel |
/// | `messaging.batch.message_count` | | with [`publish_all`](crate::Publisher::publish_all) |
/// | `handler` | the name of the handler | |
/// | `error.type` | `failed`, `panicked`, `timed_out`, `rejected` | the kind of the error |
/// | `otel.status_code`, `otel.status_description` | `ERROR` and the reason | the same |
///
/// A span of a delivery begins when the handler gets the message: there is none while messages wait. It
/// contains the handler's layers, its repetitions, and what it publishes. There is none for a message that the
/// template does not match.
///
/// Each run of a gap handler has a span of its own, also each repetition of one that has failed: they may be
/// half a minute apart. It has no message, so its names are not those of OpenTelemetry's messaging:
///
/// | | a run of a gap handler |
/// | --- | --- |
/// | `otel.name` | `resync quotes.{symbol}` |
/// | `otel.kind` | `internal` |
/// | `handler` | the name of the handler |
/// | `cause`, `missed` | those of the [`Gap`](crate::Gap), as text |
/// | `error.type` | `failed`, `panicked` |
/// | `otel.status_code`, `otel.status_description` | `ERROR` and the reason |
///
/// Streams have no spans: what a program does with an item is its own code. A message of a stream may carry a
/// context all the same, for a [span of the program](crate::guide::traces#traces-and-streams).
///
/// The level is `INFO`, and the target `redis_push::spans`.
#[derive(Clone)]
pub struct Spans(Arc<Setting>);

#[derive(Clone)]
struct Setting {
    relation: Relation,
    propagator: Option<Arc<dyn Propagator>>,
}

impl Spans {
    /// Makes spans that are linked to those that published the messages, and begin traces of their own. This is
    /// what OpenTelemetry recommends: one message may be delivered to many.
    #[must_use]
    pub fn linked() -> Self {
        Self::related(Relation::Linked)
    }

    /// Makes spans that are children of those that published the messages: one trace from end to end.
    #[must_use]
    pub fn parented() -> Self {
        Self::related(Relation::Parented)
    }

    fn related(relation: Relation) -> Self {
        Self(Arc::new(Setting {
            relation,
            propagator: None,
        }))
    }

    /// Sets what connects the spans with the contexts that messages carry. Without it, spans have no relation
    /// to those of other processes, and published messages carry no context of their own.
    #[must_use]
    pub fn propagator(self, propagator: impl Propagator) -> Self {
        let mut setting = Arc::unwrap_or_clone(self.0);
        setting.propagator = Some(Arc::new(propagator));
        Self(Arc::new(setting))
    }

    /// Whether published messages carry the contexts of their own spans.
    pub(crate) fn has_propagator(&self) -> bool {
        self.0.propagator.is_some()
    }

    /// Opens the span of a delivery.
    pub(crate) fn process(&self, of: &Process, channel: &[u8], payload: &[u8]) -> OpenSpan {
        let span = OpenSpan::new(|| {
            tracing::info_span!(
                target: TARGET,
                parent: None,
                "process",
                { field::NAME } = &*of.name,
                { field::KIND } = value::CONSUMER,
                { field::SYSTEM } = value::REDIS,
                { field::OPERATION_NAME } = value::PROCESS,
                { field::OPERATION_TYPE } = value::PROCESS,
                { field::TEMPLATE } = &*of.template,
                { field::DESTINATION } = &*String::from_utf8_lossy(channel),
                { field::HANDLER } = &*of.handler,
                { field::ERROR } = Empty,
                { field::STATUS } = Empty,
                { field::DESCRIPTION } = Empty,
            )
        });
        if let Some(span) = span.get()
            && let Some(propagator) = &self.0.propagator
            && let Some(context) = TraceParent::of_payload(payload)
        {
            runs_without_panic(|| propagator.follow(span, context, self.0.relation));
        }
        span
    }

    /// Opens the span of a run of the gap handler.
    pub(crate) fn resync(
        &self,
        of: &Process,
        cause: impl fmt::Display,
        missed: impl fmt::Display,
    ) -> OpenSpan {
        OpenSpan::new(|| {
            tracing::info_span!(
                target: TARGET,
                parent: None,
                "resync",
                { field::NAME } = format!("{} {}", value::RESYNC, of.template),
                { field::KIND } = value::INTERNAL,
                { field::HANDLER } = &*of.handler,
                { field::CAUSE } = %cause,
                { field::MISSED } = %missed,
                { field::ERROR } = Empty,
                { field::STATUS } = Empty,
                { field::DESCRIPTION } = Empty,
            )
        })
    }

    /// Opens the span of publishing: on one channel, or a number of messages.
    pub(crate) fn publish(
        &self,
        parent: &OpenSpan,
        template: Option<&str>,
        channel: &[u8],
        count: usize,
    ) -> OpenSpan {
        OpenSpan::new(|| {
            let name = match template {
                Some(template) => format!("{} {template}", value::PUBLISH),
                None => value::PUBLISH.to_owned(),
            };
            let is_one = count == 1;
            let channel = is_one.then(|| String::from_utf8_lossy(channel));
            let count = (!is_one).then_some(count);
            tracing::info_span!(
                target: TARGET,
                parent: parent.get().and_then(Span::id),
                "publish",
                { field::NAME } = name,
                { field::KIND } = value::PRODUCER,
                { field::SYSTEM } = value::REDIS,
                { field::OPERATION_NAME } = value::PUBLISH,
                { field::OPERATION_TYPE } = value::SEND,
                { field::TEMPLATE } = template,
                { field::DESTINATION } = channel.as_deref(),
                { field::COUNT } = count,
                { field::ERROR } = Empty,
                { field::STATUS } = Empty,
                { field::DESCRIPTION } = Empty,
            )
        })
    }

    /// Returns the context that a message carries which is published in a span.
    pub(crate) fn context(&self, span: &OpenSpan) -> Option<TraceParent> {
        let (span, propagator) = (span.get()?, self.0.propagator.as_ref()?);
        call(|| propagator.context(span)).ok().flatten()
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans")
            .field("relation", &self.0.relation)
            .finish_non_exhaustive()
    }
}

/// What the spans of a handler's deliveries have in common.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    handler: String,
    template: String,
}

impl Process {
    pub(crate) fn new(handler: &str, template: String) -> Self {
        Self {
            name: format!("{} {template}", value::PROCESS),
            handler: handler.to_owned(),
            template,
        }
    }
}

/// A span that is open, if someone collects it. The code that does is the user's, so a panic in it is caught.
pub(crate) struct OpenSpan(Contained<Span>);

impl OpenSpan {
    fn new(open: impl FnOnce() -> Span) -> Self {
        let span = call(open).ok().filter(|span| !span.is_disabled());
        Self(Contained::new(span))
    }

    /// The span that the caller is in.
    pub(crate) fn current() -> Self {
        Self::new(Span::current)
    }

    fn get(&self) -> Option<&Span> {
        self.0.get()
    }

    /// Runs a future in the span.
    pub(crate) async fn around<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let entered = self.get().and_then(|span| call(|| span.enter()).ok());
            let polled = future.as_mut().poll(cx);
            drop_caught(entered);
            polled
        })
        .await
    }

    /// Records that what the span is about has failed.
    pub(crate) fn fail(&self, error: &str, reason: impl fmt::Display) {
        if let Some(span) = self.get() {
            runs_without_panic(|| {
                span.record(field::ERROR, error);
                span.record(field::STATUS, value::ERROR);
                span.record(field::DESCRIPTION, display(reason));
            });
        }
    }
}
