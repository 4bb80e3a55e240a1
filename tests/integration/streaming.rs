//! Streams: subscriptions that come and go.

use std::time::Duration;

use redis_push::{
    Bytes, ConnectionEvent, Event, EventStream, FromPush, Gap, GapCause, Handle, Invalidation,
    Json, KeyEvent, Missed, OwnedPush, Publisher, PushMessage, StreamEnd, Subscriber, Subscription,
};
use tests::{RealServer, Server, eventually, within};

use crate::support::{plain, recorder, start, subscriber};

/// Starts a subscriber without handlers.
async fn streaming(subscriber: Subscriber) -> Handle {
    within("the start", subscriber.start()).await.unwrap()
}

async fn open(handle: &Handle, channel: &'static str) -> EventStream<Bytes> {
    let subscribing = handle
        .subscribe(Subscription::channel(channel))
        .into_future();
    let mut stream = within("the confirmation", subscribing).await.unwrap();
    begins(&mut stream).await;
    stream
}

async fn next<T: for<'p> FromPush<'p, ()>>(stream: &mut EventStream<T>) -> Event<T> {
    within("the next event", stream.next())
        .await
        .expect("the stream goes on")
}

async fn gap<T: for<'p> FromPush<'p, ()>>(stream: &mut EventStream<T>) -> Gap {
    match next(stream).await {
        Event::Gap(gap) => gap,
        _ => panic!("expected a gap"),
    }
}

async fn begins<T: for<'p> FromPush<'p, ()>>(stream: &mut EventStream<T>) {
    let gap = gap(stream).await;
    assert_eq!(gap.cause, GapCause::Initial);
    assert_eq!(gap.missed, Missed::Exactly(0));
}

async fn message<T: for<'p> FromPush<'p, ()>>(stream: &mut EventStream<T>) -> T {
    match next(stream).await {
        Event::Message(message) => message,
        Event::Gap(gap) => panic!("expected a message, got {gap}"),
        _ => panic!("expected a message"),
    }
}

/// Returns whether nothing arrives while a message goes through another stream.
async fn is_quiet(handle: &Handle, server: &Server, stream: &mut EventStream<Bytes>) -> bool {
    let mut fence = open(handle, "fence").await;
    server.publish("fence", "x").await;
    message(&mut fence).await;
    let nothing = Duration::from_millis(1);
    tokio::time::timeout(nothing, stream.next()).await.is_err()
}

pub(crate) async fn a_stream_begins_with_a_gap_and_hears_what_follows(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let mut stream = open(&handle, "a").await;
    for number in 0..100 {
        server.publish("a", &number.to_string()).await;
    }
    for number in 0..100 {
        assert_eq!(message(&mut stream).await, number.to_string());
    }
    let mut late = open(&handle, "a").await;
    server.publish("a", "last").await;
    assert_eq!(message(&mut late).await, "last", "nothing from before");
    assert_eq!(message(&mut stream).await, "last");
    assert_eq!(handle.health().streams.open, 2);
    assert_eq!(handle.health().streams.names, 1);
    drop((stream, late));
    let stats = handle.stats().streams;
    assert_eq!(stats.len(), 1);
    assert_eq!((stats[0].open, stats[0].taken), (0, 102));
    assert_eq!((stats[0].received, stats[0].gaps), (102, 0));
}

pub(crate) async fn a_stream_hears_a_gap_after_each_lost_connection(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let mut one = open(&handle, "a").await;
    let mut other = open(&handle, "b").await;
    for round in 0..3 {
        server.kill_connections().await;
        for stream in [&mut one, &mut other] {
            let gap = gap(stream).await;
            assert_eq!(gap.cause, GapCause::ConnectionLost, "{gap}");
            assert_eq!(gap.missed, Missed::Unknown);
            assert!(stream.is_live());
        }
        server.publish("a", &round.to_string()).await;
        server.publish("b", &round.to_string()).await;
        assert_eq!(message(&mut one).await, round.to_string());
        assert_eq!(message(&mut other).await, round.to_string());
    }
    assert_eq!(handle.stats().streams[0].gaps, 6);
}

pub(crate) async fn a_stream_that_begins_during_an_outage_waits_for_its_end(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let mut kept = open(&handle, "a").await;
    assert!(kept.is_live());
    server.stop().await;
    eventually("the outage", async || !handle.is_ready()).await;
    assert!(!kept.is_live());
    let mut at_once = handle.subscribe(Subscription::channel("a")).now().unwrap();
    let mut new = handle.subscribe(Subscription::channel("b")).now().unwrap();
    let waiting = handle.subscribe(Subscription::channel("c")).into_future();
    let waiting = tokio::spawn(waiting);
    server.start_again().await;
    let mut waited = within("the confirmation", waiting).await.unwrap().unwrap();
    for stream in [&mut at_once, &mut new, &mut waited] {
        begins(stream).await;
    }
    assert!(kept.is_live(), "its gap is there");
    assert_eq!(gap(&mut kept).await.cause, GapCause::ConnectionLost);
    for channel in ["a", "b", "c"] {
        server.publish(channel, channel).await;
    }
    for (stream, text) in [
        (&mut kept, "a"),
        (&mut at_once, "a"),
        (&mut new, "b"),
        (&mut waited, "c"),
    ] {
        assert_eq!(message(stream).await, text);
    }
}

pub(crate) async fn a_stream_without_a_server_is_an_error_with_the_reason(server: Server) {
    let subscriber = subscriber(server.url()).start_deadline(Duration::from_millis(300));
    let handle = streaming(subscriber).await;
    server.stop().await;
    eventually("the outage", async || !handle.is_ready()).await;
    let subscribing = handle.subscribe(Subscription::channel("a")).into_future();
    let error = within("the error", subscribing).await.unwrap_err();
    assert!(error.is_timeout() && error.is_connection(), "{error}");
    assert!(error.to_string().contains("within 300ms: "), "{error}");
    assert_eq!(handle.health().streams.open, 0, "the name is let go");
}

pub(crate) async fn an_outage_that_is_over_is_not_the_cause_of_a_missing_confirmation() {
    let broker = redis_push::testing::Broker::start().await.unwrap();
    let subscriber = subscriber(broker.url()).start_deadline(Duration::from_secs(2));
    let handle = streaming(subscriber).await;
    let losses = handle.stats().feed.reconnects;
    broker.kill_connections();
    eventually("the next connection", async || {
        handle.stats().feed.reconnects > losses && handle.is_ready()
    })
    .await;
    broker.delay_confirmations(Duration::from_secs(60));
    let subscribing = handle.subscribe(Subscription::channel("a")).into_future();
    let error = within("the error", subscribing).await.unwrap_err();
    assert_eq!(error.to_string(), "not subscribed within 2s");
    assert!(error.is_timeout() && !error.is_connection());
    let (mount, _journal) = recorder("handler", Subscription::channel("b"));
    let error = within("the error", handle.mount([mount])).await;
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "not mounted within 2s");
    assert!(error.is_timeout() && !error.is_connection());
}

pub(crate) async fn streams_and_handlers_of_a_name_share_one_subscription(server: Server) {
    let (mount, mut journal) = recorder("handler", Subscription::channel("a"));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(open(&handle, "a").await);
    }
    assert_eq!(server.publish("a", "once").await, 1);
    for stream in &mut streams {
        assert_eq!(message(stream).await, "once");
    }
    journal.message("a", "once").await;
    drop(streams);
    // The handler keeps the name.
    let mut other = open(&handle, "b").await;
    server.publish("b", "x").await;
    message(&mut other).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(server.publish("a", "again").await, 1);
    journal.message("a", "again").await;
    let stats = handle.stats();
    assert_eq!(stats.feed.unrouted, 0);
}

pub(crate) async fn the_last_stream_of_a_name_unsubscribes_after_the_linger(server: Server) {
    let linger = Duration::from_millis(200);
    let handle = streaming(subscriber(server.url()).linger(linger)).await;
    let one = open(&handle, "a").await;
    let other = open(&handle, "a").await;
    drop(one);
    let mut other = other;
    assert!(is_quiet(&handle, &server, &mut other).await);
    server.wait_for_subscribers_of("a", 1).await;
    let begun = std::time::Instant::now();
    drop(other);
    assert_eq!(server.publish("a", "lingers").await, 1);
    server.wait_for_subscribers_of("a", 0).await;
    assert!(begun.elapsed() >= linger);
    let mut again = open(&handle, "a").await;
    server.publish("a", "back").await;
    assert_eq!(message(&mut again).await, "back");
}

pub(crate) async fn a_name_that_is_wanted_again_while_it_is_left_stays_subscribed(server: Server) {
    let handle = streaming(subscriber(server.url()).linger(Duration::ZERO)).await;
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..200 {
        let mut stream = open(&handle, "a").await;
        server.publish("a", &round.to_string()).await;
        assert_eq!(message(&mut stream).await, round.to_string());
        drop(stream);
        for _ in 0..random.u32(0..20) {
            tokio::task::yield_now().await;
        }
    }
    server.wait_for_subscribers_of("a", 0).await;
    assert!(handle.is_ready());
}

pub(crate) async fn a_denied_name_is_the_error_of_its_stream_alone(server: Server) {
    let (mount, mut journal) = recorder("handler", Subscription::channel("a"));
    server.deny("secret").await;
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    let mut good = open(&handle, "good").await;
    for _ in 0..2 {
        let subscribing = handle
            .subscribe(Subscription::channel("secret"))
            .into_future();
        let error = within("the error", subscribing).await.unwrap_err();
        assert!(error.is_denied(), "{error}");
        assert!(error.to_string().contains("channel `secret`"), "{error}");
    }
    let mut patient = handle
        .subscribe(Subscription::channel("secret"))
        .now()
        .unwrap();
    eventually("the denial", async || handle.health().streams.denied == 1).await;
    let health = handle.health();
    assert!(health.is_ready(), "{health}");
    assert_eq!(
        health.streams.denied_names[0].subscription,
        "channel `secret`"
    );
    server.publish("good", "1").await;
    assert_eq!(message(&mut good).await, "1");
    server.allow("secret").await;
    begins(&mut patient).await;
    server.publish("secret", "2").await;
    assert_eq!(message(&mut patient).await, "2");
    // A name that is denied later leaves its stream in place.
    server.deny("secret").await;
    eventually("the denial", async || handle.health().streams.denied == 1).await;
    server.allow("secret").await;
    let back = gap(&mut patient).await;
    assert_ne!(back.cause, GapCause::Initial);
    server.publish("secret", "3").await;
    assert_eq!(message(&mut patient).await, "3");
}

pub(crate) async fn a_slow_stream_is_told_how_much_it_has_missed_and_holds_up_nobody(
    server: Server,
) {
    let handle = streaming(subscriber(server.url())).await;
    let channel = || Subscription::channel("a");
    let mut fast = open(&handle, "a").await;
    let mut slow = within("it", handle.subscribe(channel()).buffer(10).into_future())
        .await
        .unwrap();
    let mut newest = within("it", handle.subscribe(channel()).latest().into_future())
        .await
        .unwrap();
    begins(&mut slow).await;
    begins(&mut newest).await;
    for number in 0..200 {
        server.publish("a", &number.to_string()).await;
        assert_eq!(message(&mut fast).await, number.to_string());
    }
    let lag = gap(&mut slow).await;
    assert_eq!(
        (lag.cause, lag.missed),
        (GapCause::Lagged, Missed::Exactly(190))
    );
    for number in 190..200 {
        assert_eq!(message(&mut slow).await, number.to_string());
    }
    assert_eq!(message(&mut newest).await, "199");
    server.publish("a", "200").await;
    assert_eq!(message(&mut newest).await, "200");
    drop((slow, newest, fast));
    let stats = &handle.stats().streams[0];
    assert_eq!((stats.dropped, stats.superseded), (190, 199));
    assert_eq!(stats.received, 3 * 201);
    assert_eq!(stats.cancelled, 2, "{stats:?}");
}

pub(crate) async fn what_waits_for_streams_is_counted(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let mut one = open(&handle, "a").await;
    let other = open(&handle, "b").await;
    for number in 0..10 {
        server.publish("a", &number.to_string()).await;
        server.publish("b", &number.to_string()).await;
    }
    let counts = || {
        let stats = &handle.stats().streams[0];
        assert_eq!(stats.received, stats.accounted(), "{stats}");
        (stats.received, stats.taken, stats.queued, stats.cancelled)
    };
    eventually("the messages", async || counts().0 == 20).await;
    assert_eq!(counts(), (20, 0, 20, 0));
    for number in 0..10 {
        assert_eq!(message(&mut one).await, number.to_string());
    }
    // What it has read is counted when it has nothing to read.
    let nothing = Duration::from_millis(1);
    assert!(tokio::time::timeout(nothing, one.next()).await.is_err());
    assert_eq!(counts(), (20, 10, 10, 0));
    drop(other);
    assert_eq!(counts(), (20, 10, 0, 10));
    server.publish("a", "last").await;
    assert_eq!(message(&mut one).await, "last");
    drop(one);
    assert_eq!(counts(), (21, 11, 0, 10));
}

pub(crate) async fn a_stream_may_listen_to_a_template_and_to_the_newest_of_each_channel(
    server: Server,
) {
    let handle = streaming(subscriber(server.url())).await;
    let template = || Subscription::template("quotes.{symbol}").unwrap();
    let subscribing = handle.subscribe(template()).decode::<OwnedPush>();
    let mut all = within("it", subscribing.into_future()).await.unwrap();
    let subscribing = handle.subscribe(template()).latest().decode::<OwnedPush>();
    let mut newest = within("it", subscribing.into_future()).await.unwrap();
    begins(&mut all).await;
    begins(&mut newest).await;
    for (channel, payload) in [("A", "1"), ("B", "2"), ("A.x", "-"), ("A", "3")] {
        server.publish(&format!("quotes.{channel}"), payload).await;
    }
    let heard = async |stream: &mut EventStream<OwnedPush>, symbol: &str, payload: &str| {
        let push = message(stream).await;
        assert_eq!(push.as_push().param("symbol"), Some(symbol));
        assert_eq!(push.as_push().payload(), payload.as_bytes());
    };
    heard(&mut all, "A", "1").await;
    heard(&mut all, "B", "2").await;
    heard(&mut all, "A", "3").await;
    heard(&mut newest, "A", "3").await;
    heard(&mut newest, "B", "2").await;
    // What they have read is counted when they have nothing to read.
    for stream in [&mut all, &mut newest] {
        let nothing = Duration::from_millis(1);
        assert!(tokio::time::timeout(nothing, stream.next()).await.is_err());
    }
    let counts = || {
        let stats = &handle.stats().streams[0];
        (stats.taken, stats.superseded, stats.queued)
    };
    assert_eq!(counts(), (5, 1, 0));
    server.publish("quotes.B", "4").await;
    server.publish("quotes.B", "5").await;
    eventually("both messages", async || counts() == (5, 2, 3)).await;
    heard(&mut newest, "B", "5").await;
    heard(&mut all, "B", "4").await;
    heard(&mut all, "B", "5").await;
    drop((all, newest));
    let stats = &handle.stats().streams[0];
    assert_eq!(stats.listens_to, "quotes.{symbol}");
    assert_eq!((stats.taken, stats.superseded), (8, 2));
    assert_eq!(stats.unmatched + stats.cancelled, 2);
}

pub(crate) async fn a_stream_may_listen_to_keys_invalidations_and_the_connection(server: Server) {
    server.set_key_events("KEA").await;
    let handle = streaming(subscriber(server.url())).await;
    let keys = Subscription::keyspace("user:{id}").unwrap();
    let mut keys = within(
        "it",
        handle.subscribe(keys).decode::<OwnedPush>().into_future(),
    )
    .await
    .unwrap();
    // The shorter prefix comes second: the server refuses that while it tracks the longer one.
    let tracking = async |prefix: &'static str| {
        let prefix = Subscription::invalidation(prefix);
        let subscribing = handle.subscribe(prefix).decode::<OwnedPush>();
        let mut stream = within("it", subscribing.into_future()).await.unwrap();
        begins(&mut stream).await;
        stream
    };
    let mut longer = tracking("user:7").await;
    let mut shorter = tracking("user:").await;
    let connection = handle
        .subscribe(Subscription::connection())
        .decode::<OwnedPush>();
    let mut connection = within("it", connection.into_future()).await.unwrap();
    begins(&mut keys).await;
    begins(&mut connection).await;
    assert_eq!(gap(&mut longer).await.cause, GapCause::Resubscribed);
    let mut writer = server.raw().await;
    writer.expect("SET user:71 x", &["+OK"]).await;
    writer.expect("SET user:8 x", &["+OK"]).await;
    let event = message(&mut keys).await;
    let KeyEvent { key, event, .. } = KeyEvent::from_push(event.as_push(), &()).unwrap();
    assert_eq!((key, event), (b"user:71".as_slice(), "set"));
    let key = message(&mut longer).await;
    let key = Invalidation::from_push(key.as_push(), &()).unwrap();
    assert!(matches!(key, Invalidation::Key(b"user:71")), "{key:?}");
    for expected in ["user:71", "user:8"] {
        let key = message(&mut shorter).await;
        let key = Invalidation::from_push(key.as_push(), &()).unwrap();
        assert!(matches!(key, Invalidation::Key(key) if key == expected.as_bytes()));
    }
    server.kill_connections().await;
    let event = message(&mut connection).await;
    let event = ConnectionEvent::from_push(event.as_push(), &()).unwrap();
    assert!(
        matches!(event, ConnectionEvent::Disconnected { .. }),
        "{event:?}"
    );
}

pub(crate) async fn streams_end_with_the_subscriber(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let mut stream = open(&handle, "a").await;
    let mut other = open(&handle, "b").await.without_gaps();
    server.publish("a", "1").await;
    server.publish("b", "2").await;
    let mut fence = open(&handle, "fence").await;
    server.publish("fence", "x").await;
    message(&mut fence).await;
    assert_eq!(stream.ended(), None);
    assert!(stream.is_live());
    within("the end", handle.shutdown(Duration::from_secs(5))).await;
    assert!(!stream.is_live(), "nothing more arrives");
    assert_eq!(message(&mut stream).await, "1");
    assert!(within("the end", stream.next()).await.is_none());
    assert!(
        within("the end", stream.next()).await.is_none(),
        "it is fused"
    );
    assert_eq!(stream.ended(), Some(StreamEnd::SubscriberEnded));
    assert_eq!(within("a message", other.next()).await.unwrap(), "2");
    assert!(within("the end", other.next()).await.is_none());
    let error = handle
        .subscribe(Subscription::channel("a"))
        .now()
        .unwrap_err();
    assert!(error.to_string().contains("has ended"), "{error}");
}

pub(crate) async fn streams_end_when_the_handle_is_dropped_and_keep_nothing_alive(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let mut stream = open(&handle, "a").await;
    let waiting = tokio::spawn(async move { stream.next().await.is_none() });
    server.wait_for_subscribers_of("a", 1).await;
    drop(handle);
    assert!(within("the end", waiting).await.unwrap());
    server.wait_for_subscribers_of("a", 0).await;
}

pub(crate) async fn a_stream_may_be_dropped_outside_of_a_runtime(server: Server) {
    let linger = Duration::from_millis(1);
    let handle = streaming(subscriber(server.url()).linger(linger)).await;
    let stream = open(&handle, "a").await;
    std::thread::spawn(move || drop(stream)).join().unwrap();
    server.wait_for_subscribers_of("a", 0).await;
}

pub(crate) async fn there_are_no_more_streams_than_allowed(server: Server) {
    let handle = streaming(subscriber(server.url()).max_streams(2)).await;
    let one = open(&handle, "a").await;
    let _other = open(&handle, "b").await;
    let subscribing = handle.subscribe(Subscription::channel("c")).into_future();
    let error = within("the error", subscribing).await.unwrap_err();
    assert!(error.is_limit(), "{error}");
    assert!(error.to_string().contains("2 streams"), "{error}");
    drop(one);
    drop(open(&handle, "c").await);
}

/// The server refuses a prefix while it tracks a longer one, and cannot stop tracking that one alone.
pub(crate) async fn a_shorter_prefix_is_tracked_after_a_longer_one_has_gone(server: Server) {
    let handle = streaming(subscriber(server.url()).linger(Duration::ZERO)).await;
    let tracking = async |prefix: &'static str| {
        let prefix = Subscription::invalidation(prefix);
        let subscribing = handle.subscribe(prefix).decode::<OwnedPush>();
        let mut stream = within("it", subscribing.into_future()).await.unwrap();
        begins(&mut stream).await;
        stream
    };
    let mut kept = tracking("item:").await;
    drop(tracking("user:7").await);
    eventually("the end of the name", async || {
        handle.health().streams.names == 1
    })
    .await;
    let mut shorter = tracking("user:").await;
    assert_eq!(gap(&mut kept).await.cause, GapCause::Resubscribed);
    let mut writer = server.raw().await;
    writer.expect("SET user:71 x", &["+OK"]).await;
    writer.expect("SET item:1 x", &["+OK"]).await;
    for (stream, expected) in [(&mut shorter, "user:71"), (&mut kept, "item:1")] {
        let key = message(stream).await;
        let key = Invalidation::from_push(key.as_push(), &()).unwrap();
        assert!(matches!(key, Invalidation::Key(key) if key == expected.as_bytes()));
    }
}

pub(crate) async fn ten_thousand_names_are_subscribed_and_left(server: Server) {
    const NAMES: usize = 10_000;
    let linger = Duration::from_millis(10);
    let subscriber = plain(server.url())
        .linger(linger)
        .start_deadline(Duration::from_secs(50));
    let handle = streaming(subscriber).await;
    let streams: Vec<_> = (0..NAMES)
        .map(|number| {
            let name = Subscription::channel(format!("room.{number}"));
            handle.subscribe(name).into_future()
        })
        .collect();
    let mut begun = Vec::new();
    for stream in streams {
        begun.push(within("the confirmation", stream).await.unwrap());
    }
    for number in (0..NAMES).step_by(1_000) {
        server.publish(&format!("room.{number}"), "hello").await;
        begins(&mut begun[number]).await;
        assert_eq!(message(&mut begun[number]).await, "hello");
    }
    assert_eq!(handle.health().streams.names, NAMES as u64);
    drop(begun);
    server.wait_for_subscribers_of("room.0", 0).await;
    server.wait_for_subscribers_of("room.9999", 0).await;
    eventually("the end of all names", async || {
        handle.health().streams.names == 0
    })
    .await;
    assert_eq!(handle.stats().feed.unrouted, 0);
}

/// The user may subscribe but not unsubscribe.
pub(crate) async fn a_name_that_cannot_be_left_is_let_go(server: RealServer) {
    server
        .command(&["ACL", "SETUSER", "default", "-unsubscribe"])
        .await;
    let handle = streaming(subscriber(server.url()).linger(Duration::ZERO)).await;
    for round in 0..3 {
        let mut stream = open(&handle, "a").await;
        server.command(&["PUBLISH", "a", &round.to_string()]).await;
        assert_eq!(message(&mut stream).await, round.to_string());
        drop(stream);
        eventually("the end of the name", async || {
            handle.health().streams.names == 0
        })
        .await;
    }
    assert!(handle.is_ready());
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = ["quotes.{symbol}", "old.quotes.{symbol}"])]
struct Quote {
    symbol: String,
    bid: f64,
}

pub(crate) async fn a_typed_stream_listens_to_an_address(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let mut acme = within("it", handle.subscribe(Quote::at("ACME")).into_future())
        .await
        .unwrap();
    let all = handle.subscribe(Quote::at_any()).latest();
    let mut all = within("it", all.into_future()).await.unwrap();
    let prefixed = handle.subscribe(Quote::at("*").prefix("eu:"));
    let mut literal = within("it", prefixed.into_future()).await.unwrap();
    for stream in [&mut acme, &mut all, &mut literal] {
        begins(stream).await;
    }
    let publisher = Publisher::new(server.url()).unwrap();
    for (symbol, bid) in [("ACME", 1.0), ("OTHER", 2.0), ("ACME", 3.0)] {
        let symbol = symbol.to_owned();
        publisher.publish(&Quote { symbol, bid }).await.unwrap();
    }
    let quote = |symbol: &str, bid| Quote {
        symbol: symbol.into(),
        bid,
    };
    // What was published before has arrived.
    let mut fence = open(&handle, "fence").await;
    server.publish("fence", "x").await;
    message(&mut fence).await;
    assert_eq!(message(&mut acme).await, quote("ACME", 1.0));
    assert_eq!(message(&mut acme).await, quote("ACME", 3.0));
    assert_eq!(message(&mut all).await, quote("ACME", 3.0));
    assert_eq!(message(&mut all).await, quote("OTHER", 2.0));
    // The second channel of the type, and a payload that does not decode.
    server.publish("old.quotes.ACME", r#"{"bid":4}"#).await;
    server.publish("quotes.ACME", "{").await;
    server.publish("quotes.ACME", r#"{"bid":5}"#).await;
    assert_eq!(message(&mut acme).await, quote("ACME", 4.0));
    let Event::Rejected(rejection) = next(&mut acme).await else {
        panic!("expected a rejection");
    };
    assert!(!rejection.is_unmatched(), "{rejection}");
    assert_eq!(message(&mut acme).await, quote("ACME", 5.0));
    // A param is never a pattern.
    server.publish("eu:quotes.X", r#"{"bid":6}"#).await;
    server.publish("eu:quotes.*", r#"{"bid":7}"#).await;
    assert_eq!(message(&mut literal).await, quote("*", 7.0));
    let error = handle.subscribe(Quote::at("A.B")).now().unwrap_err();
    assert!(error.to_string().contains("{symbol*}"), "{error}");
    let stats = handle.stats().streams;
    let listens_to: Vec<_> = stats.iter().map(|one| &*one.listens_to).collect();
    assert!(
        listens_to.contains(&"quotes.{symbol}"),
        "by the template: {listens_to:?}"
    );
}

pub(crate) async fn a_denied_name_of_a_stream_is_logged(server: Server) {
    let name = format!("denied-to-a-stream-{}", fastrand::u64(..));
    server.deny(&name).await;
    let handle = streaming(subscriber(server.url())).await;
    let stream = handle.subscribe(Subscription::channel(name.clone())).now();
    let _stream = stream.unwrap();
    let is_logged = async || {
        let events = tests::overheard::events("redis_push");
        let of_name = |event: &std::collections::HashMap<_, String>| {
            event
                .get("subscription")
                .is_some_and(|text| text.contains(&name))
                && event.get("reason").is_some_and(|reason| !reason.is_empty())
        };
        events.iter().any(of_name)
    };
    eventually("the line", is_logged).await;
}

/// Each server has a label of its own, because tests run concurrently. The label is the template of the
/// stream, so a flood on any of its channels is one.
pub(crate) async fn what_streams_reject_is_logged_at_a_limited_rate_without_the_payload(
    server: Server,
) {
    crate::logs::listen();
    let number = fastrand::u64(..);
    let template = format!("rejects-{number}.{{part}}");
    let to = Subscription::template(&template).unwrap();
    let handle = streaming(subscriber(server.url())).await;
    let subscribing = handle.subscribe(to).decode::<Json<u64>>().into_future();
    let mut stream = within("the confirmation", subscribing).await.unwrap();
    begins(&mut stream).await;
    server.publish(&format!("rejects-{number}.a.b"), "1").await;
    for payload in ["hunter2", "1", "hunter2", "hunter2"] {
        server
            .publish(&format!("rejects-{number}.a"), payload)
            .await;
    }
    for is_rejected in [true, false, true, true] {
        let event = next(&mut stream).await;
        assert_eq!(matches!(event, Event::Rejected(_)), is_rejected);
    }
    within("the shutdown", handle.shutdown(Duration::from_secs(5))).await;
    let mut events = tests::overheard::events("redis_push");
    events.retain(|event| event.get("stream") == Some(&template));
    let count = |is: &dyn Fn(&&std::collections::HashMap<_, String>) -> bool| {
        let counted = events.iter().filter(is);
        let suppressed = counted.map(|event| {
            let line = u64::from(!event.contains_key("event"));
            line + event["suppressed"].parse::<u64>().unwrap()
        });
        suppressed.sum::<u64>()
    };
    let says = |event: &std::collections::HashMap<_, String>, text: &str| {
        event.values().any(|value| value.contains(text))
    };
    assert_eq!(
        count(&|event| says(event, "message of a stream rejected")),
        3
    );
    assert_eq!(
        count(&|event| says(event, "not matched by the template")),
        1
    );
    assert!(events.len() <= 4, "a line for each message: {events:?}");
    assert!(
        !events.iter().any(|event| says(event, "hunter2")),
        "{events:?}"
    );
}

/// The messages of a stream that ends while they are counted are not counted twice.
pub(crate) async fn streams_that_end_while_they_are_counted_leave_a_whole_account(server: Server) {
    const STREAMS: usize = 20;
    for _ in 0..10 {
        let handle = streaming(subscriber(server.url())).await;
        let mut streams = Vec::new();
        for _ in 0..STREAMS {
            streams.push(open(&handle, "a").await);
        }
        for number in 0..30 {
            server.publish("a", &number.to_string()).await;
        }
        let owners = streams.into_iter().map(|mut stream| {
            tokio::spawn(async move {
                message(&mut stream).await;
                stream.next().await;
            })
        });
        let owners: Vec<_> = owners.collect();
        let mut before = 0;
        while !owners.iter().all(tokio::task::JoinHandle::is_finished) {
            let received = handle.stats().streams[0].received;
            assert!(received >= before, "{received} after {before}");
            before = received;
            tokio::task::yield_now().await;
        }
        let report = within("the shutdown", handle.shutdown(Duration::from_secs(5))).await;
        let streams = &report.stats.streams[0];
        assert_eq!((streams.open, streams.queued), (0, 0), "{streams:?}");
        assert_eq!(streams.received, streams.accounted(), "{streams:?}");
    }
}
