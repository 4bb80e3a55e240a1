//! Handlers with `connection`, which receive connection events.

use std::time::Duration;

use redis_push::{
    ConnectionEvent, Invalidation, KeyEvent, Spec, State, Subscription, handlers, push_handler,
};
use tests::Server;
use tests::within;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::{Seen, plain, recorder, recorder_of, start, subscriber};

type Notes = UnboundedSender<String>;

#[push_handler(connection)]
async fn on_connection(event: ConnectionEvent<'_>, State(notes): State<Notes>) {
    let text = match event {
        ConnectionEvent::Connected => "connected".to_owned(),
        ConnectionEvent::Disconnected { reason, .. } => format!("disconnected: {reason}"),
        _ => "something new".to_owned(),
    };
    let _ = notes.send(text);
}

#[push_handler(invalidate = "user:")]
async fn on_user(key: Invalidation<'_>, State(notes): State<Notes>) {
    let _ = notes.send(format!("{key:?}"));
}

#[push_handler(keyspace = "user:{id}")]
async fn on_key(event: KeyEvent<'_>, State(notes): State<Notes>) {
    let _ = notes.send(event.event.to_owned());
}

async fn noted(notes: &mut UnboundedReceiver<String>) -> String {
    within("a note", notes.recv()).await.unwrap()
}

pub(crate) async fn disconnects_and_reconnects_are_reported(server: Server) {
    let (notes, mut noted_down) = unbounded_channel();
    let subscriber = subscriber(server.url())
        .state(notes)
        .handlers(handlers![on_connection]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    assert_eq!(noted(&mut noted_down).await, "connected");
    for _ in 0..3 {
        server.kill_connections().await;
        let end = noted(&mut noted_down).await;
        assert!(
            end.starts_with("disconnected: the connection was lost"),
            "{end}"
        );
        assert_eq!(noted(&mut noted_down).await, "connected");
    }
    // Failed attempts during an outage are not events.
    server.stop().await;
    let end = noted(&mut noted_down).await;
    assert!(end.starts_with("disconnected: "), "{end}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.start_again().await;
    assert_eq!(noted(&mut noted_down).await, "connected");
    within("ready again", handle.ready()).await;
    // A shutdown is not an event either, and events have no gaps.
    let report = handle.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.stats.handlers[0].gaps, 0);
    assert_eq!(report.stats.handlers[0].handled, 9);
    assert_eq!(report.stats.feed.reconnects, 4);
    assert_eq!(noted_down.recv().await, None);
}

pub(crate) async fn a_start_without_subscriptions_reports_the_connection_error() {
    let (mount, _journal) = recorder("events", Subscription::connection());
    let subscriber = plain("redis://127.0.0.1:1")
        .start_deadline(Duration::from_millis(100))
        .handlers([mount]);
    let error = within("the start", subscriber.start()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("not started within 100ms: ") && text.contains("refused"),
        "{text}"
    );
    assert!(!text.contains("subscriptions"), "{text}");
}

pub(crate) async fn the_stream_of_connection_events_has_no_gaps(server: Server) {
    let (mount, mut journal) = recorder("events", Subscription::connection());
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    journal.message("", "connected").await;
    server.kill_connections().await;
    let Seen::Message(_, end) = journal.next().await else {
        panic!("expected a disconnection, not a gap");
    };
    assert!(end.starts_with("disconnected: "), "{end}");
    journal.message("", "connected").await;
    handle.shutdown(Duration::from_secs(5)).await;
    journal.ends().await;
}

pub(crate) async fn a_connection_handler_works_together_with_others(server: Server) {
    let (notes, mut noted_down) = unbounded_channel();
    let subscriber = subscriber(server.url())
        .state(notes)
        .handlers(handlers![on_connection, on_user]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    assert_eq!(noted(&mut noted_down).await, "connected");
    let mut writer = server.raw().await;
    writer.expect("SET user:1 x", &["+OK"]).await;
    assert_eq!(
        noted(&mut noted_down).await,
        format!("{:?}", Invalidation::Key(b"user:1"))
    );
    writer.expect("FLUSHDB", &["+OK"]).await;
    assert_eq!(noted(&mut noted_down).await, "All");
    let wiring = format!("{:#}", handle.wiring());
    assert!(wiring.contains("the connection"), "{wiring}");
    assert!(
        wiring.contains("invalidations of keys `user:…`"),
        "{wiring}"
    );
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn the_arguments_of_a_handler_must_fit_its_subscriptions() {
    let (notes, _noted_down) = unbounded_channel::<String>();
    for (mounts, words) in [
        (
            handlers![on_user.on(Subscription::channel("users"))],
            "takes an invalidation, but listens to channel `users`",
        ),
        (
            handlers![on_connection.workers(2)],
            "listens to the connection with several workers",
        ),
        (
            handlers![on_key.on(Subscription::channel("users"))],
            "takes a key event, but listens to channel `users`",
        ),
        (
            handlers![on_connection.on(Subscription::invalidation(""))],
            "takes a connection event, but listens to invalidations of all keys",
        ),
    ] {
        let subscriber = plain("redis://127.0.0.1:1")
            .state(notes.clone())
            .handlers(mounts);
        let error = subscriber.start().await.unwrap_err();
        assert!(
            error.is_config() && error.to_string().contains(words),
            "{error}"
        );
    }
    let spec = Spec::new("both")
        .on(Subscription::connection())
        .on(Subscription::channel("news"));
    let (both, _journal) = recorder_of(spec);
    let error = plain("redis://127.0.0.1:1").handlers([both]).start();
    let error = error.await.unwrap_err().to_string();
    assert!(error.contains("write another handler for that"), "{error}");
}
