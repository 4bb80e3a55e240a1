//! `shutdown`: which messages are delivered, which are counted, and how long it takes.

use std::time::Duration;

use redis_push::{Handle, HealthReason, Spec, Stats, Subscription};
use tests::Server;
use tests::{eventually, within};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::gated::gated;
use crate::support::{Journal, recorder, start};
use crate::tireless::tireless;

const LONG: Duration = Duration::from_secs(10);

/// A subscriber with one handler, which waits at its gate with the first of `messages`.
async fn busy(server: &Server, messages: u64) -> (Handle, Journal, watch::Sender<bool>) {
    let (gate, closed) = watch::channel(false);
    let (mount, mut journal) = gated(Spec::new("busy").on(Subscription::channel("a")), closed);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for number in 0..messages {
        server.publish("a", &number.to_string()).await;
    }
    eventually("every message to have arrived", async || {
        handle.stats().handlers[0].received == messages
    })
    .await;
    (handle, journal, gate)
}

pub(crate) async fn messages_sent_before_the_shutdown_are_delivered(server: Server) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for number in 0..500 {
        server.publish("a", &number.to_string()).await;
    }
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    let counts = &report.stats.handlers[0];
    assert_eq!(
        (counts.received, counts.handled, counts.cancelled),
        (500, 500, 0)
    );
    server.wait_for_subscribers_of("a", 0).await;
    assert_eq!(
        handle.shutdown(LONG).await,
        report,
        "a second call changes nothing"
    );
    assert_eq!(handle.stats(), report.stats);
    assert_eq!(journal.so_far().len(), 500);
}

pub(crate) async fn a_handler_that_finishes_in_time_is_waited_for(server: Server) {
    let (handle, mut journal, gate) = busy(&server, 10).await;
    let (report, ()) = within("the shutdown", async {
        tokio::join!(handle.shutdown(LONG), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            gate.send_replace(true);
        })
    })
    .await;
    assert_eq!(report.stats.handlers[0].handled, 10);
    assert_eq!(report.cancelled(), 0);
    assert_eq!(journal.so_far().len(), 10);
}

pub(crate) async fn messages_left_at_the_deadline_are_counted_as_cancelled(server: Server) {
    let (handle, _journal, _gate) = busy(&server, 10).await;
    let report = within("the shutdown", handle.shutdown(Duration::from_millis(300))).await;
    let counts = &report.stats.handlers[0];
    assert_eq!(
        (counts.handled, counts.cancelled, counts.queued),
        (0, 10, 0)
    );
    assert_eq!(counts.received, counts.accounted());
}

/// An aborted task runs on until it yields, and a handler that never waits rarely yields.
pub(crate) async fn messages_counted_as_cancelled_are_not_delivered_afterwards(server: Server) {
    const MESSAGES: u64 = 20_000;
    let (mount, calls) = tireless(Spec::new("tireless").on(Subscription::channel("a")));
    let handle = start(server.url(), [mount]).await;
    let mut publisher = server.raw().await;
    let publish = b"*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$1\r\n1\r\n";
    publisher.send(&publish.repeat(MESSAGES as usize)).await;
    eventually("a backlog", async || {
        handle.stats().handlers[0].queued > 500
    })
    .await;
    let report = within("the shutdown", handle.shutdown(Duration::ZERO)).await;
    assert!(report.cancelled() > 0);
    eventually("the end of the handler", async || calls.is_over()).await;
    // The delivery in progress may continue if its thread is stalled for longer than the shutdown
    // waits for it. No other delivery begins.
    let afterwards = calls.count() - report.stats.handlers[0].handled;
    assert!(afterwards <= 1, "{afterwards} were delivered afterwards");
}

pub(crate) async fn a_dropped_shutdown_continues_with_the_next_call(server: Server) {
    let (handle, mut journal, gate) = busy(&server, 10).await;
    let dropped = tokio::time::timeout(Duration::from_millis(100), handle.shutdown(LONG)).await;
    assert!(dropped.is_err());
    gate.send_replace(true);
    let report = within("the shutdown", handle.shutdown(Duration::MAX)).await;
    assert_eq!(report.stats.handlers[0].handled, 10);
    assert_eq!(report.cancelled(), 0);
    assert_eq!(journal.so_far().len(), 10);
    assert!(
        handle.pushes().recv().await.is_err(),
        "the raw pushes have ended"
    );
}

pub(crate) async fn a_dropped_shutdown_leaves_the_handle_in_control(server: Server) {
    let (handle, mut journal, gate) = busy(&server, 10).await;
    let dropped = tokio::time::timeout(Duration::from_millis(100), handle.shutdown(LONG)).await;
    assert!(dropped.is_err());
    drop(handle);
    // The handler has ended, so it does not see that the gate opens.
    journal.ends().await;
    gate.send_replace(true);
}

pub(crate) async fn a_shutdown_works_during_an_outage(server: Server) {
    let (handle, mut journal, gate) = busy(&server, 10).await;
    server.stop().await;
    eventually("the outage to be noticed", async || !handle.is_ready()).await;
    gate.send_replace(true);
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    assert_eq!(report.stats.handlers[0].handled, 10);
    assert_eq!(journal.so_far().len(), 10);
}

pub(crate) async fn a_frozen_server_does_not_delay_the_shutdown(server: Server) {
    let (handle, _journal, gate) = busy(&server, 10).await;
    gate.send_replace(true);
    server.freeze(true);
    let begun = Instant::now();
    let report = within("the shutdown", handle.shutdown(Duration::from_secs(1))).await;
    server.freeze(false);
    assert_eq!(report.stats.handlers[0].handled, 10);
    assert!(begun.elapsed() < LONG);
}

pub(crate) async fn dropping_the_handle_ends_everything(server: Server) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    let mut health = handle.watch_health();
    drop(handle);
    assert_eq!(health.get().not_ready, [HealthReason::ShuttingDown]);
    assert_eq!(
        within("the end of the health", health.changed()).await,
        None
    );
    journal.ends().await;
    server.wait_for_subscribers_of("a", 0).await;
    assert_eq!(health.get().not_ready, [HealthReason::ShuttingDown]);
}

pub(crate) async fn stats_print_as_a_table_and_survive_json(server: Server) {
    let (a, mut journal) = recorder("a", Subscription::channel("a"));
    let (b, _) = recorder(
        "on_quote",
        Subscription::template("quotes.{symbol}").unwrap(),
    );
    let handle = start(server.url(), [a, b]).await;
    journal.begins().await;
    server.publish("a", "1").await;
    journal.message("a", "1").await;
    let stats = handle.shutdown(LONG).await.stats;
    let table = stats.to_string();
    let lines: Vec<_> = table.lines().collect();
    assert!(
        lines[0].starts_with("handler   received  handled"),
        "{table}"
    );
    assert!(
        lines[1].starts_with("a                1        1"),
        "{table}"
    );
    assert!(
        lines[2].starts_with("on_quote         0        0"),
        "{table}"
    );
    let json = serde_json::to_string(&stats).unwrap();
    assert_eq!(serde_json::from_str::<Stats>(&json).unwrap(), stats);
    assert!(
        json.contains(r#""subscriptions":["channels `quotes.{symbol}`"]"#),
        "{json}"
    );
}
