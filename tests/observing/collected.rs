//! A subscriber of `tracing` that keeps the spans.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use redis_push::tracing::field::{Field, Visit};
use redis_push::tracing::span::{Attributes, Id, Record};
use redis_push::tracing::subscriber::{DefaultGuard, set_default};
use redis_push::tracing::{Event, Span, Subscriber};
use redis_push::{Propagator, Relation, TraceParent};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// A span, as it was when it was closed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) id: u64,
    pub(crate) parent: Option<u64>,
    pub(crate) fields: BTreeMap<&'static str, String>,
    /// The messages that were logged in it.
    pub(crate) events: Vec<String>,
    is_closed: bool,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub(crate) fn name(&self) -> &str {
        self.field("otel.name").expect("a name")
    }
}

type Spans = Arc<Mutex<Vec<Seen>>>;

/// The spans of a test.
pub(crate) struct Collected {
    spans: Spans,
    _guard: DefaultGuard,
}

impl Collected {
    /// Collects the spans of this thread.
    pub(crate) fn begin() -> Self {
        let spans = Spans::default();
        let collect = Collect(Arc::clone(&spans));
        Self {
            spans,
            _guard: set_default(Registry::default().with(collect)),
        }
    }

    /// The spans that are closed, in the order in which they were opened.
    pub(crate) fn closed(&self) -> Vec<Seen> {
        let spans = self.spans.lock().unwrap();
        spans
            .iter()
            .filter(|span| span.is_closed)
            .cloned()
            .collect()
    }

    /// The only span of this name.
    pub(crate) fn span(&self, name: &str) -> Seen {
        let mut spans = self.closed();
        spans.retain(|span| span.name() == name);
        assert_eq!(spans.len(), 1, "{name}: {spans:?}");
        spans.remove(0)
    }
}

struct Collect(Spans);

impl Collect {
    fn change(&self, id: &Id, change: impl FnOnce(&mut Seen)) {
        let mut spans = self.0.lock().unwrap();
        // Ids are used again.
        let mut open = spans.iter_mut().rev();
        if let Some(span) = open.find(|span| span.id == id.into_u64() && !span.is_closed) {
            change(span);
        }
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Collect {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != "redis_push::spans" {
            return;
        }
        let span = context.span(id).expect("a new span");
        let mut seen = Seen {
            id: id.into_u64(),
            parent: span.parent().map(|parent| parent.id().into_u64()),
            ..Seen::default()
        };
        attributes.record(&mut Fields(&mut seen.fields));
        self.0.lock().unwrap().push(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.change(id, |span| values.record(&mut Fields(&mut span.fields)));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.lookup_current() else {
            return;
        };
        let mut fields = BTreeMap::new();
        event.record(&mut Fields(&mut fields));
        let message = fields.remove("message").unwrap_or_default();
        self.change(&span.id(), |span| span.events.push(message));
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.change(&id, |span| span.is_closed = true);
    }
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

/// A propagator whose ids are those of the spans.
#[derive(Clone, Default)]
pub(crate) struct ById {
    samples_none: bool,
    followed: Arc<Mutex<Vec<(u64, u64, Relation)>>>,
}

impl ById {
    pub(crate) fn sampling_nothing() -> Self {
        Self {
            samples_none: true,
            ..Self::default()
        }
    }

    /// The span that another one follows, and how.
    pub(crate) fn followed_by(&self, span: &Seen) -> Option<(u64, Relation)> {
        let followed = self.followed.lock().unwrap();
        let entry = followed.iter().find(|(id, ..)| *id == span.id)?;
        Some((entry.1, entry.2))
    }
}

impl Propagator for ById {
    fn context(&self, span: &Span) -> Option<TraceParent> {
        let id = span.id().expect("it is enabled").into_u64();
        let context = TraceParent::new([7; 16], id.to_be_bytes(), true);
        context.filter(|_| !self.samples_none)
    }

    fn follow(&self, span: &Span, context: TraceParent, relation: Relation) {
        let id = span.id().expect("it is enabled").into_u64();
        let from = u64::from_be_bytes(context.span_id());
        self.followed.lock().unwrap().push((id, from, relation));
    }
}
