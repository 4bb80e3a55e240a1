//! Liveness, readiness, and the reasons of `Handle::health`.

use std::process::Stdio;
use std::time::Duration;

use redis_push::{Health, HealthChanges, HealthReason, Spec, Subscription};
use tests::{Server, eventually, within};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

use crate::gated::{gap_gated, gated};
use crate::support::{is_wire, recorder, start};

const LONG: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_millis(100);

/// Waits for the next health that satisfies the condition.
async fn next(changes: &mut HealthChanges, what: &str, wanted: impl Fn(&Health) -> bool) -> Health {
    within(what, async {
        loop {
            let health = changes.changed().await.expect("the subscriber is running");
            if wanted(&health) {
                return health;
            }
        }
    })
    .await
}

pub(crate) async fn a_required_handler_that_stalls_is_named_and_the_others_continue(
    server: Server,
) {
    let (gate, gated_by) = watch::channel(false);
    let stuck = |name: &'static str| {
        let spec = Spec::new(name).on(Subscription::channel(name));
        gated(spec.stall_limit(LIMIT), gated_by.clone()).0
    };
    let (other, mut journal) = recorder("other", Subscription::channel("other"));
    let mounts = [stuck("vital").required(), stuck("optional"), other];
    let handle = start(server.url(), mounts).await;
    journal.begins().await;
    let mut changes = handle.watch_health();

    server.publish("optional", "1").await;
    let stalls = |health: &Health| !health.stalled.is_empty();
    let health = next(&mut changes, "the stall", stalls).await;
    assert!(health.is_ready(), "{health}");
    assert_eq!(health.stalled[0].handler, "optional");
    assert!(health.stalled[0].running_for >= LIMIT);

    server.publish("vital", "1").await;
    let health = next(&mut changes, "no readiness", |health| !health.is_ready()).await;
    assert!(
        matches!(&health.not_ready[..], [HealthReason::Stalled(stall)] if stall.handler == "vital"),
        "{health}"
    );
    assert!(health.is_live(), "{health}");
    assert!(!handle.is_ready());
    server.publish("other", "1").await;
    journal.message("other", "1").await;

    gate.send_replace(true);
    within("ready again", handle.ready()).await;
    let well = |health: &Health| health.is_ready() && health.stalled.is_empty();
    next(&mut changes, "both to come back", well).await;
    let stats = handle.stats();
    let stalls = stats.handlers.iter().map(|handler| handler.stalls);
    assert_eq!(stalls.collect::<Vec<_>>(), [1, 1, 0]);
}

pub(crate) async fn a_stalled_gap_handler_is_named(server: Server) {
    let spec = Spec::new("resync").on(Subscription::channel("a"));
    let (mount, mut journal, gate) = gap_gated(spec.stall_limit(LIMIT).required());
    let handle = start(server.url(), [mount]).await;
    eventually("the stall", async || !handle.is_ready()).await;
    let text = handle.health().to_string();
    assert!(
        text.contains("required handler `resync` has not returned"),
        "{text}"
    );
    gate.send_replace(true);
    journal.begins().await;
    within("ready again", handle.ready()).await;
}

pub(crate) async fn an_outage_and_a_shutdown_are_reported_with_their_reasons(server: Server) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    let mut changes = handle.watch_health();
    assert_eq!(handle.health().to_string(), "live, ready");
    server.stop().await;
    let health = next(&mut changes, "the outage", |health| !health.is_ready()).await;
    assert!(health.is_live(), "{health}");
    let connects = |health: &Health| {
        let text = health.to_string();
        matches!(health.not_ready[..], [HealthReason::NotConnected { .. }])
            && text.contains("no server answers")
    };
    // A receiver on a busy machine may find both changes at once.
    if !connects(&health) {
        next(&mut changes, "the refused connection", connects).await;
    }
    server.start_again().await;
    within("ready again", handle.ready()).await;
    if !changes.get().is_ready() {
        next(&mut changes, "ready again", Health::is_ready).await;
    }
    assert!(changes.get().is_ready());

    within("the shutdown", handle.shutdown(LONG)).await;
    assert_eq!(handle.health().not_ready, [HealthReason::ShuttingDown]);
    assert!(handle.health().is_live());
    within("the end of the changes", async {
        while changes.changed().await.is_some() {}
    })
    .await;
    within("no more readiness", handle.ready()).await;
    assert!(!handle.is_ready());
}

pub(crate) async fn a_denied_name_is_a_reason_not_to_be_ready(server: Server) {
    let (fine, _journal) = recorder("fine", Subscription::channel("fine"));
    let (secret, _journal) = recorder("secret", Subscription::channel("secret"));
    let handle = start(server.url(), [fine, secret]).await;
    let mut changes = handle.watch_health();
    server.deny("secret").await;
    server.kill_connections().await;
    let denies = |health: &Health| match &health.not_ready[..] {
        [HealthReason::NotConfirmed { missing, total: 2 }] => {
            missing.len() == 1 && missing[0].denied.is_some()
        }
        _ => false,
    };
    let health = next(&mut changes, "the denial", denies).await;
    let text = health.to_string();
    let expected = "1 of 2 subscriptions not confirmed: channel `secret` (NOPERM";
    assert!(text.contains(expected), "{text}");
    server.allow("secret").await;
    within("ready again", handle.ready()).await;
}

/// Starts the program `deaf` of this package, and waits until it is ready.
async fn process(url: &str, how: &str) -> (Child, Lines) {
    let link = if is_wire() { "wire" } else { "manager" };
    let mut child = Command::new(env!("CARGO_BIN_EXE_deaf"))
        .args([url, how, link])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    says(&mut lines, "ready").await;
    (child, lines)
}

type Lines = tokio::io::Lines<BufReader<ChildStdout>>;

async fn says(lines: &mut Lines, what: &str) {
    let line = within(what, lines.next_line()).await;
    assert_eq!(line.unwrap().as_deref(), Some(what));
}

async fn end(child: Child) -> (Option<i32>, String) {
    let output = tokio::time::timeout(3 * LONG, child.wait_with_output());
    let output = output.await.expect("the process ends").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

pub(crate) async fn a_deaf_process_ends_with_its_exit_code(server: Server) {
    let (child, _lines) = process(&server.url(), "stay").await;
    server.stop().await;
    let (code, said) = end(child).await;
    assert_eq!(code, Some(redis_push::Subscriber::DEAF_EXIT_CODE), "{said}");
    assert!(said.contains("not connected"), "{said}");
}

pub(crate) async fn a_deaf_process_may_finish_its_shutdown(server: Server) {
    let (mut child, mut lines) = process(&server.url(), "shut down").await;
    server.publish("a", "1").await;
    says(&mut lines, "stuck").await;
    // The end of its input starts the shutdown, which its stuck handler prolongs.
    drop(child.stdin.take());
    server.stop().await;
    let (code, said) = end(child).await;
    assert_eq!(code, Some(0), "{said}");
}

pub(crate) async fn a_process_whose_runtime_is_blocked_ends_with_its_exit_code() {
    let broker = redis_push::testing::Broker::start().await.unwrap();
    let (child, mut lines) = process(&broker.url(), "block").await;
    broker.publish("a", "1");
    says(&mut lines, "stuck").await;
    let (code, said) = end(child).await;
    assert_eq!(code, Some(redis_push::Subscriber::DEAF_EXIT_CODE), "{said}");
    assert!(said.contains("has not run for"), "{said}");
}
