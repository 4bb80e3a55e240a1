//! What an attribute checks is also checked at start, for the subscriptions of a mount.

use std::time::Duration;

use redis_push::{
    ChannelName, ConnectionEvent, Gap, Invalidation, Json, KeyEvent, MatchedPattern, Mount, Param,
    PushMessage, Router, Subscriber, Subscription, gap_handler, handlers, push_handler,
};
use tests::within;

#[derive(PushMessage)]
#[push(channel = "orders.{id}")]
struct Order {
    id: u64,
    total: f64,
}

#[push_handler]
async fn on_order(order: Order) {
    println!("{} {}", order.id, order.total);
}

/// A message that borrows.
#[derive(PushMessage)]
#[push(channel = "labels.{name}")]
struct Label<'a> {
    name: &'a str,
}

#[push_handler]
async fn on_label(label: Label<'_>) {
    println!("{}", label.name);
}

#[push_handler]
async fn on_maybe(label: Option<Label<'_>>) {
    println!("{}", label.is_some());
}

#[push_handler(channel = "orders.{id}")]
async fn on_id(Param(id): Param<u64>, text: &str) {
    println!("{id} {text}");
}

#[push_handler(pattern = "logs.*")]
async fn on_log(pattern: MatchedPattern<'_>, text: &str) {
    println!("{} {text}", pattern.as_str());
}

#[push_handler(channel = "named")]
async fn on_named(channel: ChannelName<'_>) {
    println!("{}", channel.as_str());
}

#[push_handler(keyspace = "user:{id}")]
async fn on_user(event: KeyEvent<'_>) {
    println!("{}", event.event);
}

#[push_handler(channel = "numbers")]
async fn on_number(Json(number): Json<u32>) {
    println!("{number}");
}

#[push_handler(invalidate = "user:")]
async fn on_invalidation(changed: Invalidation<'_>) {
    println!("{changed:?}");
}

#[push_handler(channel = "any", on_gap = on_gap)]
async fn on_any() {}

#[push_handler(connection)]
async fn on_connection(event: ConnectionEvent<'_>) {
    println!("{event:?}");
}

#[gap_handler]
async fn on_gap(gap: Gap) {
    println!("{gap}");
}

fn exact(name: &'static str) -> Subscription {
    Subscription::channel(name)
}

fn template(text: &str) -> Subscription {
    Subscription::template(text).unwrap()
}

/// Returns the error of a start; there is no server.
async fn refusal(mounts: impl IntoIterator<Item = Mount<()>>) -> String {
    let subscriber = Subscriber::new("redis://127.0.0.1:1/")
        .start_deadline(Duration::from_millis(1))
        .handlers(mounts);
    let error = within("the start", subscriber.start()).await.unwrap_err();
    if error.is_config() {
        error.to_string()
    } else {
        String::from("nothing refused")
    }
}

async fn is_refused(mounts: Vec<Mount<()>>, name: &str, parts: &[&str]) {
    let text = refusal(mounts).await;
    let place = format!("`{name}` (tests/macros/refused.rs:");
    for part in parts.iter().chain([&&*place]) {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

async fn is_accepted(mounts: Vec<Mount<()>>) {
    assert_eq!(refusal(mounts).await, "nothing refused");
}

#[tokio::test]
async fn a_mount_without_the_param_of_an_argument_is_refused_with_both_places() {
    let parts = ["channels `orders.{number}`", "no param `{id}`"];
    is_refused(
        handlers![on_id.on(template("orders.{number}"))],
        "on_id",
        &parts,
    )
    .await;
    let parts = ["channel `orders`", "no param `{id}`"];
    is_refused(handlers![on_id.on(exact("orders"))], "on_id", &parts).await;
    let parts = ["pattern `orders.*`", "no param `{id}`"];
    let pattern = Subscription::pattern("orders.*");
    is_refused(handlers![on_id.on(pattern)], "on_id", &parts).await;
    is_accepted(handlers![
        on_id.on(template("old.{id}.orders")).prefix("eu:")
    ])
    .await;
}

#[tokio::test]
async fn a_mount_whose_name_the_template_of_the_message_does_not_match_is_refused() {
    for name in ["refunds.1", "orders.1.2", "orders."] {
        let listens = format!("channel `{name}`");
        let parts = [&*listens, "channels `orders.{id}`"];
        is_refused(handlers![on_order.on(exact(name))], "on_order", &parts).await;
        is_refused(
            handlers![on_order.on(Subscription::shard(name))],
            "on_order",
            &[name],
        )
        .await;
    }
    let pattern = Subscription::pattern("refunds.*");
    let parts = ["pattern `refunds.*`", "channels `orders.{id}`"];
    is_refused(handlers![on_order.on(pattern)], "on_order", &parts).await;
    // The prefix does not belong to the template.
    is_accepted(handlers![on_order.on(exact("orders.1")).prefix("*é:")]).await;
    let pattern = || Subscription::pattern("orders.[0-9]*");
    is_accepted(handlers![on_order.on(pattern()).prefix("*é\\:")]).await;
    let router = Router::new().handlers(handlers![on_order.on(pattern())]);
    is_accepted(router.prefix("[a]").into_iter().collect()).await;
    let name = exact("eu:orders.1");
    is_refused(handlers![on_order.on(name)], "on_order", &["`eu:orders.1`"]).await;
}

#[tokio::test]
async fn a_mount_that_lacks_what_an_argument_needs_is_refused() {
    let mounts = handlers![on_log.on(exact("logs"))];
    is_refused(mounts, "on_log", &["channel `logs`", "MatchedPattern"]).await;
    let mounts = handlers![on_named.on(Subscription::invalidation("a"))];
    let parts = ["invalidations of keys `a…`", "ChannelName<'_>"];
    is_refused(mounts, "on_named", &parts).await;
    let mounts = handlers![on_named.on(Subscription::connection())];
    is_refused(mounts, "on_named", &["the connection", "ChannelName<'_>"]).await;
    let mounts = handlers![on_number.on(Subscription::keyspace("user:{id}").unwrap())];
    is_refused(mounts, "on_number", &["plain words", "`KeyEvent`"]).await;
    let mounts = handlers![on_user.on(exact("users"))];
    is_refused(mounts, "on_user", &["channel `users`", "a key event"]).await;
    let mounts = handlers![on_any.on(Subscription::connection())];
    is_refused(mounts, "on_any", &["the connection", "no gaps"]).await;
    is_accepted(handlers![
        on_log,
        on_named,
        on_number,
        on_user,
        on_any,
        on_connection
    ])
    .await;
}

#[tokio::test]
async fn an_option_of_a_mount_is_checked_like_that_of_an_attribute() {
    let mounts = handlers![on_order.workers(2).ordered_by("symbol")];
    is_refused(mounts, "on_order", &["`symbol`", "neither a param"]).await;
    let mounts = handlers![on_invalidation.workers(2).ordered_by("key")];
    is_refused(mounts, "on_invalidation", &["`key`", "no channel"]).await;
    let mounts = handlers![on_order.timeout(Duration::ZERO)];
    is_refused(mounts, "on_order", &["`timeout` must be"]).await;
    let mounts = handlers![on_order.stall_limit(Duration::ZERO)];
    is_refused(mounts, "on_order", &["`stall_limit` must be"]).await;
    is_accepted(handlers![
        on_order.workers(2).ordered_by("total"),
        on_order.on(exact("orders.1")).workers(2).ordered_by("id"),
        on_number.workers(2).ordered_by("any"),
        on_id.workers(2).ordered_by("id"),
    ])
    .await;
}

#[tokio::test]
async fn a_handler_mounted_twice_on_a_name_is_refused_with_its_place() {
    let parts = ["refused.rs:", "channels `orders.{id}`", "`.named(..)`"];
    is_refused(handlers![on_order, on_order], "on_order", &parts).await;
    // One name that both mounts have is enough.
    let both = on_orders(["orders.1", "orders.2"]);
    let again = on_orders(["orders.2", "orders.3"]);
    let mounts: Vec<_> = both.into_iter().chain(again).collect();
    is_refused(mounts, "on_order", &["refused.rs:", "channel `orders.2`"]).await;
    let once_more = Router::new().handlers(handlers![on_id]);
    let merged = Router::new().handlers(handlers![on_id]).merge(once_more);
    is_refused(merged.into_iter().collect(), "on_id", &["mounted twice"]).await;
    is_accepted(handlers![
        on_order,
        on_order.prefix("eu:"),
        on_order.on(exact("orders.1")),
        on_order.named("again"),
        on_id,
    ])
    .await;
}

fn on_orders(names: [&'static str; 2]) -> Vec<Mount<()>> {
    handlers![on_order.on(exact(names[0])).on(exact(names[1]))]
}

#[test]
fn a_buffer_of_nothing_is_shown_as_the_one_message_that_may_wait() {
    let mounts = handlers![on_order.buffer(0).buffer_bytes(0)];
    let wiring = Subscriber::new("redis://127.0.0.1/")
        .handlers(mounts)
        .wiring();
    let row = wiring.handler("on_order").unwrap();
    assert_eq!((row.buffer, row.buffer_bytes), (1, 1));
    let table = wiring.to_string();
    assert!(
        table.contains("buffer = 1") && !table.contains("= 0"),
        "{table}"
    );
}

#[tokio::test]
async fn every_mistake_of_a_mount_is_reported() {
    let event = |name| Subscription::pattern(format!("__keyevent@{name}__:set"));
    let mount: Mount<()> = handlers![on_user].remove(0);
    let mount = mount
        .on(event("0"))
        .prefix("a:")
        .on(event("1"))
        .prefix("b:");
    let text = refusal([mount]).await;
    assert!(text.contains("`__keyevent@0__:set`"), "{text}");
    assert!(text.contains("`__keyevent@1__:set`"), "{text}");
}

#[tokio::test]
async fn a_mount_on_an_address_that_is_not_valid_is_refused_with_both_places() {
    let mounted = format!("is mounted at {}:{}:", file!(), line!() + 1);
    let mounts = handlers![on_label.on(Label::at("a.b"))];
    let parts = [&*mounted, "`name` is \"a.b\"", "`{name*}`"];
    is_refused(mounts, "on_label", &parts).await;
    // A prefix does not hide it, and neither does another subscription.
    let mounts = handlers![on_label.on(Label::at("")).on(Label::at("a")).prefix("eu:")];
    is_refused(mounts, "on_label", &["`name` is \"\""]).await;
    is_accepted(handlers![on_label.on(Label::at("a")).on(Label::at("b"))]).await;
}

#[tokio::test]
async fn a_mount_on_an_address_of_another_message_type_is_refused_with_both_places() {
    let mounted = format!("is mounted at {}:{}:", file!(), line!() + 1);
    let mounts = handlers![on_label.on(Order::at(1))];
    let parts = [
        &*mounted,
        "an address of `macros::refused::Order`",
        "but takes `macros::refused::Label",
    ];
    is_refused(mounts, "on_label", &parts).await;
    let mounts = handlers![on_maybe.on(Order::at_any())];
    is_refused(mounts, "on_maybe", &["`macros::refused::Order`"]).await;
    let mounts = handlers![on_user.on(Order::at(1))];
    is_refused(mounts, "on_user", &["channel `orders.1`", "a key event"]).await;
    let mounts = handlers![on_log.on(Order::at(1))];
    is_refused(mounts, "on_log", &["channel `orders.1`", "MatchedPattern"]).await;
    let mounts = handlers![on_id.on(Label::at("a"))];
    is_refused(mounts, "on_id", &["channel `labels.a`", "no param `{id}`"]).await;
    is_accepted(handlers![
        on_id.on(Order::at(1)),
        on_named.on(Order::at(1)),
        on_number.on(Order::at_any()),
        on_log.on(Order::at_any()),
        on_order.on(Order::at(1)).workers(2).ordered_by("id"),
        on_maybe.on(Label::at("a")),
    ])
    .await;
}

mod conflicts {
    use redis_push::{PushMessage, push_handler};

    #[derive(PushMessage)]
    #[push(channel = "c")]
    pub(super) struct One {
        one: u8,
    }

    #[derive(PushMessage)]
    #[push(channel = "c")]
    pub(super) struct Other {
        other: u8,
    }

    #[push_handler]
    pub(super) async fn on_one(message: One) {
        println!("{}", message.one);
    }

    #[push_handler]
    pub(super) async fn on_other(message: Other) {
        println!("{}", message.other);
    }
}

#[tokio::test]
async fn an_error_about_many_names_is_short() {
    let names = || (0..100).map(|number| Subscription::channel(format!("c.{number}")));
    let [one, other] =
        <[Mount<()>; 2]>::try_from(handlers![conflicts::on_one, conflicts::on_other]).unwrap();
    let text = refusal([names().fold(one, Mount::on), names().fold(other, Mount::on)]).await;
    assert_eq!(text.matches("channel `c.").count(), 10, "{text}");
    assert!(text.contains("and 90 more"), "{text}");
}
