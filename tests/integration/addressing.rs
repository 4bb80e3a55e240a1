//! Addresses of message types: handlers that are mounted on one, and messages published on one.

use std::time::Duration;

use redis_push::{Param, Publisher, PushMessage, State, Subscription, handlers, push_handler};
use tests::{Server, within};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::{recorder, start, subscriber};

type Notes = UnboundedSender<String>;

async fn noted(notes: &mut UnboundedReceiver<String>) -> String {
    within("a note of a handler", notes.recv())
        .await
        .expect("a handler is alive")
}

#[derive(PushMessage)]
#[push(channel = ["said.{room}.{user}", "old:{user}:{room}"], codec = text)]
struct Said<'a> {
    room: u32,
    user: String,
    text: &'a str,
}

#[push_handler]
async fn on_said(said: Said<'_>, State(notes): State<Notes>) {
    let Said { room, user, text } = said;
    notes.send(format!("{user} in {room}: {text}")).unwrap();
}

#[push_handler(channel = "said.{room}.{user}", workers = 2, ordered_by = user)]
async fn by_params(
    Param(user): Param<&str>,
    Param(room): Param<u8>,
    text: &str,
    State(notes): State<Notes>,
) {
    notes.send(format!("{room} {user} {text}")).unwrap();
}

fn said(room: u32, user: &str, text: &'static str) -> Said<'static> {
    Said {
        room,
        user: user.into(),
        text,
    }
}

pub(crate) async fn a_handler_at_an_address_hears_that_channel_alone(server: Server) {
    let (sender, mut notes) = unbounded_channel();
    // The value would be a pattern if it were not taken as it is.
    let address = Said::at(7, "*");
    let subscriber = subscriber(server.url())
        .state(sender)
        .handlers(handlers![on_said.on(address.clone())]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    let mut client = server.raw().await;
    client.expect("PUBSUB NUMPAT", &[":0"]).await;
    let publisher = Publisher::new(server.url()).unwrap();
    let publish = async |message: Said<'static>| {
        let published = publisher.publish(&message);
        within("a publish", published).await.unwrap()
    };
    assert_eq!(publish(said(7, "ada", "not here")).await, 0);
    assert_eq!(publish(said(8, "*", "nor here")).await, 0);
    assert_eq!(publish(said(7, "*", "one")).await, 1);
    assert_eq!(noted(&mut notes).await, "* in 7: one");
    // Every channel of the type is listened to.
    server.publish("old:*:7", "two").await;
    assert_eq!(noted(&mut notes).await, "* in 7: two");
    // The fields of the value need not be those of the address.
    let elsewhere = said(1, "eve", "three");
    let published = publisher.publish_to(&address, &elsewhere);
    assert_eq!(within("a publish", published).await.unwrap(), 1);
    assert_eq!(noted(&mut notes).await, "* in 7: three");
    let report = handle.shutdown(Duration::from_secs(5)).await;
    let stats = &report.stats.handlers[0];
    assert_eq!((stats.received, stats.handled, stats.unmatched), (3, 3, 0));
}

pub(crate) async fn params_are_found_at_an_address_with_a_prefix(server: Server) {
    let (sender, mut notes) = unbounded_channel();
    let address = Said::at(7, "ada-x").prefix("[eu]:");
    let mounts = handlers![
        on_said.on(Said::at(7, "eve")).prefix("us:"),
        by_params.on(address.clone()).prefix("test/"),
        on_said.named("any").on(Said::at_any().prefix("*:")),
    ];
    let subscriber = subscriber(server.url()).state(sender).handlers(mounts);
    let handle = within("the start", subscriber.start()).await.unwrap();
    let publisher = Publisher::new(server.url()).unwrap();
    let there = address.prefix("test/");
    assert_eq!(there.name().unwrap(), "test/[eu]:said.7.ada-x");
    let message = said(7, "ada-x", "hi");
    let published = publisher.publish_to(there, &message);
    assert_eq!(within("a publish", published).await.unwrap(), 1);
    assert_eq!(noted(&mut notes).await, "7 ada-x hi");
    server.publish("us:old:eve:7", "hello").await;
    assert_eq!(noted(&mut notes).await, "eve in 7: hello");
    server.publish("*:said.9.bob", "hey").await;
    assert_eq!(noted(&mut notes).await, "bob in 9: hey");
    server.publish("eu:said.9.bob", "not this").await;
    let report = handle.shutdown(Duration::from_secs(5)).await;
    let stats = &report.stats.handlers;
    assert!(stats.iter().all(|counts| counts.received == 1), "{report}");
}

#[derive(PushMessage)]
#[push(shard = ["{frames}", "{frames}.old"], codec = bytes)]
struct Frame(Vec<u8>);

#[push_handler]
async fn on_frame(frame: Frame, State(notes): State<Notes>) {
    notes.send(String::from_utf8(frame.0).unwrap()).unwrap();
}

pub(crate) async fn an_address_of_a_sharded_type_is_that_of_a_sharded_channel(server: Server) {
    let (sender, mut notes) = unbounded_channel();
    let subscriber = subscriber(server.url())
        .state(sender)
        .handlers(handlers![on_frame.on(Frame::at().prefix("eu:"))]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    let publisher = Publisher::new(server.url()).unwrap();
    let address = Frame::at().prefix("eu:");
    let frame = Frame(b"one".to_vec());
    let published = publisher.publish_to(address, &frame);
    assert_eq!(within("a publish", published).await.unwrap(), 1);
    assert_eq!(noted(&mut notes).await, "one");
    let mut client = server.raw().await;
    client.expect("SPUBLISH eu:{frames}.old two", &[":1"]).await;
    assert_eq!(noted(&mut notes).await, "two");
    handle.shutdown(Duration::from_secs(5)).await;
}

#[derive(PushMessage)]
#[push(channel = "{service}:{name}")]
struct Anything {
    service: String,
    name: String,
}

/// What the server says about them would be taken for something else.
pub(crate) async fn reserved_names_are_refused_wherever_they_are_given(server: Server) {
    const NAME: &str = "redis-push:ping:9000000000000000000";
    let handle = start(server.url(), []).await;
    let names = [
        Subscription::channel(NAME),
        Subscription::pattern("redis-push:*"),
        Subscription::shard(NAME),
    ];
    for name in names {
        let (late, _) = recorder("late", name.clone());
        let mounting = within("the error", handle.mount([late])).await;
        let error = mounting.unwrap_err();
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().contains("are reserved"), "{error}");
        let error = handle.subscribe(name).now().unwrap_err();
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().contains("are reserved"), "{error}");
    }
    let at = Anything::at("redis-push", "a");
    let error = at.name().unwrap_err();
    assert!(error.to_string().contains("are reserved"), "{error}");
    assert!(handle.subscribe(at).now().is_err());
    let prefixed = Anything::at("a", "b").prefix("redis-push:");
    let error = prefixed.name().unwrap_err();
    assert!(error.to_string().contains("are reserved"), "{error}");
    // Keys are not names of channels.
    let keys = Subscription::invalidation("redis-push:");
    let keys = handle.subscribe(keys).into_future();
    let _keys = within("the confirmation", keys).await.unwrap();
}
