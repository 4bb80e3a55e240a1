//! Deliveries that fail, and code around spans that panics.

use std::time::Duration;

use redis_push::testing::TestKit;
use redis_push::tracing::span::{Attributes, Id, Record};
use redis_push::tracing::subscriber::set_default;
use redis_push::tracing::{Event, Metadata, Span, Subscriber as Tracing};
use redis_push::{
    Delivery, Next, Outcome, Propagator, Publisher, PushMessage, Relation, Spans, Subscriber,
    TraceParent, handlers, push_handler,
};

use crate::collected::Collected;

#[push_handler(channel = "jobs.{kind}", timeout = "1s")]
async fn on_job(text: &str) -> Result<(), String> {
    match text {
        "error" => Err("no space left".to_owned()),
        "panic" => panic!("asked to panic"),
        "hang" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn skips(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    match delivery.param("kind") {
        Some("skipped") => Outcome::skipped(),
        _ => next.run(delivery).await,
    }
}

fn app() -> Subscriber {
    Subscriber::new("redis://unused/").handlers(handlers![on_job])
}

#[tokio::test(start_paused = true)]
async fn a_span_says_how_its_delivery_has_failed() {
    for (channel, payload, error, reason) in [
        (
            "jobs.a",
            "error".as_bytes(),
            "failed",
            "handler failed: no space left",
        ),
        (
            "jobs.a",
            b"panic",
            "panicked",
            "handler panicked: asked to panic",
        ),
        ("jobs.a", b"hang", "timed_out", "handler timed out"),
        ("jobs.a", b"\xff", "rejected", "UTF-8"),
    ] {
        let collected = Collected::begin();
        let kit = TestKit::start(app().spans(Spans::linked())).await.unwrap();
        kit.publish_raw(channel, payload).await.unwrap();
        let span = collected.span("process jobs.{kind}");
        assert_eq!(span.field("error.type"), Some(error));
        assert_eq!(span.field("otel.status_code"), Some("ERROR"));
        let description = span.field("otel.status_description").unwrap();
        assert!(description.contains(reason), "{description}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_failure_is_none_in_the_span() {
    let collected = Collected::begin();
    let app = app().around(skips).spans(Spans::linked());
    let kit = TestKit::start(app).await.unwrap();
    kit.publish_raw("jobs.skipped", "error").await.unwrap();
    let span = collected.span("process jobs.{kind}");
    assert_eq!(span.field("error.type"), None);
    // The handler does not get it, so it has no span.
    kit.publish_raw("jobs.a.b", "x").await.unwrap();
    assert_eq!(kit.handler("on_job").unmatched(), 1);
    assert_eq!(collected.closed().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_fails_says_so() {
    let kit = TestKit::start(app()).await.unwrap();
    let collected = Collected::begin();
    let publisher = Publisher::new(kit.url()).unwrap().spans(Spans::linked());
    kit.broker().unwrap().stop().await;
    let error = publisher.publish_to("jobs.a", "x").await.unwrap_err();
    let span = collected.span("publish");
    assert_eq!(span.field("otel.status_code"), Some("ERROR"));
    assert_eq!(span.field("error.type"), Some("connection"), "{error}");
}

/// A subscriber of `tracing` that panics on every span.
struct Panics;

impl Tracing for Panics {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        panic!("a test has requested this panic")
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The same where a span is entered, recorded and left.
struct PanicsLater;

impl Tracing for PanicsLater {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {
        panic!("a test has requested this panic")
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {
        panic!("a test has requested this panic")
    }

    fn exit(&self, _: &Id) {
        panic!("a test has requested this panic")
    }

    fn try_close(&self, _: Id) -> bool {
        panic!("a test has requested this panic")
    }
}

struct PanickingPropagator;

impl Propagator for PanickingPropagator {
    fn context(&self, _: &Span) -> Option<TraceParent> {
        panic!("a test has requested this panic")
    }

    fn follow(&self, _: &Span, _: TraceParent, _: Relation) {
        panic!("a test has requested this panic")
    }
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "carried", trace)]
struct Carried {
    id: u64,
}

#[push_handler]
async fn on_carried(_carried: Carried) {}

#[tokio::test(start_paused = true)]
async fn a_subscriber_of_tracing_that_panics_loses_no_message() {
    for later in [false, true] {
        let kit = TestKit::start(app().spans(Spans::linked())).await.unwrap();
        let _guard = match later {
            true => set_default(PanicsLater),
            false => set_default(Panics),
        };
        for payload in ["x", "error", "x"] {
            kit.publish_raw("jobs.a", payload).await.unwrap();
        }
        let stats = kit.handle().stats();
        let handler = stats.handler("on_job").unwrap();
        assert_eq!((handler.handled, handler.failed), (2, 1), "{stats}");
        assert_eq!(stats.restarts, 0);
        let publisher = Publisher::new(kit.url()).unwrap().spans(Spans::linked());
        publisher.publish_to("elsewhere", "x").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_propagator_that_panics_loses_no_message() {
    let _collected = Collected::begin();
    let spans = Spans::parented().propagator(PanickingPropagator);
    let app = Subscriber::new("redis://unused/").handlers(handlers![on_carried]);
    let kit = TestKit::start(app.spans(spans.clone())).await.unwrap();
    let publisher = Publisher::new(kit.url()).unwrap().spans(spans);
    publisher.publish(&Carried { id: 7 }).await.unwrap();
    let carried =
        r#"{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","id":8}"#;
    kit.publish_raw("carried", carried).await.unwrap();
    let calls = kit.handler("on_carried");
    calls.called(2);
    assert_eq!(kit.handle().stats().restarts, 0);
}
