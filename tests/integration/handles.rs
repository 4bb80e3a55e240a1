//! The handle of a running subscriber: its clones, and what others learn of its end.

use std::time::Duration;

use redis_push::testing::Broker;
use redis_push::{Handle, HealthReason, Spec, Subscription};
use tests::{Server, eventually, overheard, within};
use tokio::sync::{oneshot, watch};

use crate::gated::gated;
use crate::support::{Journal, recorder, start, subscriber};

const LONG: Duration = Duration::from_secs(10);

async fn recording(server: &Server) -> (Handle, Journal) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    (handle, journal)
}

/// A handler that holds its first delivery until the gate opens.
async fn holding(server: &Server) -> (Handle, Journal, watch::Sender<bool>) {
    let (gate, closed) = watch::channel(false);
    let (mount, mut journal) = gated(Spec::new("a").on(Subscription::channel("a")), closed);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    server.publish("a", "1").await;
    eventually("the delivery", async || {
        handle.stats().handlers[0].running == 1
    })
    .await;
    (handle, journal, gate)
}

/// A future as `axum::serve(..).with_graceful_shutdown(..)` takes it, on a task of its own.
fn serve_until<F>(signal: F) -> tokio::task::JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(signal)
}

pub(crate) async fn a_subscriber_ends_with_the_last_clone_of_its_handle(server: Server) {
    let (first, mut journal) = recording(&server).await;
    let second = first.clone();
    drop(first);
    server.publish("a", "1").await;
    journal.message("a", "1").await;
    assert!(second.is_ready());
    let third = second.clone();
    third.pause("a").unwrap();
    assert!(second.stats().handlers[0].is_paused);
    second.resume("a").unwrap();
    drop(second);
    server.publish("a", "2").await;
    journal.message("a", "2").await;
    drop(third);
    journal.ends().await;
    server.wait_for_subscribers_of("a", 0).await;
}

pub(crate) async fn the_last_handle_may_be_dropped_on_a_plain_thread(server: Server) {
    let (handle, mut journal) = recording(&server).await;
    let (stopping, stopped) = (handle.stopping(), handle.stopped());
    let weak = handle.downgrade();
    std::thread::spawn(move || drop(handle)).join().unwrap();
    assert!(weak.upgrade().is_none());
    within("the beginning of the end", stopping).await;
    within("the end", stopped).await;
    journal.ends().await;
    server.wait_for_subscribers_of("a", 0).await;
}

pub(crate) async fn a_weak_handle_does_not_keep_the_subscriber_alive(server: Server) {
    let (handle, mut journal) = recording(&server).await;
    let weak = handle.downgrade();
    let again = weak.upgrade().unwrap();
    drop(handle);
    server.publish("a", "1").await;
    journal.message("a", "1").await;
    assert!(again.is_ready());
    drop(again);
    assert!(weak.clone().upgrade().is_none());
    journal.ends().await;
}

pub(crate) async fn a_spawned_subscriber_connects_when_its_server_is_there(broker: Broker) {
    overheard::listen();
    let name = format!("spawned_{}", fastrand::u64(..));
    broker.refuse(true);
    let (mount, mut journal) = recorder("a", Subscription::channel(name.clone()));
    // For `start` this would be an error at once.
    broker.deny(&name);
    let spawning = subscriber(broker.url()).start_deadline(Duration::ZERO);
    let handle = spawning.handlers([mount]).spawn().unwrap();
    eventually("the first error", async || {
        let reasons = handle.health().not_ready;
        matches!(
            &reasons[..],
            [HealthReason::NotConnected { error: Some(_) }]
        )
    })
    .await;
    assert!(handle.health().is_live());
    broker.refuse(false);
    eventually("the denial", async || {
        handle.health().to_string().contains(&name)
    })
    .await;
    broker.allow(&name);
    within("readiness", handle.ready()).await;
    journal.begins().await;
    broker.publish(&name, "1");
    journal.message(&name, "1").await;
}

pub(crate) async fn a_spawned_subscriber_logs_what_is_subscribed(server: Server) {
    overheard::listen();
    let name = format!("logged_{}", fastrand::u64(..));
    let (mount, _journal) = recorder("a", Subscription::channel(name.clone()));
    let handle = subscriber(server.url()).handlers([mount]).spawn().unwrap();
    let line = format!("subscribed to 1 channel: `{name}`");
    eventually("the line", async || {
        !overheard::lines_with(&line).is_empty()
    })
    .await;
    within("readiness", handle.ready()).await;
    server.kill_connections().await;
    eventually("the reconnect", async || handle.stats().feed.reconnects > 0).await;
    within("readiness", handle.ready()).await;
    assert_eq!(overheard::lines_with(&line).len(), 1);
}

pub(crate) async fn a_spawn_reports_a_mistake_at_once() {
    let (mount, _journal) = recorder("a", Subscription::channel("a"));
    let error = subscriber("http://127.0.0.1/").handlers([mount]).spawn();
    assert!(error.unwrap_err().is_config());
}

pub(crate) async fn a_subscriber_without_handlers_is_ready_when_it_is_connected(server: Server) {
    let handle = start(server.url(), []).await;
    assert!(handle.is_ready(), "{}", handle.health());
    assert!(handle.wiring().handlers.is_empty());
    assert!(handle.pause("a").unwrap_err().is_config());
    server.stop().await;
    eventually("the outage", async || !handle.is_ready()).await;
    let reasons = handle.health().not_ready;
    assert!(
        matches!(reasons[..], [HealthReason::NotConnected { .. }]),
        "{reasons:?}"
    );
    server.start_again().await;
    within("readiness", handle.ready()).await;
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    assert!(report.stats.handlers.is_empty());
    assert_eq!(report.stats.feed.reconnects, 1);
}

pub(crate) async fn a_subscriber_without_handlers_says_why_it_does_not_start(server: Server) {
    server.set_password(Some("right")).await;
    let starting = subscriber(server.url()).start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert!(!error.to_string().contains("subscriptions"), "{error}");
}

pub(crate) async fn run_until_of_a_handle_drains_and_keeps_the_handle(server: Server) {
    let (handle, mut journal, gate) = holding(&server).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let (report, ()) = within("the run", async {
        tokio::join!(handle.run_until(async { stopped.await.unwrap() }), async {
            stop.send(()).unwrap();
            within("the shutdown to begin", handle.stopping()).await;
            gate.send_replace(true);
        })
    })
    .await;
    assert_eq!(report.stats.handlers[0].handled, 1);
    journal.message("a", "1").await;
    assert_eq!(handle.stats(), report.stats);
    assert_eq!(handle.shutdown(LONG).await, report);
    server.wait_for_subscribers_of("a", 0).await;
}

pub(crate) async fn run_until_ends_with_the_shutdown_of_another_clone(server: Server) {
    let (handle, _journal) = recording(&server).await;
    let clone = handle.clone();
    let never = std::future::pending();
    let running = tokio::spawn(async move { clone.run_until(never).await });
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    assert_eq!(within("the run", running).await.unwrap(), report);
}

pub(crate) async fn shutdowns_of_several_clones_return_one_report(server: Server) {
    let (handle, mut journal, gate) = holding(&server).await;
    let shutdowns: Vec<_> = (0..5)
        .map(|_| {
            let clone = handle.clone();
            tokio::spawn(async move { clone.shutdown(LONG).await })
        })
        .collect();
    within("the shutdown to begin", handle.stopping()).await;
    // The shutdowns have clones of their own.
    drop(handle);
    gate.send_replace(true);
    let mut reports = Vec::new();
    for shutdown in shutdowns {
        reports.push(within("the shutdown", shutdown).await.unwrap());
    }
    assert_eq!(reports[0].stats.handlers[0].handled, 1);
    assert!(reports.iter().all(|report| *report == reports[0]));
    journal.message("a", "1").await;
    journal.ends().await;
}

pub(crate) async fn others_can_wait_for_the_beginning_and_the_end_of_a_shutdown(server: Server) {
    let (handle, _journal, gate) = holding(&server).await;
    let serving = serve_until(handle.stopping());
    let flushing = serve_until(handle.stopped());
    let clone = handle.clone();
    let shutdown = tokio::spawn(async move { clone.shutdown(LONG).await });
    within("the beginning", serving).await.unwrap();
    assert!(!flushing.is_finished(), "a delivery is under way");
    gate.send_replace(true);
    within("the end", flushing).await.unwrap();
    let report = within("the report", shutdown).await.unwrap();
    assert_eq!(handle.stats(), report.stats);
    // Later ones resolve at once.
    within("the beginning", serve_until(handle.stopping()))
        .await
        .unwrap();
    within("the end", serve_until(handle.stopped()))
        .await
        .unwrap();
}
