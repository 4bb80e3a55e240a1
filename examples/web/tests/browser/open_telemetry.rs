//! What connects the library with `tracing-opentelemetry`, as the docs show it.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use redis_push::tracing::Span;
use redis_push::{Propagator, Relation, TraceParent};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Reads and sets the contexts of spans by `tracing-opentelemetry`.
pub(crate) struct OpenTelemetry;

impl Propagator for OpenTelemetry {
    fn context(&self, span: &Span) -> Option<TraceParent> {
        let context = span.context();
        let context = context.span().span_context().clone();
        let (trace, span) = (context.trace_id().to_bytes(), context.span_id().to_bytes());
        TraceParent::new(trace, span, true).filter(|_| context.is_sampled())
    }

    fn follow(&self, span: &Span, context: TraceParent, relation: Relation) {
        let trace = TraceId::from_bytes(context.trace_id());
        let id = SpanId::from_bytes(context.span_id());
        let flags = TraceFlags::default().with_sampled(context.is_sampled());
        let from = SpanContext::new(trace, id, flags, true, TraceState::default());
        span.add_link(from.clone());
        if relation == Relation::Parented {
            let _ = span.set_parent(Context::new().with_remote_span_context(from));
        }
    }
}
