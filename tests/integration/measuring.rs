//! The counts as metrics.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use redis_push::{Overflow, PushMessage, Spec, Stats, Subscription, handlers, push_handler};
use tests::{Server, eventually, within};
use tokio::sync::watch;

use crate::gated::gated;
use crate::support::{recorder, recorder_of, start, subscriber};

#[derive(PushMessage)]
#[push(channel = "metered.{room*}")]
struct Said {
    room: String,
    text: String,
}

#[push_handler]
async fn on_said(said: Said) {
    assert!(said.text != "panic", "asked to panic in {}", said.room);
}

/// Returns the value of the series of a handler, with more labels.
fn series(stats: &Stats, metric: &str, handler: &str, more: &str) -> Option<f64> {
    let text = stats.to_openmetrics();
    let mut lines = text.lines().filter(|line| line.starts_with(metric));
    let line = lines
        .find(|line| line.contains(&format!("handler=\"{handler}\"")) && line.contains(more))?;
    line.rsplit(' ').next()?.parse().ok()
}

pub(crate) async fn every_series_is_there_from_the_start_and_names_no_channel(server: Server) {
    let url = server.url();
    let subscriber = subscriber(url).handlers(handlers![on_said]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    let begun = handle.stats();
    for (metric, more) in [
        ("redis_push_received_total", ""),
        ("redis_push_dropped_total", ""),
        ("redis_push_gaps_total", r#"cause="lagged""#),
        ("redis_push_gaps_total", r#"cause="connection_lost""#),
        ("redis_push_queue_age_seconds", ""),
        (
            "messaging_client_consumed_messages_total",
            r#"error_type="panicked""#,
        ),
    ] {
        let value = series(&begun, metric, "on_said", more);
        assert_eq!(value, Some(0.0), "{metric} {more}");
    }
    // Names as a service has them from its users.
    let secret = "ann@example.org";
    let stream = handle.subscribe(Said::at(secret)).into_future();
    let stream = within("the confirmation", stream).await.unwrap();
    let (by_name, mut journal) = recorder("by_name", Subscription::channel("unused"));
    let mount = by_name.on(Subscription::channel(format!("raw.{secret}")));
    let guard = within("the mount", handle.mount([mount])).await.unwrap();
    journal.begins().await;
    server
        .publish(&format!("metered.{secret}"), r#"{"text":"hello"}"#)
        .await;
    eventually("the message", async || {
        let stats = handle.stats();
        series(&stats, "messaging_client_consumed", "on_said", "process") == Some(1.0)
    })
    .await;
    let text = handle.stats().to_openmetrics();
    assert!(
        text.contains(r#"{handler="on_said",messaging_destination_template="metered.{room*}"}"#)
    );
    assert!(text.contains(r#"messaging_destination_template="channel by name"}"#));
    assert!(!text.contains(secret), "{text}");
    let is_ready = async || {
        handle
            .stats()
            .to_openmetrics()
            .contains("redis_push_ready 1\n")
    };
    eventually("the readiness", is_ready).await;
    drop((stream, guard));
}

pub(crate) async fn the_age_of_the_oldest_message_grows_while_the_handler_is_stuck(server: Server) {
    let (open, gate) = watch::channel(false);
    let (mount, mut journal) = gated(Spec::new("stuck").on(Subscription::channel("a")), gate);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    assert_eq!(handle.stats().handlers[0].queue_age, None);
    for number in 0..3 {
        server.publish("a", &number.to_string()).await;
    }
    let waits_for = |age| {
        let handle = &handle;
        eventually("the age", async move || {
            handle.stats().handlers[0]
                .queue_age
                .is_some_and(|waited| waited > age)
        })
    };
    waits_for(Duration::ZERO).await;
    let age = handle.stats().handlers[0].queue_age.unwrap();
    waits_for(age + Duration::from_millis(20)).await;
    open.send_replace(true);
    eventually("the rest", async || {
        let stats = handle.stats();
        stats.handlers[0].handled == 3 && stats.handlers[0].queue_age.is_none()
    })
    .await;
}

pub(crate) async fn gaps_are_counted_by_their_causes(server: Server) {
    let (open, gate) = watch::channel(false);
    let spec = Spec::new("slow").on(Subscription::channel("a")).buffer(1);
    let (mount, mut journal) = gated(spec.overflow(Overflow::DropOldest), gate);
    let (steady, mut steady_journal) = recorder_of(
        Spec::new("steady")
            .on(Subscription::channel("b"))
            .on_gap("resync"),
    );
    let handle = start(server.url(), [mount, steady]).await;
    journal.begins().await;
    steady_journal.begins().await;
    server.kill_connections().await;
    journal.lost_connection().await;
    steady_journal.lost_connection().await;
    within("the connection", handle.ready()).await;
    handle.resync("steady").unwrap();
    steady_journal.gap().await;
    for number in 0..50 {
        server.publish("a", &number.to_string()).await;
    }
    eventually("the loss", async || handle.stats().handlers[0].dropped > 0).await;
    open.send_replace(true);
    eventually("the gap", async || {
        handle.stats().handlers[0].gap_causes.lagged > 0
    })
    .await;
    let stats = handle.stats();
    let [slow, steady] = &stats.handlers[..] else {
        panic!("two handlers")
    };
    assert_eq!(slow.gap_causes.connection_lost, 1);
    assert_eq!(slow.gaps, slow.gap_causes.total());
    let steady = steady.gap_causes;
    assert_eq!((steady.connection_lost, steady.requested), (1, 1));
    assert_eq!(steady.total(), 2);
}

pub(crate) async fn no_counter_falls_when_handlers_come_and_go(server: Server) {
    let handle = start(server.url(), []).await;
    let count = || series(&handle.stats(), "redis_push_received_total", "late", "");
    let mut so_far = 0.0;
    for round in 0..3 {
        let (mount, mut journal) = recorder("late", Subscription::channel("unused"));
        let mount = mount.on(Subscription::channel(format!("room.{round}")));
        let guard = within("the mount", handle.mount([mount])).await.unwrap();
        journal.begins().await;
        assert_eq!(count(), Some(so_far));
        server.publish(&format!("room.{round}"), "hello").await;
        journal.message(&format!("room.{round}"), "hello").await;
        so_far += 1.0;
        assert_eq!(count(), Some(so_far));
        within("the end", guard.unmount()).await;
        assert_eq!(count(), Some(so_far));
    }
}

/// The checker of Prometheus. Without it the test passes, unless `REQUIRE_PROMETHEUS` is 1.
pub(crate) async fn the_checker_of_prometheus_accepts_the_metrics(server: Server) {
    let subscriber = subscriber(server.url()).timings();
    let subscriber = subscriber.handlers(handlers![on_said]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    let stream = handle.subscribe(Said::at("x")).into_future();
    let _stream = within("the confirmation", stream).await.unwrap();
    let mut checker = Command::new("promtool");
    checker.args(["check", "metrics"]).stdin(Stdio::piped());
    let Ok(mut checker) = checker
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        let is_required = std::env::var("REQUIRE_PROMETHEUS").is_ok_and(|value| value == "1");
        assert!(
            !is_required,
            "no promtool on PATH (on Debian, install prometheus)"
        );
        return;
    };
    let mut stdin = checker.stdin.take().unwrap();
    stdin
        .write_all(handle.stats().to_prometheus().as_bytes())
        .unwrap();
    drop(stdin);
    let output = checker.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
