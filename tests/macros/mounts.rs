use redis_push::{
    Fault, Handler, Json, Mount, Push, PushMessage, Spec, State, Subscription, handlers,
    push_handler,
};

use crate::spec_of;

#[derive(PushMessage)]
#[push(channel = "orders.{id}")]
struct Order {
    id: u32,
}

#[push_handler]
async fn on_order(order: Order) {
    println!("{}", order.id);
}

#[push_handler(channel = "archive.{year}.{id*}", buffer = 12, buffer_bytes = 34_567)]
async fn on_archive(Json(order): Json<u32>) {
    println!("{order}");
}

#[push_handler(
    overflow = "drop_newest",
    timeout = "250ms",
    workers = 4,
    ordered_by = id
)]
async fn on_order_at_once(order: Order) {
    println!("{}", order.id);
}

#[push_handler(
    channel = "prices",
    overflow = "latest",
    workers = 2,
    ordered_by = "the id"
)]
async fn on_price(Json(price): Json<u32>) {
    println!("{price}");
}

#[push_handler(
    channel = "tries",
    retry = 3,
    retry_delay = "50ms",
    on_error = "continue"
)]
async fn on_try(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "vital", stall_limit = "250ms", required)]
async fn on_vital(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.all")]
async fn on_all(order: Order) {
    println!("{}", order.id);
}

#[push_handler(pattern = "a.\\{b}")]
async fn on_pattern(text: &str) {
    println!("{text}");
}

#[push_handler(shard = "{tag}.x")]
async fn on_shard(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "{{tag}}.x")]
async fn on_braces(text: &str) {
    println!("{text}");
}

mod elsewhere {
    use super::*;

    #[push_handler(channel = "counts")]
    pub(crate) async fn on_count(Json(count): Json<u32>, State(limit): State<u32>) {
        assert!(count < limit);
    }
}

/// A handler without the macro.
struct ByHand;

impl<S: Sync> Handler<S> for ByHand {
    fn spec(&self) -> Spec {
        Spec::new("by_hand").on(Subscription::channel("by.hand"))
    }

    async fn handle(&self, _push: Push<'_>, _state: &S) -> Result<(), Fault> {
        Ok(())
    }
}

#[test]
fn a_handler_listens_to_its_own_subscriptions_or_those_of_its_message() {
    let listens = |spec: String, kind: &str, name: &str| {
        let found = spec.contains(&format!("kind: {kind}, name: {name:?}"));
        assert!(found, "{spec}");
    };
    listens(spec_of(on_order {}), "Pattern", "orders.*");
    listens(spec_of(on_archive {}), "Pattern", "archive.*.*");
    listens(spec_of(on_all {}), "Channel", "orders.all");
    listens(spec_of(on_pattern {}), "Pattern", "a.\\{b}");
    listens(spec_of(on_shard {}), "Shard", "{tag}.x");
    listens(spec_of(on_braces {}), "Channel", "{tag}.x");
}

#[test]
fn options_and_the_place_are_in_the_spec() {
    let spec = spec_of(on_archive {});
    assert!(spec.contains("name: \"on_archive\""), "{spec}");
    assert!(spec.contains("messages: 12, bytes: 34567"), "{spec}");
    assert!(spec.contains("mounts.rs"), "{spec}");
    assert!(spec_of(on_order {}).contains("messages: 65536"));
    let spec = spec_of(on_order_at_once {});
    for policy in [
        "overflow: DropNewest",
        "timeout: Some(250ms)",
        "workers: 4",
        "ordered_by: Some(\"id\")",
    ] {
        assert!(spec.contains(policy), "{policy}: {spec}");
    }
    let spec = spec_of(on_price {});
    assert!(spec.contains("overflow: Latest"), "{spec}");
    assert!(spec.contains("ordered_by: Some(\"the id\")"), "{spec}");
    let defaults = spec_of(on_order {});
    assert!(defaults.contains("messages: 65536"), "{defaults}");
    assert!(
        defaults.contains("stall_limit: 30s, required: false"),
        "{defaults}"
    );
    assert!(
        defaults.contains("on_error: Continue, retry: None, layers: []"),
        "{defaults}"
    );
    let tries = spec_of(on_try {});
    assert!(
        tries.contains("retry: Some(Retry { times: 3, delay: 50ms, max_delay: 10s })"),
        "{tries}"
    );
    let vital = spec_of(on_vital {});
    assert!(
        vital.contains("stall_limit: 250ms, required: true"),
        "{vital}"
    );
}

#[test]
fn handlers_are_mounted_by_their_names() {
    #[push_handler(channel = "local")]
    async fn on_local(text: &str) {
        println!("{text}");
    }

    let name = String::from("orders.staging");
    let mounts: Vec<Mount<u32>> = handlers![
        on_order,
        elsewhere::on_count,
        on_local,
        self::on_all.on(Subscription::channel(name)),
        ByHand,
        Mount::new(ByHand).on(Subscription::shard("by.hand")),
    ];
    let texts: Vec<_> = mounts.iter().map(|mount| format!("{mount:?}")).collect();
    assert_eq!(texts.len(), 6);
    assert!(texts[1].contains("\"counts\""), "{}", texts[1]);
    assert!(texts[3].contains("\"orders.staging\""), "{}", texts[3]);
    assert!(texts[5].contains("Shard"), "{}", texts[5]);
}

#[test]
fn nothing_may_be_mounted() {
    let none: Vec<Mount<()>> = handlers![];
    assert!(none.is_empty());
    let one: Vec<Mount<()>> = handlers![on_order];
    assert_eq!(one.len(), 1);
}
