//! Streams with a snapshot in place of each gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::stream::FusedStream;
use redis_push::{
    Bytes, Gap, GapCause, Handle, PushMessage, Subscriber, Subscription, Update, UpdateStream,
};
use serde::Serialize;
use tests::{Server, eventually, within};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::support::subscriber;

async fn streaming(subscriber: Subscriber) -> Handle {
    within("the start", subscriber.start()).await.unwrap()
}

fn news() -> Subscription {
    Subscription::channel("news")
}

async fn next<U: FusedStream + Unpin>(updates: &mut UpdateStream<U>) -> U::Item {
    within("the next update", updates.next())
        .await
        .expect("the stream goes on")
}

fn snapshot<S>(value: S) -> Update<S, Bytes> {
    Update::Snapshot(value)
}

fn message<S>(text: &'static str) -> Update<S, Bytes> {
    Update::Message(Bytes::from_static(text.as_bytes()))
}

pub(crate) async fn a_snapshot_comes_first_and_in_place_of_each_gap(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let stream = handle.subscribe(news()).await.unwrap();
    let mut loads = 0;
    let mut updates = stream.snapshot_with(async move |gap: Gap| {
        loads += 1;
        Ok::<_, String>((loads, gap.cause))
    });
    let first = next(&mut updates).await;
    assert_eq!(first, snapshot((1, GapCause::Initial)));
    server.publish("news", "a").await;
    assert_eq!(next(&mut updates).await, message("a"));
    server.kill_connections().await;
    let second = next(&mut updates).await;
    assert_eq!(second, snapshot((2, GapCause::ConnectionLost)));
    server.publish("news", "b").await;
    assert_eq!(next(&mut updates).await, message("b"));
    within("the shutdown", handle.shutdown(Duration::from_secs(5))).await;
    assert_eq!(within("the end", updates.next()).await, None);
    assert!(updates.is_terminated());
}

/// What arrives while a snapshot is loaded follows it, and loading is neither lost nor begun again when
/// the future of `next` is dropped.
pub(crate) async fn messages_wait_for_the_snapshot(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let stream = handle.subscribe(news()).await.unwrap();
    let (loads, may_load) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (counted, permits) = (Arc::clone(&loads), Arc::clone(&may_load));
    let mut updates = stream.snapshot_with(async move |_gap| {
        counted.fetch_add(1, SeqCst);
        permits.acquire().await.map(SemaphorePermit::forget)
    });
    let soon = Duration::from_millis(1);
    for text in ["a", "b"] {
        assert!(tokio::time::timeout(soon, updates.next()).await.is_err());
        server.publish("news", text).await;
    }
    may_load.add_permits(1);
    assert_eq!(next(&mut updates).await, snapshot(()));
    assert_eq!(next(&mut updates).await, message("a"));
    assert_eq!(next(&mut updates).await, message("b"));
    assert_eq!(loads.load(SeqCst), 1);
}

/// A load that takes too long for the buffer is followed by another one, so nothing is missed.
pub(crate) async fn a_lag_during_a_load_is_followed_by_another_snapshot(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let stream = handle.subscribe(news()).buffer(2).await.unwrap();
    let may_load = Arc::new(Semaphore::new(0));
    let permits = Arc::clone(&may_load);
    let mut updates = stream.snapshot_with(async move |gap: Gap| {
        permits.acquire().await.map(SemaphorePermit::forget)?;
        Ok::<_, tokio::sync::AcquireError>(gap.cause)
    });
    let soon = Duration::from_millis(1);
    assert!(tokio::time::timeout(soon, updates.next()).await.is_err());
    for text in ["a", "b", "c", "d"] {
        server.publish("news", text).await;
    }
    eventually("all of them to arrive", async || {
        handle.stats().streams[0].received == 4
    })
    .await;
    may_load.add_permits(2);
    assert_eq!(next(&mut updates).await, snapshot(GapCause::Initial));
    assert_eq!(next(&mut updates).await, snapshot(GapCause::Lagged));
    assert_eq!(next(&mut updates).await, message("c"));
    assert_eq!(next(&mut updates).await, message("d"));
}

/// The name of the channel is the label under which failures are logged.
#[derive(Debug, PushMessage)]
#[push(channel = "updates.that.fail.to.load")]
struct Hard {
    number: u64,
}

pub(crate) async fn a_load_that_fails_is_logged_and_tried_again(server: Server) {
    crate::logs::listen();
    let handle = streaming(subscriber(server.url())).await;
    let stream = handle.subscribe(Hard::at()).await.unwrap();
    let mut attempts = 0;
    let mut updates = stream.snapshot_with(async move |_gap| {
        attempts += 1;
        match attempts {
            1 => Err("the store is away"),
            2 => panic!("the store has a bug"),
            _ => Ok(attempts),
        }
    });
    assert!(matches!(next(&mut updates).await, Update::Snapshot(3)));
    server
        .publish("updates.that.fail.to.load", r#"{"number":7}"#)
        .await;
    let message = next(&mut updates).await;
    assert!(matches!(message, Update::Message(Hard { number: 7 })));
    let events = tests::overheard::events("redis_push");
    let is_logged = events.iter().any(|event| {
        event
            .get("problem")
            .is_some_and(|text| text == "the store is away")
            && event
                .get("stream")
                .is_some_and(|stream| stream == "updates.that.fail.to.load")
    });
    assert!(is_logged);
}

/// Streams of a template have one label, so a line names the channel too.
#[derive(Debug, PushMessage)]
#[push(channel = "loads.{of}.that.fail")]
struct Loading {
    of: String,
}

pub(crate) async fn a_load_that_fails_is_logged_with_its_channel(server: Server) {
    crate::logs::listen();
    let handle = streaming(subscriber(server.url())).await;
    let long = format!("one\n{}", "x".repeat(200));
    let stream = handle.subscribe(Loading::at(&long)).await.unwrap();
    let mut attempts = 0;
    let mut updates = stream.snapshot_with(async move |_gap| {
        attempts += 1;
        match attempts {
            1 => Err("the store of this room is away"),
            _ => Ok(()),
        }
    });
    assert!(matches!(next(&mut updates).await, Update::Snapshot(())));
    let events = tests::overheard::events("redis_push");
    let mut lines = events.iter().filter(|event| {
        let problem = event.get("problem");
        problem.is_some_and(|text| text == "the store of this room is away")
    });
    let line = lines.next().expect("it is logged");
    assert_eq!(line["stream"], "loads.{of}.that.fail");
    let channel = &*line["channel"];
    assert!(channel.starts_with("loads.one\\nxxx"), "{channel}");
    assert!(channel.ends_with("… (92 more bytes)"), "{channel}");
}

/// Neither a load that does not end nor one that keeps failing holds up a shutdown.
pub(crate) async fn a_load_does_not_keep_a_stream_from_ending(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let stuck = handle.subscribe(news()).await.unwrap();
    let mut stuck = stuck.snapshot_with(async |_gap| {
        std::future::pending::<()>().await;
        Ok::<_, String>(())
    });
    let failing = handle.subscribe(news()).await.unwrap();
    let mut failing = failing.snapshot_with(async |_gap| Err::<(), _>("never"));
    let soon = Duration::from_millis(1);
    assert!(tokio::time::timeout(soon, stuck.next()).await.is_err());
    let ends = tokio::spawn(async move { (stuck.next().await, failing.next().await) });
    within("the shutdown", handle.shutdown(Duration::from_secs(5))).await;
    let (stuck, failing) = within("the end of both", ends).await.unwrap();
    assert_eq!((stuck, failing), (None, None));
}

#[derive(Debug, PushMessage, Serialize)]
#[push(channel = "updates.{room}")]
struct Line {
    room: String,
    text: String,
}

/// The options of a stream hold for its updates, and an update is JSON that a browser can be sent.
pub(crate) async fn updates_may_be_shared_and_the_newest_alone(server: Server) {
    let handle = streaming(subscriber(server.url())).await;
    let line = Line::at("lobby");
    let shared = handle.subscribe(line.clone()).shared().await.unwrap();
    let mut shared = shared.snapshot_with(async |_gap| Ok::<_, String>([1, 2]));
    let newest = handle.subscribe(line).latest().await.unwrap();
    let mut newest = newest.snapshot_with(async |_gap| Ok::<_, String>([3]));
    assert!(matches!(next(&mut shared).await, Update::Snapshot([1, 2])));
    let json = serde_json::to_string(&next(&mut newest).await).unwrap();
    assert_eq!(json, r#"{"snapshot":[3]}"#);
    for text in ["a", "b"] {
        let payload = format!(r#"{{"text":"{text}"}}"#);
        server.publish("updates.lobby", &payload).await;
    }
    for text in ["a", "b"] {
        let Update::Message(line) = next(&mut shared).await else {
            panic!("expected a message")
        };
        assert_eq!((&*line.room, &*line.text), ("lobby", text));
    }
    eventually("the newest", async || {
        let json = serde_json::to_string(&next(&mut newest).await).unwrap();
        json == r#"{"message":{"room":"lobby","text":"b"}}"#
    })
    .await;
}
