use std::sync::Arc;

use tracing::Span;

use super::TraceParent;

/// Connects the spans of `tracing` with the contexts that messages carry: given to
/// [`Spans::propagator`](crate::Spans::propagator).
///
/// `tracing` itself knows no ids of traces. What turns its spans into traces does, mostly the crate
/// `tracing-opentelemetry`, and this is implemented for it in a few lines, which are in
/// [traces](crate::guide::traces#spans-and-opentelemetry). They are in your program because that crate and its
/// versions are your choice.
///
/// Both functions run on the tasks of handlers and publishers and must not block. A panic in them is caught;
/// the message is then delivered or published without a context.
pub trait Propagator: Send + Sync + 'static {
    /// Returns the context of a span, for a message to carry. `None` if the span is not sampled: the message
    /// then carries none.
    fn context(&self, span: &Span) -> Option<TraceParent>;

    /// Makes a span, which is new, follow the context that a message has carried.
    fn follow(&self, span: &Span, context: TraceParent, relation: Relation);
}

/// So one propagator can be used by several settings.
impl<P: Propagator + ?Sized> Propagator for Arc<P> {
    fn context(&self, span: &Span) -> Option<TraceParent> {
        P::context(self, span)
    }

    fn follow(&self, span: &Span, context: TraceParent, relation: Relation) {
        P::follow(self, span, context, relation);
    }
}

/// How the span of a delivery is related to the span that published the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Relation {
    /// It is linked to it, and begins a trace of its own.
    Linked,
    /// It is its child, and linked to it as well.
    Parented,
}
