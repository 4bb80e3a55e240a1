//! Traces from one process to the next.

use redis_push::testing::TestKit;
use redis_push::tracing::{Instrument as _, info_span};
use redis_push::{
    Event, EventStream, FromPush, Propagator as _, Publish, Publisher, Push, PushMessage,
    Rejection, Relation, Spans, Subscriber, TraceParent, handlers, push_handler,
};

use crate::collected::{ById, Collected};

const CONTEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "orders.{shop}", trace)]
struct Order {
    shop: String,
    number: u64,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "receipts", trace, codec = msgpack)]
#[serde(deny_unknown_fields)]
struct Receipt {
    number: u64,
}

/// Carries no context.
#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "archive")]
#[serde(deny_unknown_fields)]
struct Archived {
    number: u64,
}

#[push_handler]
async fn on_order(order: Order) -> Publish<Receipt> {
    Publish(Receipt {
        number: order.number,
    })
}

#[push_handler]
async fn on_receipt(receipt: Receipt) -> Publish<Archived> {
    Publish(Archived {
        number: receipt.number,
    })
}

#[push_handler]
async fn on_archived(_archived: Archived) {}

/// Waits until everything that was published has been handled.
async fn settle(kit: &TestKit) {
    kit.publish_raw("last", "").await.unwrap();
}

fn order() -> Order {
    Order {
        shop: "north".to_owned(),
        number: 7,
    }
}

fn app() -> Subscriber {
    Subscriber::new("redis://unused/").handlers(handlers![on_order, on_receipt, on_archived])
}

#[tokio::test(start_paused = true)]
async fn a_trace_goes_over_answers_from_handler_to_handler() {
    for (spans, relation) in [
        (Spans::linked(), Relation::Linked),
        (Spans::parented(), Relation::Parented),
    ] {
        let collected = Collected::begin();
        let propagator = ById::default();
        let spans = spans.propagator(propagator.clone());
        let kit = TestKit::start(app().spans(spans.clone())).await.unwrap();
        let publisher = Publisher::new(kit.url()).unwrap().spans(spans);
        publisher.publish(&order()).await.unwrap();
        settle(&kit).await;
        let first = collected.span("publish orders.{shop}");
        let second = collected.span("process orders.{shop}");
        let third = collected.span("publish receipts");
        let fourth = collected.span("process receipts");
        assert_eq!(propagator.followed_by(&second), Some((first.id, relation)));
        assert_eq!(third.parent, Some(second.id));
        assert_eq!(propagator.followed_by(&fourth), Some((third.id, relation)));
        // This type carries no context, and its payload is unchanged.
        let last = collected.span("process archive");
        assert_eq!(propagator.followed_by(&last), None);
        kit.published::<Archived>().assert_once();
        kit.handler("on_archived").assert_once().handled();
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_sampled_span_carries_nothing() {
    let _collected = Collected::begin();
    let spans = Spans::linked().propagator(ById::sampling_nothing());
    let kit = TestKit::start(app().spans(spans.clone())).await.unwrap();
    let publisher = Publisher::new(kit.url()).unwrap().spans(spans);
    publisher.publish(&order()).await.unwrap();
    settle(&kit).await;
    let calls = kit.handler("on_order");
    let call = calls.assert_once();
    assert_eq!(call.push().payload(), br#"{"number":7}"#);
}

#[tokio::test(start_paused = true)]
async fn an_answer_passes_the_context_on_where_nothing_makes_spans() {
    let kit = TestKit::start(app()).await.unwrap();
    let payload = format!(r#"{{"traceparent":"{CONTEXT}","number":7}}"#);
    kit.publish_raw("orders.north", &payload).await.unwrap();
    let receipts = kit.handler("on_receipt");
    let receipt = receipts.assert_once();
    receipt.with(&Receipt { number: 7 });
    let text = String::from_utf8_lossy(receipt.push().payload());
    assert!(text.contains(CONTEXT), "{text}");
    kit.published::<Receipt>().assert_once();
}

#[tokio::test(start_paused = true)]
async fn a_program_without_spans_passes_a_context_on_by_hand() {
    #[push_handler]
    async fn relay(
        order: Order,
        trace: Option<TraceParent>,
        publisher: Publisher,
    ) -> redis_push::Result<()> {
        let receipt = Receipt {
            number: order.number,
        };
        publisher.with_trace(trace).publish(&receipt).await?;
        Ok(())
    }
    let app = Subscriber::new("redis://unused/").handlers(handlers![relay, on_receipt]);
    let kit = TestKit::start(app).await.unwrap();
    let payload = format!(r#"{{"traceparent":"{CONTEXT}","number":7}}"#);
    kit.publish_raw("orders.north", &payload).await.unwrap();
    let receipts = kit.handler("on_receipt");
    let text = String::from_utf8_lossy(receipts.assert_once().push().payload()).into_owned();
    assert!(text.contains(CONTEXT), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_reads_messages_that_carry_a_context() {
    let kit = TestKit::start(Subscriber::new("redis://unused/"))
        .await
        .unwrap();
    let mut orders = kit.handle().subscribe(Order::at_any()).await.unwrap();
    let publisher = Publisher::new(kit.url()).unwrap();
    let context: TraceParent = CONTEXT.parse().unwrap();
    let publisher = publisher.with_trace(context);
    publisher.publish_all(&[order(), order()]).await.unwrap();
    let mut read = 0;
    while read < 2 {
        match orders.next().await.unwrap() {
            Event::Message(message) => {
                assert_eq!(message, order());
                read += 1;
            }
            Event::Gap(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A message with the context that it carries, as in the guide.
struct Traced<T> {
    message: T,
    trace: Option<TraceParent>,
}

impl<'p, S, T: FromPush<'p, S>> FromPush<'p, S> for Traced<T> {
    fn from_push(push: Push<'p>, state: &'p S) -> Result<Self, Rejection> {
        Ok(Self {
            message: T::from_push(push, state)?,
            trace: FromPush::from_push(push, state)?,
        })
    }
}

async fn next_order(orders: &mut EventStream<Traced<Order>>) -> Traced<Order> {
    loop {
        match orders.next().await.unwrap() {
            Event::Message(order) => return order,
            Event::Rejected(rejection) => panic!("{rejection}"),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_reader_of_a_stream_passes_a_context_on_by_hand() {
    let app = Subscriber::new("redis://unused/").handlers(handlers![on_receipt]);
    let kit = TestKit::start(app).await.unwrap();
    let orders = kit.handle().subscribe(Order::at_any());
    let mut orders = orders.decode::<Traced<Order>>().await.unwrap();
    let payload = format!(r#"{{"traceparent":"{CONTEXT}","number":7}}"#);
    for (payload, context) in [(&*payload, Some(CONTEXT)), (r#"{"number":7}"#, None)] {
        kit.publish_raw("orders.north", payload).await.unwrap();
        let Traced { message, trace } = next_order(&mut orders).await;
        assert_eq!(message, order());
        assert_eq!(trace, context.map(|text| text.parse().unwrap()));
        let publisher = Publisher::new(kit.url()).unwrap().with_trace(trace);
        publisher.publish(&Receipt { number: 7 }).await.unwrap();
        settle(&kit).await;
    }
    let receipts = kit.handler("on_receipt");
    let carry = receipts.all().iter().map(|call| {
        let text = String::from_utf8_lossy(call.push().payload()).into_owned();
        text.contains(CONTEXT)
    });
    assert_eq!(carry.collect::<Vec<_>>(), [true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_span_for_an_item_of_a_stream_follows_the_publisher() {
    let collected = Collected::begin();
    let propagator = ById::default();
    let spans = Spans::linked().propagator(propagator.clone());
    let kit = TestKit::start(Subscriber::new("redis://unused/"))
        .await
        .unwrap();
    let publisher = Publisher::new(kit.url()).unwrap().spans(spans);
    let orders = kit.handle().subscribe(Order::at_any());
    let mut orders = orders.decode::<Traced<Order>>().await.unwrap();
    publisher.publish(&order()).await.unwrap();
    let Traced { message, trace } = next_order(&mut orders).await;

    let span = info_span!(target: "redis_push::spans", "ship", otel.name = "ship");
    propagator.follow(&span, trace.expect("it is traced"), Relation::Linked);
    let number = message.number;
    let publishing = async { publisher.publish(&Receipt { number }).await };
    publishing.instrument(span).await.unwrap();

    let first = collected.span("publish orders.{shop}");
    let ship = collected.span("ship");
    let linked = propagator.followed_by(&ship);
    assert_eq!(linked, Some((first.id, Relation::Linked)));
    let second = collected.span("publish receipts");
    assert_eq!(second.parent, Some(ship.id));
}
