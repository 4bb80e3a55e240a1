//! Many names: what builds lists of them takes linear time.

use redis_push::{Mount, Router, Spec, Subscriber, Subscription, handlers, push_handler};
use tests::within;

/// With a search for each name, an unoptimized build takes minutes.
const NAMES: usize = 100_000;

#[push_handler(channel = "only")]
async fn on_any(text: &str) {
    println!("{text}");
}

fn names() -> impl Iterator<Item = Subscription> {
    (0..NAMES).map(|number| Subscription::channel(format!("name.{number}")))
}

fn one_mount() -> Mount<()> {
    let [mount] = <[_; 1]>::try_from(handlers![on_any]).unwrap();
    mount
}

async fn built<T: Send + 'static>(build: impl FnOnce() -> T + Send + 'static) -> T {
    let built = tokio::task::spawn_blocking(build);
    within("the list of names", built).await.unwrap()
}

#[tokio::test]
async fn a_mount_takes_many_names() {
    let wiring = built(|| {
        // Each name twice.
        let mount = names().chain(names()).fold(one_mount(), Mount::on);
        let router = Router::new().handlers([mount]).prefix("a:").prefix("b:");
        Subscriber::new("redis://127.0.0.1/")
            .handlers(router)
            .wiring()
    })
    .await;
    let subscriptions = &wiring.handlers[0].subscriptions;
    assert_eq!(subscriptions.len(), NAMES);
    assert_eq!(subscriptions[NAMES - 1].name, "b:a:name.99999");
}

#[tokio::test]
async fn a_spec_takes_many_names() {
    let spec = built(|| {
        let all: Vec<_> = names().collect();
        Spec::new("by_hand").on_all(&all).on_all(&all)
    })
    .await;
    assert_eq!(format!("{spec:?}").matches("kind: Channel").count(), NAMES);
}

#[tokio::test]
async fn a_router_takes_many_handlers() {
    let mounts = built(|| {
        let single = |name| Router::new().handlers([one_mount().on(name)]).prefix("a:");
        let router = names().map(single).fold(Router::new(), Router::merge);
        router.prefix("b:").into_iter().count()
    })
    .await;
    assert_eq!(mounts, NAMES);
}

#[test]
fn names_after_a_prefix_are_compared_with_those_before_it() {
    let name = |text: &'static str| Subscription::channel(text);
    let many = (0..20).map(|number| Subscription::channel(format!("{number}")));
    let mount = many.fold(one_mount(), Mount::on).prefix("a:");
    let mount = mount.on(name("a:3")).on(name("3")).on(name("3"));
    let text = format!("{mount:?}");
    assert_eq!(text.matches("kind: Channel").count(), 21, "{text}");
}
