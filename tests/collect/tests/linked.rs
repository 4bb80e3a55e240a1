//! Every handler that is linked into the program is collected.

#![forbid(unsafe_code)]
#![deny(unused)]

use std::time::Duration;

use collect::App;
use redis_push::testing::Broker;
use redis_push::{Router, State, Subscriber, Wiring, push_handler};
use tests::within;
use tokio::sync::mpsc::unbounded_channel;

mod here {
    use super::*;

    #[push_handler(channel = "here", state = App)]
    async fn in_the_program(text: &str, State(app): State<App>) {
        app.0.send(format!("here {text}")).unwrap();
    }
}

fn wiring(router: Router<App>) -> Wiring {
    let (sender, _) = unbounded_channel();
    Subscriber::new("redis://127.0.0.1/")
        .state(App(sender))
        .handlers(router)
        .wiring()
}

#[test]
fn all_handlers_are_found_and_sorted_by_name_and_place() {
    let wiring = wiring(Router::collected());
    let rows = wiring.handlers.iter();
    let names: Vec<_> = rows
        .map(|row| (&*row.handler, &*row.subscriptions[0].name))
        .collect();
    let expected = [
        ("declared_inside", "inside"),
        ("in_the_program", "here"),
        ("match", "alerts.*"),
        ("on_order", "orders"),
        ("on_order", "refunds"),
    ];
    assert_eq!(names, expected);
    assert_eq!(wiring.handlers[1].file.as_deref(), Some(file!()));
    assert_eq!(wiring.handlers[2].on_gap.as_deref(), Some("resync"));
    assert_eq!(wiring.handlers[4].workers, 2);
}

#[test]
fn handlers_of_one_module_are_found_by_its_path() {
    let count = |path: &str| wiring(Router::collected_in(path)).handlers.len();
    assert_eq!(count("collect"), 4);
    assert_eq!(count("collect::alerts"), 2);
    assert_eq!(count("collect::alert"), 0);
    assert_eq!(count(module_path!()), 1);
}

#[tokio::test]
async fn collected_handlers_receive_their_messages() {
    let server = Broker::start().await.unwrap();
    let (sender, mut noted) = unbounded_channel();
    let subscriber = Subscriber::new(server.url())
        .state(App(sender))
        .handlers(Router::collected().prefix("eu:"));
    let handle = within("the start", subscriber.start()).await.unwrap();
    for (channel, payload, note) in [
        ("eu:orders", "1", "order 1"),
        ("eu:refunds", "2", "refund 2"),
        ("eu:here", "3", "here 3"),
    ] {
        server.publish(channel, payload);
        let text = within("an entry of a handler", noted.recv()).await;
        assert_eq!(text.as_deref(), Some(note));
    }
    server.publish("eu:alerts.x", "4");
    server.publish("eu:inside", "5");
    tests::eventually("the handlers without a state", async || {
        let stats = handle.stats();
        ["match", "declared_inside"].map(|name| stats.handler(name).unwrap().handled) == [1, 1]
    })
    .await;
    handle.shutdown(Duration::from_secs(5)).await;
}
