//! The spans of gap handlers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use redis_push::testing::TestKit;
use redis_push::{
    Delivery, Gap, GapCause, Next, Outcome, Publisher, PushMessage, Spans, State, Subscriber,
    gap_handler, handlers, push_handler,
};

use crate::collected::{Collected, Seen};

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "loaded")]
struct Loaded {
    cause: String,
}

/// How many runs of the gap handlers are to fail.
#[derive(Clone, Default)]
struct Failures(Arc<AtomicU32>);

#[gap_handler]
async fn reload(gap: Gap, State(failures): State<Failures>) -> Result<(), &'static str> {
    redis_push::tracing::info!("loading");
    // The span is entered with each poll.
    tokio::time::sleep(Duration::from_secs(1)).await;
    redis_push::tracing::info!("loaded");
    let left = failures.0.load(Relaxed);
    failures.0.store(left.saturating_sub(1), Relaxed);
    match left {
        0 => Ok(()),
        1 => Err("no database"),
        _ => panic!("asked to panic after {}", gap.cause),
    }
}

#[push_handler(channel = "prices.{symbol}", on_gap = reload)]
async fn on_price(_text: &str) {}

#[push_handler(channel = "prices.{symbol}")]
async fn on_price_alone(_text: &str) {}

/// A gap handler that publishes, of a handler with workers.
#[gap_handler]
async fn announce(gap: Gap, State(publisher): State<Publisher>) -> redis_push::Result<()> {
    let loaded = Loaded {
        cause: gap.cause.to_string(),
    };
    publisher.publish(&loaded).await?;
    Ok(())
}

#[push_handler(channel = "trades", workers = 2, on_gap = announce)]
async fn on_trade(_text: &str) {}

fn app(failures: u32) -> Subscriber<Failures> {
    Subscriber::new("redis://unused/")
        .state(Failures(Arc::new(failures.into())))
        .handlers(handlers![on_price, on_price_alone])
}

fn resyncs(collected: &Collected) -> Vec<Seen> {
    let mut spans = collected.closed();
    spans.retain(|span| span.name().starts_with("resync "));
    spans
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_gap_handler_has_a_span_with_the_cause_and_the_loss() {
    let collected = Collected::begin();
    let kit = TestKit::start(app(0).spans(Spans::linked())).await.unwrap();
    let first = collected.span("resync prices.{symbol}");
    for (field, value) in [
        ("otel.kind", "internal"),
        ("handler", "on_price"),
        ("cause", "first subscribed"),
        ("missed", "0"),
    ] {
        assert_eq!(first.field(field), Some(value), "{field}");
    }
    assert_eq!(first.parent, None);
    assert_eq!(first.field("error.type"), None);
    assert_eq!(first.field("otel.status_code"), None);
    assert_eq!(first.events, ["loading", "loaded"]);

    kit.outage(Duration::from_secs(5)).await.unwrap();
    kit.handler("on_price").assert_gap(GapCause::ConnectionLost);
    let spans = resyncs(&collected);
    assert_eq!(spans.len(), 2, "{spans:?}");
    assert_eq!(spans[1].field("cause"), Some("connection lost"));
    assert_eq!(spans[1].field("missed"), Some("an unknown number"));
    // No message is processed in one.
    kit.publish_raw("prices.a", "1").await.unwrap();
    assert_eq!(resyncs(&collected).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_run_that_fails_says_so_in_a_span_of_its_own() {
    let collected = Collected::begin();
    let app = app(2).spans(Spans::linked());
    let _kit = TestKit::start(app).await.unwrap();
    let spans = resyncs(&collected);
    let said: Vec<_> = spans
        .iter()
        .map(|span| (span.field("error.type"), span.field("otel.status_code")))
        .collect();
    assert_eq!(
        said,
        [
            (Some("panicked"), Some("ERROR")),
            (Some("failed"), Some("ERROR")),
            (None, None)
        ]
    );
    for (span, reason) in spans.iter().zip(["asked to panic", "no database"]) {
        let description = span.field("otel.status_description").unwrap();
        assert!(description.contains(reason), "{description}");
        let last = span.events.last().unwrap();
        assert!(last.starts_with("gap handler failed"), "{last}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_gap_handler_publishes_is_in_its_span_also_beside_workers() {
    let collected = Collected::begin();
    // The kit passes this address on to its broker.
    let publisher = Publisher::new("redis://unused/")
        .unwrap()
        .spans(Spans::linked());
    let app = Subscriber::new("redis://unused/")
        .state(publisher)
        .handlers(handlers![on_trade]);
    let kit = TestKit::start(app.spans(Spans::linked())).await.unwrap();
    let resync = collected.span("resync trades");
    let publish = collected.span("publish loaded");
    assert_eq!(publish.parent, Some(resync.id));
    kit.published::<Loaded>().assert_once().with(&Loaded {
        cause: "first subscribed".to_owned(),
    });
}

#[tokio::test(start_paused = true)]
async fn the_layers_of_a_gap_run_inside_the_span() {
    async fn logs(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
        redis_push::tracing::info!("before");
        let outcome = next.run(delivery).await;
        redis_push::tracing::info!("after");
        outcome
    }
    let collected = Collected::begin();
    let app = app(0).around(logs).spans(Spans::linked());
    let _kit = TestKit::start(app).await.unwrap();
    let span = collected.span("resync prices.{symbol}");
    assert_eq!(span.events, ["before", "loading", "loaded", "after"]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_has_no_span_where_none_are_asked_for() {
    let collected = Collected::begin();
    let _kit = TestKit::start(app(0)).await.unwrap();
    assert_eq!(collected.closed().len(), 0);
}
