//! Handlers attached to the manager and the push channel of a service.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{PushInfo, PushKind, Value};
use redis_push::{
    Credentials, GapCause, Handle, Missed, Mount, Publisher, State, Subscriber, Subscription, Tls,
    handlers, push_handler,
};
use tests::{Proxy, RealServer, Server};
use tests::{eventually, within};
use tokio::sync::broadcast;

use crate::support::recorder;

/// A service without this library: a manager, and a broadcast channel as its push sender.
pub(crate) async fn service(
    server: &Server,
    capacity: usize,
) -> (ConnectionManager, broadcast::Sender<PushInfo>) {
    let url = format!("{}?protocol=resp3", server.url());
    let (sender, _) = broadcast::channel(capacity);
    let config = ConnectionManagerConfig::new().set_push_sender(sender.clone());
    let client = redis::Client::open(url).unwrap();
    let manager = client.get_connection_manager_with_config(config);
    (within("a manager", manager).await.unwrap(), sender)
}

pub(crate) async fn attach(
    manager: &ConnectionManager,
    sender: &broadcast::Sender<PushInfo>,
    mounts: impl IntoIterator<Item = Mount<()>>,
) -> Handle {
    let subscriber = Subscriber::attach(manager.clone(), sender.subscribe())
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(200))
        .handlers(mounts);
    within("the start", subscriber.start()).await.unwrap()
}

pub(crate) async fn the_services_own_receivers_keep_working(server: Server) {
    let (mut manager, sender) = service(&server, 1_000).await;
    let mut first = sender.subscribe();
    let mut second = sender.subscribe();
    manager.subscribe("theirs").await.unwrap();
    let (mount, mut journal) = recorder("ours", Subscription::channel("ours"));
    let handle = attach(&manager, &sender, [mount]).await;

    server.publish("theirs", "1").await;
    server.publish("ours", "2").await;
    journal.begins().await;
    journal.message("ours", "2").await;
    for receiver in [&mut first, &mut second] {
        let mut messages = Vec::new();
        while messages.len() < 2 {
            let push = within("a push", receiver.recv()).await.unwrap();
            if push.kind == PushKind::Message {
                messages.push(push.data[1].clone());
            }
        }
        let expected = ["1", "2"].map(|text| Value::BulkString(text.into()));
        assert_eq!(messages, expected);
    }
    // The service keeps its manager: commands work, and no name is unsubscribed.
    handle.shutdown(Duration::from_secs(5)).await;
    assert_eq!(server.publish("theirs", "3").await, 1);
    assert_eq!(server.publish("ours", "4").await, 1);
    let pong: String = redis::cmd("PING").query_async(&mut manager).await.unwrap();
    assert_eq!(pong, "PONG");
}

pub(crate) async fn a_lost_connection_of_the_services_manager_is_reported_and_resubscribed(
    server: Server,
) {
    let (manager, sender) = service(&server, 1_000).await;
    let (mount, mut journal) = recorder("ours", Subscription::channel("ours"));
    let handle = attach(&manager, &sender, [mount]).await;
    journal.begins().await;
    for _ in 0..3 {
        server.kill_connections().await;
        journal.lost_connection().await;
        within("ready again", handle.ready()).await;
        server.publish("ours", "again").await;
        journal.message("ours", "again").await;
    }
}

pub(crate) async fn an_overflow_of_the_services_channel_is_reported_as_a_gap(server: Server) {
    let (manager, sender) = service(&server, 4).await;
    let (mount, mut journal) = recorder("ours", Subscription::channel("ours"));
    let handle = attach(&manager, &sender, [mount]).await;
    journal.begins().await;
    // Pushes of other names, more than the channel holds, before the forwarding task can run.
    let push = PushInfo {
        kind: PushKind::Message,
        data: ["theirs", "x"]
            .map(|text| Value::BulkString(text.into()))
            .into(),
    };
    let flood = async || {
        for _ in 0..10_000 {
            sender.send(push.clone()).unwrap();
        }
        handle.stats().gaps() > 0
    };
    eventually("a lag", flood).await;
    let gap = journal.gap().await;
    assert_eq!(gap.cause, GapCause::Lagged);
    assert!(
        matches!(gap.missed, Missed::AtMost(_) | Missed::Unknown),
        "{gap}"
    );
    within("ready again", handle.ready()).await;
    eventually("a message after the lag", async || {
        server.publish("ours", "again").await;
        handle.stats().handlers[0].handled > 0
    })
    .await;
}

pub(crate) async fn a_closed_push_channel_is_never_ready(server: Server) {
    let (mut manager, sender) = service(&server, 1_000).await;
    let (mount, _journal) = recorder("ours", Subscription::channel("ours"));
    // A channel without a sender: the manager pushes into another one.
    let (dead, receiver) = broadcast::channel(8);
    drop(dead);
    let subscriber = Subscriber::attach(manager.clone(), receiver)
        .start_deadline(Duration::from_millis(500))
        .handlers([mount]);
    let error = within("the start", subscriber.start()).await.unwrap_err();
    assert!(error.to_string().contains("closed"), "{error}");
    manager.subscribe("theirs").await.unwrap();
    drop(sender);
}

pub(crate) async fn options_of_the_connection_are_rejected_with_attach(server: Server) {
    let (manager, sender) = service(&server, 1_000).await;
    let attached = || Subscriber::attach(manager.clone(), sender.subscribe());
    for (subscriber, named) in [
        (attached().wire(), "`wire`"),
        (attached().links(2), "`links`"),
        (attached().tls(Tls::new()), "`tls`"),
        (
            attached().credentials(|| async { Err::<Credentials, _>("none") }),
            "`credentials`",
        ),
        (attached().client_name("me"), "`client_name`"),
    ] {
        let (mount, _journal) = recorder("ours", Subscription::channel("ours"));
        let starting = subscriber.handlers([mount]).start();
        let error = within("the start", starting).await.unwrap_err();
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
}

/// `RESET` ends every subscription without a push, and switches the connection to RESP2, in which no
/// push arrives.
pub(crate) async fn a_reset_by_the_service_is_noticed_and_every_name_subscribed_again(
    server: RealServer,
) {
    let server = Server::Real(server);
    let (manager, sender) = service(&server, 1_000).await;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let starting = Subscriber::attach(manager.clone(), sender.subscribe())
        .ping(Duration::from_millis(20), Duration::from_secs(5))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(200))
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    for also in [None, Some(3), None] {
        let mut reset = redis::pipe();
        reset.cmd("RESET").ignore();
        // Some owners switch back at once.
        if let Some(version) = also {
            reset.cmd("HELLO").arg(version).ignore();
        }
        let _: () = reset.query_async(&mut manager.clone()).await.unwrap();
        journal.lost_connection().await;
        within("readiness", handle.ready()).await;
        server.publish("a", "1").await;
        journal.message("a", "1").await;
    }
}

/// With a push that redis-rs takes for a reply, the second publish would return the number of receivers
/// of the first one.
pub(crate) async fn a_publish_over_the_services_manager_does_not_return_the_count_of_another(
    server: Server,
) {
    let proxy = Proxy::start(server.addr(), 0).await;
    let (sender, receiver) = broadcast::channel(1_000);
    let config = ConnectionManagerConfig::new().set_push_sender(sender);
    let client = redis::Client::open(format!("{}?protocol=resp3", proxy.url())).unwrap();
    let manager = client.get_connection_manager_with_config(config);
    let manager = within("a manager", manager).await.unwrap();
    let (results, mut counted) = tokio::sync::mpsc::unbounded_channel();
    let subscriber = Subscriber::attach(manager, receiver)
        .state(results)
        .handlers(handlers![on_number]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    let mut other = server.raw3().await;
    other.ask("SUBSCRIBE numbers-of-others").await;
    for is_shifted in [false, true] {
        if is_shifted {
            // Both publishes are under way before the first reply arrives.
            proxy.delay(Duration::from_millis(100));
            proxy.inject(b">3\r\n$12\r\nsunsubscribe\r\n$5\r\nother\r\n:0\r\n");
        }
        server.publish("numbers", "1").await;
        let results = within("the results", counted.recv()).await.unwrap();
        for (result, receivers) in results.into_iter().zip([0, 1]) {
            match result {
                Ok(count) => assert_eq!(count, receivers),
                Err(error) => assert!(is_shifted, "{error}"),
            }
        }
    }
    drop(handle);
}

type Results = Vec<redis_push::Result<u64>>;

#[push_handler(channel = "numbers")]
async fn on_number(
    _number: &str,
    publisher: Publisher,
    State(results): State<tokio::sync::mpsc::UnboundedSender<Results>>,
) {
    let (first, second) = tokio::join!(
        publisher.publish_to("nobody", "1"),
        publisher.publish_to("numbers-of-others", "1"),
    );
    let _ = results.send(vec![first, second]);
}
