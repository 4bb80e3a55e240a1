//! Prefixes: an environment or a tenant on a server that several share.

use std::sync::{Arc, Mutex};

use redis_push::{
    Event, NearCache, Publish, Publisher, PushMessage, Router, State, Subscription, handlers,
    push_handler,
};
use tests::{Server, eventually, within};

use crate::support::subscriber;

#[derive(PushMessage)]
#[push(channel = "orders.{id}")]
struct Order {
    id: u64,
    total: u64,
}

#[derive(PushMessage)]
#[push(channel = "receipts.{id}")]
struct Receipt {
    id: u64,
    paid: u64,
}

type Seen = Arc<Mutex<Vec<String>>>;

#[push_handler]
async fn on_order(order: Order, publisher: Publisher) -> redis_push::Result<Publish<Receipt>> {
    publisher.publish_to("audit", "order").await?;
    let (id, paid) = (order.id, order.total);
    Ok(Publish(Receipt { id, paid }))
}

#[push_handler]
async fn on_receipt(receipt: Receipt, State(seen): State<Seen>) {
    let Receipt { id, paid } = receipt;
    seen.lock().unwrap().push(format!("receipt {id} {paid}"));
}

#[push_handler(pattern = "*")]
async fn on_anything(channel: redis_push::ChannelName<'_>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(channel.as_str().to_owned());
}

#[push_handler(channel = "orders.{id}")]
async fn on_late(State(seen): State<Seen>) {
    seen.lock().unwrap().push("late".to_owned());
}

async fn has(seen: &Seen, entries: &[&str]) {
    let mut expected: Vec<_> = entries.iter().map(|entry| (*entry).to_owned()).collect();
    expected.sort_unstable();
    let arrived = async || seen.lock().unwrap().len() >= expected.len();
    eventually("what is published", arrived).await;
    let mut entries = std::mem::take(&mut *seen.lock().unwrap());
    entries.sort_unstable();
    assert_eq!(entries, expected);
}

pub(crate) async fn a_prefix_of_the_subscriber_is_before_every_name(server: Server) {
    let seen = Seen::default();
    let staging = subscriber(server.url())
        .state(Arc::clone(&seen))
        .handlers(handlers![on_order, on_receipt])
        .prefix("staging:");
    let wiring = staging.wiring().to_string();
    assert!(wiring.contains("`staging:orders.{id}`"), "{wiring}");
    let staging = within("the start", staging.start()).await.unwrap();
    let listens_to = &staging.stats().handlers[0].listens_to;
    assert_eq!(listens_to, "staging:orders.{id}");
    // Another one without a prefix hears what is published, and under which names.
    let all = subscriber(server.url()).state(Arc::clone(&seen));
    let all = all.handlers(handlers![on_anything]).start();
    let _all = within("the start", all).await.unwrap();
    let publisher = Publisher::new(server.url()).unwrap();
    let order = Order { id: 7, total: 12 };
    within("a publish", publisher.publish(&order))
        .await
        .unwrap();
    has(&seen, &["orders.7"]).await;
    let publisher = publisher.prefix("staging:");
    within("a publish", publisher.publish_all([&order]))
        .await
        .unwrap();
    let heard = ["staging:orders.7", "staging:receipts.7", "staging:audit"];
    has(&seen, &[&heard[..], &["receipt 7 12"]].concat()).await;

    // Streams, and handlers that are mounted later.
    let stream = staging.subscribe(Receipt::at(7)).into_future();
    let stream = within("the confirmation", stream).await.unwrap();
    let mut stream = stream.without_gaps();
    let router = Router::new().handlers(handlers![on_late.on(Order::at(8))]);
    let mount = staging.mount(router.with_state(Arc::clone(&seen)));
    let _guard = within("the mount", mount).await.unwrap();
    for id in [7, 8] {
        let order = Order { id, total: 1 };
        within("a publish", publisher.publish(&order))
            .await
            .unwrap();
    }
    let receipt = within("the receipt", stream.next()).await.unwrap();
    assert_eq!((receipt.id, receipt.paid), (7, 1));
    let heard = ["orders", "receipts"].map(|name| [7, 8].map(|id| format!("staging:{name}.{id}")));
    let mut heard: Vec<_> = heard.iter().flatten().map(String::as_str).collect();
    heard.extend([
        "staging:audit",
        "staging:audit",
        "late",
        "receipt 7 1",
        "receipt 8 1",
    ]);
    has(&seen, &heard).await;
    assert_eq!(
        staging.stats().streams[0].listens_to,
        "staging:receipts.{id}"
    );
}

pub(crate) async fn a_prefix_of_the_subscriber_is_before_the_keys_of_caches_and_streams(
    server: Server,
) {
    let handle = subscriber(server.url()).prefix("{a}*:").start();
    let handle = within("the start", handle).await.unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut client = client.get_multiplexed_async_connection().await.unwrap();
    let set = async |client: &mut redis::aio::MultiplexedConnection, value: &str| {
        let () = redis::cmd("SET")
            .arg(&["{a}*:user:7", value])
            .query_async(client)
            .await
            .unwrap();
    };
    set(&mut client, "\"one\"").await;
    let users = NearCache::<u64, String>::new(&handle, "user:{id}").into_future();
    let users = within("the confirmation", users).await.unwrap();
    let keys = handle.subscribe(Subscription::invalidation("user:"));
    let mut keys = within("the confirmation", keys.into_future())
        .await
        .unwrap();
    let first = within("a read", users.get(&7)).await.unwrap();
    assert_eq!(first.as_deref().map(String::as_str), Some("one"));
    set(&mut client, "\"two\"").await;
    let changed = async || {
        let now = users.get(&7).await.unwrap();
        now.as_deref().map(String::as_str) == Some("two")
    };
    eventually("the new value", changed).await;
    let mut changes = Vec::new();
    while changes.is_empty() {
        if let Event::Message(key) = within("the change", keys.next()).await.unwrap() {
            changes.push(key);
        }
    }
    // An event has no name that a prefix could go before.
    let expired = Subscription::channel("__keyevent@0__:expired");
    let refused = handle.subscribe(expired).now().unwrap_err();
    assert!(refused.is_config(), "{refused}");
    assert!(refused.to_string().contains("no prefix"), "{refused}");
}

pub(crate) async fn what_a_handler_of_a_prefixed_router_publishes_stays_within_the_prefix(
    server: Server,
) {
    let seen = Seen::default();
    let orders = || Router::new().handlers(handlers![on_order, on_receipt]);
    let router = Router::new()
        .merge(orders().prefix("eu:"))
        .merge(orders().prefix("us:"))
        .prefix("shop:");
    let handle = subscriber(server.url()).state(Arc::clone(&seen));
    let handle = handle.handlers(router).handlers(handlers![on_anything]);
    let _handle = within("the start", handle.start()).await.unwrap();
    let publisher = Publisher::new(server.url()).unwrap().prefix("shop:us:");
    let order = Order { id: 1, total: 3 };
    within("a publish", publisher.publish(&order))
        .await
        .unwrap();
    let heard = [
        "shop:us:orders.1",
        "shop:us:receipts.1",
        "shop:us:audit",
        "receipt 1 3",
    ];
    has(&seen, &heard).await;
}
