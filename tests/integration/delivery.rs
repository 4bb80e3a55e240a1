//! The way of a message from a publisher to its handlers.

use std::time::Duration;

use redis_push::testing::Broker;
use redis_push::{
    ChannelName, GapCause, Json, KeyEvent, Kind, Missed, Mount, Param, RawPush, Spec, State,
    Subscription, handlers, push_handler,
};
use tests::{RealServer, Server};
use tests::{eventually, eventually_in, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{plain, recorder, recorder_of, start};

pub(crate) async fn a_message_reaches_every_handler_of_its_channel(server: Server) {
    let (first, mut first_journal) = recorder("first", Subscription::channel("news"));
    let (second, mut second_journal) = recorder("second", Subscription::channel("news"));
    let (other, mut other_journal) = recorder("other", Subscription::channel("weather"));
    let handle = start(server.url(), [first, second, other]).await;

    // One SUBSCRIBE for each name, however many handlers listen to it: the server counts one receiver.
    assert_eq!(server.publish("news", "hello").await, 1);
    assert_eq!(server.publish("weather", "rain").await, 1);

    for journal in [&mut first_journal, &mut second_journal] {
        journal.begins().await;
        journal.message("news", "hello").await;
    }
    other_journal.begins().await;
    other_journal.message("weather", "rain").await;
    handle.shutdown(Duration::from_secs(5)).await;
    first_journal.ends().await;
    other_journal.ends().await;
}

pub(crate) async fn a_handler_sees_only_the_frames_of_its_own_subscription(server: Server) {
    let (exact, mut exact_journal) = recorder("exact", Subscription::channel("news.eu"));
    let (glob, mut glob_journal) = recorder("glob", Subscription::pattern("news.*"));
    let template = Subscription::template("news.{region}").unwrap();
    let (params, mut params_journal) = recorder("params", template);
    let handle = start(server.url(), [exact, glob, params]).await;

    server.publish("news.eu", "1").await;
    server.publish("news.us", "2").await;
    server.publish("news.eu", "3").await;

    exact_journal.begins().await;
    exact_journal.message("news.eu", "1").await;
    exact_journal.message("news.eu", "3").await;
    for journal in [&mut glob_journal, &mut params_journal] {
        journal.begins().await;
        journal.message("news.eu", "1").await;
        journal.message("news.us", "2").await;
        journal.message("news.eu", "3").await;
    }
    handle.shutdown(Duration::from_secs(5)).await;
    exact_journal.ends().await;
    glob_journal.ends().await;
}

pub(crate) async fn a_channel_that_only_the_glob_matches_is_unmatched_for_any_handler(
    server: Server,
) {
    let template = Subscription::template("orders.{region}").unwrap();
    let (mount, mut journal) = recorder("orders", template);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    server.publish("orders.eu.north", "not this one").await;
    server.publish("orders.", "nor this one").await;
    server.publish("orders.eu", "this one").await;
    journal.message("orders.eu", "this one").await;
    let report = handle.shutdown(Duration::from_secs(5)).await;
    let counts = report.stats.handler("orders").unwrap();
    assert_eq!(
        (counts.handled, counts.unmatched, counts.received),
        (1, 2, 3)
    );
    assert_eq!(counts.received, counts.accounted());
}

pub(crate) async fn the_first_channel_that_no_template_matches_is_logged_with_a_hint(
    server: Server,
) {
    let template = Subscription::template("mails.{address}").unwrap();
    // Tests run concurrently, so the name of the channel must be unique.
    let channel = format!("mails.ann@example.{}", fastrand::u64(..));
    let (mount, mut journal) = recorder("mails", template);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for _ in 0..100 {
        server.publish(&channel, "secret").await;
    }
    eventually("the deliveries", async || {
        handle.stats().handlers[0].unmatched == 100
    })
    .await;
    let lines = tests::overheard::lines_with(&channel);
    let line = lines.first().expect("a line in the log");
    assert!(
        line.contains("{name*}") && line.contains("mails.{address}"),
        "{line}"
    );
    assert!(!line.contains("secret"), "{line}");
    assert!(lines.len() < 50, "at a limited rate");
}

pub(crate) async fn one_handler_may_listen_to_several_names(server: Server) {
    let spec = Spec::new("several")
        .on(Subscription::channel("a"))
        .on(Subscription::channel("b"))
        .on(Subscription::pattern("c.*"));
    let (mount, mut journal) = recorder_of(spec);
    let _handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for name in ["b", "c.1", "a", "c.2", "b"] {
        server.publish(name, "x").await;
        journal.message(name, "x").await;
    }
}

pub(crate) async fn a_sharded_message_reaches_its_handler_and_no_other(server: Server) {
    let (shard, mut shard_journal) = recorder("shard", Subscription::shard("orders"));
    let (plain, mut plain_journal) = recorder("plain", Subscription::channel("orders"));
    let _handle = start(server.url(), [shard, plain]).await;
    let mut client = server.raw().await;
    client.expect("SPUBLISH orders 1", &[":1"]).await;
    client.expect("PUBLISH orders 2", &[":1"]).await;
    shard_journal.begins().await;
    shard_journal.message("orders", "1").await;
    plain_journal.begins().await;
    plain_journal.message("orders", "2").await;
}

pub(crate) async fn a_panic_or_an_error_ends_one_delivery(server: Server) {
    let (mount, mut journal) = recorder("fragile", Subscription::channel("work"));
    let handle = start(server.url(), [mount]).await;
    for payload in ["1", "panic", "error", "panic", "2"] {
        server.publish("work", payload).await;
    }
    journal.begins().await;
    journal.message("work", "1").await;
    journal.message("work", "2").await;
    let report = handle.shutdown(Duration::from_secs(5)).await;
    let counts = report.stats.handler("fragile").unwrap();
    assert_eq!((counts.handled, counts.panicked, counts.failed), (2, 2, 1));
    assert_eq!(counts.received, counts.accounted());
}

pub(crate) async fn names_and_payloads_may_be_any_bytes(server: Server) {
    let (mount, mut journal) = recorder("bytes", Subscription::pattern("*"));
    let handle = start(server.url(), [mount]).await;
    let mut client = server.raw().await;
    let odd: [&[u8]; 3] = [b"PUBLISH", b"\xff\x00\r\n", b"\xc3\x28\r\n\x00"];
    client.say_words(&odd).await;
    client.hears(&[":1"]).await;
    journal.begins().await;
    journal.message("\u{fffd}\0\r\n", "\u{fffd}(\r\n\0").await;
    server.publish("empty", "").await;
    journal.message("empty", "").await;
    let report = handle.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.stats.handler("bytes").unwrap().handled, 2);
}

#[push_handler(pattern = "*")]
async fn on_number(Json(number): Json<u32>, channel: ChannelName<'_>) {
    assert_eq!((channel.as_str(), number), ("fine", 1));
}

pub(crate) async fn a_message_that_does_not_decode_is_counted_and_the_handler_continues(
    server: Server,
) {
    let handle = start(server.url(), handlers![on_number]).await;
    server.publish("fine", "no JSON").await;
    server.publish("fine", "").await;
    server.publish("fine", "4294967296").await;
    let mut client = server.raw().await;
    let odd_name: [&[u8]; 3] = [b"PUBLISH", b"\xff\xfe", b"1"];
    client.say_words(&odd_name).await;
    client.hears(&[":1"]).await;
    server.publish("fine", "1").await;
    let report = handle.shutdown(Duration::from_secs(5)).await;
    let counts = report.stats.handler("on_number").unwrap();
    assert_eq!(
        (counts.rejected, counts.handled, counts.panicked),
        (4, 1, 0)
    );
    assert_eq!(counts.received, counts.accounted());
}

pub(crate) async fn bad_pushes_are_counted_and_every_handler_continues(broker: Broker) {
    let (mount, mut journal) = recorder("all", Subscription::pattern("*"));
    let handle = start(broker.url(), [mount]).await;
    journal.begins().await;
    let inject = |frame: &[u8]| assert_eq!(broker.inject(frame), 1);
    inject(b">2\r\n$7\r\ntidings\r\n$1\r\nx\r\n"); // unknown kind
    inject(b">2\r\n$7\r\nmessage\r\n$1\r\nx\r\n"); // wrong arity
    inject(b">3\r\n$7\r\nmessage\r\n$1\r\nx\r\n_\r\n"); // null payload
    inject(b">3\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nx\r\n"); // wrong arity
    inject(b">3\r\n$7\r\nmessage\r\n$7\r\nunknown\r\n$1\r\nx\r\n"); // a name without a handler
    broker.publish("fine", "still here");
    journal.message("fine", "still here").await;
    let feed = handle.stats().feed;
    assert_eq!((feed.unknown, feed.malformed, feed.unrouted), (1, 3, 1));
    assert_eq!(feed.reconnects, 0);
}

pub(crate) async fn frames_in_one_byte_pieces_arrive_whole(broker: Broker) {
    broker.split_frames(1);
    let (mount, mut journal) = recorder("pieces", Subscription::channel("news"));
    let _handle = start(broker.url(), [mount]).await;
    journal.begins().await;
    for payload in ["one", "two", &"three".repeat(1_000)] {
        broker.publish("news", payload);
        journal.message("news", payload).await;
    }
}

pub(crate) async fn raw_pushes_go_to_every_receiver(server: Server) {
    let (mount, _journal) = recorder("any", Subscription::channel("news"));
    let handle = start(server.url(), [mount]).await;
    let mut first = handle.pushes();
    let mut second = handle.pushes();
    server.publish("news", "hello").await;
    for receiver in [&mut first, &mut second] {
        let push = within("a raw push", receiver.recv()).await.unwrap();
        let expected = RawPush::Message {
            kind: Kind::Channel,
            name: "news".into(),
            channel: "news".into(),
            payload: "hello".into(),
        };
        assert_eq!(push, expected);
    }
    drop((first, second));
    server.publish("news", "nobody listens").await;
    let mut third = handle.pushes();
    server.kill_connections().await;
    let mut disconnects = 0;
    loop {
        match within("a raw push", third.recv()).await.unwrap() {
            // Two, if the next connection is killed before its subscription.
            RawPush::Disconnected => disconnects += 1,
            RawPush::Subscribed { .. } => break,
            _ => {}
        }
    }
    assert!(disconnects > 0, "the end of the connection comes first");
    handle.shutdown(Duration::from_secs(5)).await;
    while within("the end of raw pushes", third.recv()).await.is_ok() {}
}

pub(crate) async fn a_slow_handler_gets_an_exact_gap_and_the_others_miss_nothing(server: Server) {
    let slow = Spec::new("slow")
        .on(Subscription::channel("news"))
        .buffer(100);
    let (gate, gated) = tokio::sync::watch::channel(false);
    let (slow, mut slow_journal) = crate::gated::gated(slow, gated);
    let (quick, mut quick_journal) = recorder("quick", Subscription::channel("news"));
    let handle = start(server.url(), [slow, quick]).await;

    slow_journal.begins().await;
    quick_journal.begins().await;
    server.publish("news", "0").await;
    // The slow handler waits at its gate with the first message.
    eventually("the slow handler to be busy", async || {
        handle.stats().handler("slow").unwrap().running == 1
    })
    .await;
    for number in 1..=1_000 {
        server.publish("news", &number.to_string()).await;
    }
    for number in 0..=1_000 {
        quick_journal.message("news", &number.to_string()).await;
    }
    let counts = handle.stats().handler("slow").unwrap().clone();
    assert_eq!(
        (counts.queued, counts.dropped, counts.running),
        (100, 900, 1)
    );
    assert_eq!(counts.received, counts.accounted());

    gate.send_replace(true);
    slow_journal.message("news", "0").await;
    let gap = slow_journal.gap().await;
    assert_eq!(gap.cause, GapCause::Lagged);
    assert_eq!(gap.missed, Missed::Exactly(900));
    for number in 901..=1_000 {
        slow_journal.message("news", &number.to_string()).await;
    }
    let report = handle.shutdown(Duration::from_secs(5)).await;
    for counts in &report.stats.handlers {
        assert_eq!(counts.received, counts.accounted(), "{}", counts.handler);
    }
}

/// One pipelining publisher at full speed, with default settings. The server's output limit for
/// subscribers is off, so that only the client can lose messages.
pub(crate) async fn a_hundred_handlers_at_line_rate_lose_nothing_and_wake_only_for_their_own_messages(
    server: RealServer,
) {
    const CHANNELS: usize = 100;
    const MESSAGES: usize = 100_000;
    server
        .command(&[
            "CONFIG",
            "SET",
            "client-output-buffer-limit",
            "pubsub 0 0 0",
        ])
        .await;
    let names: &'static [String] =
        Vec::leak((0..CHANNELS).map(|n| format!("channel.{n}")).collect());
    let (mounts, _journals): (Vec<Mount<()>>, Vec<_>) = names
        .iter()
        .map(|name| recorder(name, Subscription::channel(name.as_str())))
        .unzip();
    let (idle, _idle_journal) = recorder("idle", Subscription::channel("idle"));
    let handle = start(server.url(), mounts.into_iter().chain([idle])).await;

    publish_at_line_rate(&server, names, MESSAGES).await;
    let every = (MESSAGES / CHANNELS) as u64;
    eventually_in(
        Duration::from_secs(45),
        "every handler to be done",
        async || {
            let stats = handle.stats();
            let busy = stats
                .handlers
                .iter()
                .filter(|entry| entry.handler != "idle");
            busy.map(|entry| entry.handled).sum::<u64>() == MESSAGES as u64
        },
    )
    .await;
    let stats = handle.stats();
    assert_eq!((stats.dropped(), stats.gaps()), (0, 0));
    for counts in &stats.handlers {
        if counts.handler == "idle" {
            assert_eq!((counts.received, counts.batches), (0, 0));
        } else {
            assert_eq!((counts.received, counts.handled), (every, every));
            assert!(counts.batches <= every);
        }
    }
}

async fn publish_at_line_rate(server: &RealServer, names: &[String], messages: usize) {
    let stream = TcpStream::connect(server.addr()).await.unwrap();
    let (mut replies, mut commands) = stream.into_split();
    let payload = "x".repeat(100);
    let mut pipeline = Vec::new();
    for number in 0..messages {
        let name = &names[number % names.len()];
        let length = name.len();
        pipeline.extend_from_slice(
            format!("*3\r\n$7\r\nPUBLISH\r\n${length}\r\n{name}\r\n$100\r\n{payload}\r\n")
                .as_bytes(),
        );
    }
    let write = async move {
        commands.write_all(&pipeline).await.unwrap();
        // The connection stays open until every reply is read.
        commands
    };
    let read = async move {
        let mut lines = 0;
        let mut buffer = vec![0; 64 * 1024];
        while lines < messages {
            let read = replies.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "the server closed the publisher's connection");
            lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count();
        }
    };
    let (_open, ()) = within("the publisher", async { tokio::join!(write, read) }).await;
}

#[push_handler(keyspace = "user:{id}")]
async fn on_user(
    event: KeyEvent<'_>,
    Param(id): Param<u64>,
    Param(database): Param<u32>,
    State(sender): State<UnboundedSender<String>>,
) {
    assert_eq!(event.database, database);
    let key = event.key_str().unwrap();
    let _ = sender.send(format!("{} {key} {id}", event.event));
}

pub(crate) async fn a_key_event_reaches_its_handler(server: Server) {
    server.set_key_events("KA").await;
    let (sender, mut events) = unbounded_channel();
    let subscriber = plain(server.url()).state(sender);
    let subscriber = subscriber.handlers(handlers![on_user]).handlers(
        handlers![on_user]
            .into_iter()
            .map(|mount| mount.prefix("eu:").named("eu")),
    );
    let handle = within("the start", subscriber.start()).await.unwrap();
    let mut client = server.raw3().await;
    for command in [
        "SET user:7 x",
        "SET user:7:name x",
        "SET eu:user:8 x",
        "DEL user:7",
    ] {
        client.ask(command).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(within("an event", events.recv()).await.unwrap());
    }
    // Two handlers are not synchronized with each other. Each has its own order.
    seen.retain(|event| event != "set eu:user:8 8");
    assert_eq!(seen, ["set user:7 7", "del user:7 7"]);
    let stats = handle.stats();
    // The server's glob `user:*` matches the key, and the template does not.
    assert_eq!(stats.handler("on_user").unwrap().unmatched, 1);
}
