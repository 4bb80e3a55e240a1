use std::time::Duration;

use redis_push::testing::TestKit;
use redis_push::{
    Delivery, Next, Outcome, Publish, Publisher, PushMessage, Spans, Subscriber, handlers,
    push_handler,
};

use crate::collected::Collected;

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "orders.{shop}")]
struct Order {
    shop: String,
    number: u64,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "receipts")]
struct Receipt {
    number: u64,
}

#[push_handler]
async fn on_order(order: Order) -> Publish<Receipt> {
    Publish(Receipt {
        number: order.number,
    })
}

#[push_handler(workers = 2)]
async fn on_order_by_workers(_order: Order) {}

fn order() -> Order {
    Order {
        shop: "north".to_owned(),
        number: 7,
    }
}

fn app() -> Subscriber {
    Subscriber::new("redis://unused/").handlers(handlers![on_order])
}

#[tokio::test(start_paused = true)]
async fn a_delivery_and_its_answer_have_spans_with_the_names_of_opentelemetry() {
    let collected = Collected::begin();
    let kit = TestKit::start(app().spans(Spans::linked())).await.unwrap();
    kit.publish(&order()).await.unwrap();
    let process = collected.span("process orders.{shop}");
    for (field, value) in [
        ("otel.kind", "consumer"),
        ("messaging.system", "redis"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.template", "orders.{shop}"),
        ("messaging.destination.name", "orders.north"),
        ("handler", "on_order"),
    ] {
        assert_eq!(process.field(field), Some(value), "{field}");
    }
    assert_eq!(process.parent, None);
    assert_eq!(process.field("error.type"), None);
    let publish = collected.span("publish receipts");
    for (field, value) in [
        ("otel.kind", "producer"),
        ("messaging.system", "redis"),
        ("messaging.operation.name", "publish"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.template", "receipts"),
        ("messaging.destination.name", "receipts"),
    ] {
        assert_eq!(publish.field(field), Some(value), "{field}");
    }
    assert_eq!(publish.parent, Some(process.id));
    assert_eq!(collected.closed().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_has_a_span_unless_it_is_asked_for() {
    let collected = Collected::begin();
    let kit = TestKit::start(app()).await.unwrap();
    kit.publish(&order()).await.unwrap();
    kit.handler("on_order").assert_once().with(&order());
    assert_eq!(collected.closed().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_prefix_is_a_part_of_the_names() {
    let collected = Collected::begin();
    let app = app().prefix("test:").spans(Spans::linked());
    let kit = TestKit::start(app).await.unwrap();
    kit.publish(&order()).await.unwrap();
    let process = collected.span("process test:orders.{shop}");
    let name = process.field("messaging.destination.name");
    assert_eq!(name, Some("test:orders.north"));
    let publish = collected.span("publish test:receipts");
    assert_eq!(publish.parent, Some(process.id));
}

#[tokio::test(start_paused = true)]
async fn workers_and_late_mounts_have_spans_too() {
    let collected = Collected::begin();
    let app = Subscriber::new("redis://unused/").handlers(handlers![on_order_by_workers]);
    let kit = TestKit::start(app.spans(Spans::linked())).await.unwrap();
    let mounted = kit.handle().mount(handlers![on_order]).await.unwrap();
    for _ in 0..3 {
        kit.publish(&order()).await.unwrap();
    }
    let of = |handler| {
        let spans = collected.closed().into_iter();
        spans
            .filter(|span| span.field("handler") == Some(handler))
            .count()
    };
    assert_eq!(of("on_order_by_workers"), 3);
    assert_eq!(of("on_order"), 3);
    drop(mounted);
}

#[tokio::test(start_paused = true)]
async fn layers_run_inside_the_span_and_repetitions_are_in_one() {
    async fn logs(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
        redis_push::tracing::info!("before");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let outcome = next.run(delivery).await;
        redis_push::tracing::info!("after");
        outcome
    }
    #[push_handler(channel = "tries", retry = 2, retry_delay = "1s")]
    async fn on_try(_text: &str) -> Result<(), &'static str> {
        redis_push::tracing::info!("handler");
        Err("not yet")
    }
    let collected = Collected::begin();
    let app = Subscriber::new("redis://unused/").handlers(handlers![on_try]);
    let kit = TestKit::start(app.around(logs).spans(Spans::linked())).await;
    let kit = kit.unwrap();
    kit.publish_raw("tries", "x").await.unwrap();
    let span = collected.span("process tries");
    let mut attempts = span.events.iter().map(String::as_str);
    for _ in 0..3 {
        let lines: Vec<_> = attempts.by_ref().take(3).collect();
        assert_eq!(lines, ["before", "handler", "after"]);
        let repeated = attempts.clone().next().unwrap_or_default();
        if repeated == "delivery is repeated" {
            attempts.next();
        }
    }
    // The line of the library about the failure is in the span too.
    let last: Vec<_> = attempts.collect();
    assert_eq!(last, ["handler failed: not yet"]);
    assert_eq!(span.field("error.type"), Some("failed"));
}

#[tokio::test(start_paused = true)]
async fn publishers_have_spans_of_one_message_and_of_many() {
    let kit = TestKit::start(app()).await.unwrap();
    let collected = Collected::begin();
    let publisher = Publisher::new(kit.url()).unwrap().spans(Spans::linked());
    let orders = [order(), order(), order()];
    publisher.publish_all(&orders).await.unwrap();
    let many = collected.span("publish orders.{shop}");
    let count = many.field("messaging.batch.message_count");
    assert_eq!(count, Some("3"));
    assert_eq!(many.field("messaging.destination.name"), None);
    publisher.publish_to("plain", "text").await.unwrap();
    let plain = collected.span("publish");
    let name = plain.field("messaging.destination.name");
    assert_eq!(name, Some("plain"));
    assert_eq!(plain.field("messaging.destination.template"), None);
    let address = Order::at("south").prefix("eu:");
    publisher.publish_to(address, &order()).await.unwrap();
    let at = collected.span("publish eu:orders.{shop}");
    let name = at.field("messaging.destination.name");
    assert_eq!(name, Some("eu:orders.south"));
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_is_awaited_elsewhere_is_a_child_of_the_span_in_which_it_was_called() {
    let kit = TestKit::start(app()).await.unwrap();
    let collected = Collected::begin();
    let publisher = Publisher::new(kit.url()).unwrap().spans(Spans::linked());
    let caller = redis_push::tracing::info_span!(target: "redis_push::spans", "caller", otel.name = "caller");
    let publishing = caller.in_scope(|| publisher.publish(&order()));
    tokio::spawn(publishing).await.unwrap().unwrap();
    let id = caller.id().map(|id| id.into_u64());
    drop(caller);
    assert_eq!(collected.span("publish orders.{shop}").parent, id);
}
