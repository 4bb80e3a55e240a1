//! Resyncs on request: when the gap handler runs, and what waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, SystemTime};

use redis_push::testing::Broker;
use redis_push::{
    Failure, Fault, Gap, GapCause, Handle, Handler, HealthReason, Missed, Mount, Push, Spec,
    Subscription,
};
use tests::{Server, eventually, within};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use crate::support::{Journal, Recorder, new, recorder, start, subscriber};

const LONG: Duration = Duration::from_secs(10);

/// A recorder whose messages say what it does:
///
/// - `resync` requests a resync;
/// - `hold` waits for the gate;
/// - `hold, resync` waits for a gate of its own, then requests a resync.
struct Keeper {
    recorder: Recorder,
    gate: Gate,
    resync_gate: Gate,
    gap_gate: Gate,
    /// Whether the gap handler fails.
    fails: Arc<AtomicBool>,
    /// How often the gap handler was called.
    runs: Arc<AtomicU64>,
}

type Gate = watch::Receiver<bool>;

async fn pass(gate: &Gate) {
    let _ = gate.clone().wait_for(|is_open| *is_open).await;
}

impl Handler<()> for Keeper {
    fn spec(&self) -> Spec {
        self.recorder.spec()
    }

    async fn handle(&self, push: Push<'_>, state: &()) -> Result<(), Fault> {
        match push.payload() {
            b"hold" => pass(&self.gate).await,
            b"hold, resync" => pass(&self.resync_gate).await,
            _ => {}
        }
        if push.payload().ends_with(b"resync") {
            return Err(Fault::resync("a change is missing"));
        }
        self.recorder.handle(push, state).await
    }

    async fn handle_gap(&self, gap: &Gap, state: &()) -> Result<(), Fault> {
        self.runs.fetch_add(1, SeqCst);
        pass(&self.gap_gate).await;
        if self.fails.load(SeqCst) {
            return Err(Fault::failed("the database is away"));
        }
        self.recorder.handle_gap(gap, state).await
    }
}

/// What a test does to a [`Keeper`].
struct Control {
    gate: watch::Sender<bool>,
    resync_gate: watch::Sender<bool>,
    gap_gate: watch::Sender<bool>,
    fails: Arc<AtomicBool>,
    runs: Arc<AtomicU64>,
}

fn spec() -> Spec {
    Spec::new("keeper")
        .on(Subscription::channel("a"))
        .on_gap("reload")
}

fn keeper_of(spec: Spec) -> (Mount<()>, Journal, Control) {
    let (recorder, journal) = new(spec);
    let control = Control {
        gate: watch::Sender::new(false),
        resync_gate: watch::Sender::new(false),
        gap_gate: watch::Sender::new(true),
        fails: Arc::default(),
        runs: Arc::default(),
    };
    let mount = Mount::new(Keeper {
        recorder,
        gate: control.gate.subscribe(),
        resync_gate: control.resync_gate.subscribe(),
        gap_gate: control.gap_gate.subscribe(),
        fails: Arc::clone(&control.fails),
        runs: Arc::clone(&control.runs),
    });
    (mount, journal, control)
}

/// A subscriber with one keeper, which has handled its initial gap.
async fn keeping(server: &Server, spec: Spec) -> (Handle, Journal, Control) {
    let (mount, mut journal, control) = keeper_of(spec);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    within("readiness", handle.ready()).await;
    (handle, journal, control)
}

async fn publish(server: &Server, payloads: &[&str]) {
    for payload in payloads {
        server.publish("a", payload).await;
    }
}

async fn until_stats(handle: &Handle, what: &str, is: impl Fn(&redis_push::HandlerStats) -> bool) {
    eventually(what, async || is(&handle.stats().handlers[0])).await;
}

/// Asserts that the next entry is the gap of a request.
async fn requested(journal: &mut Journal) -> Gap {
    let gap = journal.gap().await;
    assert_eq!(gap.cause, GapCause::Requested, "{gap}");
    assert_eq!(gap.missed, Missed::Exactly(0));
    assert!(gap.since <= gap.until, "{gap}");
    gap
}

fn is_not_synced(handle: &Handle) -> bool {
    let reasons = handle.health().not_ready;
    matches!(&reasons[..], [HealthReason::NotSynced(why)] if why.handler == "keeper" && !why.only_lagged)
}

pub(crate) async fn an_error_that_requests_a_resync_runs_the_gap_handler_before_the_next_message(
    server: Server,
) {
    let (handle, mut journal, control) = keeping(&server, spec()).await;
    let begun = SystemTime::now();
    // The messages after the first one wait together.
    publish(&server, &["hold", "resync", "1", "resync", "resync"]).await;
    until_stats(&handle, "the messages", |counts| counts.received == 5).await;
    control.gate.send_replace(true);
    journal.message("a", "hold").await;
    let gap = requested(&mut journal).await;
    assert!(gap.since <= begun, "all before the first message was there");
    journal.message("a", "1").await;
    requested(&mut journal).await;
    requested(&mut journal).await;
    within("readiness", handle.ready()).await;
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    let counts = &report.stats.handlers[0];
    assert_eq!((counts.handled, counts.failed), (2, 3));
    assert_eq!((counts.gaps, counts.gap_failures), (3, 0));
    assert_eq!(counts.received, counts.accounted());
}

pub(crate) async fn an_idle_handler_resyncs_at_once_when_it_is_requested(server: Server) {
    let (handle, mut journal, control) = keeping(&server, spec()).await;
    for _ in 0..3 {
        handle.resync("keeper").unwrap();
        requested(&mut journal).await;
        within("readiness", handle.ready()).await;
    }
    // The messages go on.
    publish(&server, &["1"]).await;
    journal.message("a", "1").await;
    assert_eq!(handle.stats().handlers[0].gaps, 3);
    control.gap_gate.send_replace(false);
    handle.resync("keeper").unwrap();
    assert!(is_not_synced(&handle), "{}", handle.health());
    assert!(!handle.is_ready());
    control.gap_gate.send_replace(true);
    within("readiness", handle.ready()).await;
    requested(&mut journal).await;
}

pub(crate) async fn a_requested_resync_is_a_change_of_the_health_and_so_is_its_end(server: Server) {
    let (mount, _journal, control) = keeper_of(spec());
    control.gap_gate.send_replace(false);
    let handle = start(server.url(), [mount]).await;
    let mut changes = handle.watch_health();
    let mut until_ready = async |is_ready: bool| {
        within("a change of the health", async {
            while changes.changed().await.unwrap().is_ready() != is_ready {}
        })
        .await;
    };
    control.gap_gate.send_replace(true);
    until_ready(true).await;
    for _ in 0..3 {
        control.gap_gate.send_replace(false);
        handle.resync("keeper").unwrap();
        until_ready(false).await;
        control.gap_gate.send_replace(true);
        until_ready(true).await;
    }
}

pub(crate) async fn pending_requests_are_one_run_and_later_ones_another(server: Server) {
    let (handle, mut journal, control) = keeping(&server, spec()).await;
    publish(&server, &["hold", "1"]).await;
    until_stats(&handle, "the delivery", |counts| {
        counts.running == 1 && counts.received == 2
    })
    .await;
    control.gap_gate.send_replace(false);
    for _ in 0..10 {
        handle.resync("keeper").unwrap();
    }
    control.gate.send_replace(true);
    journal.message("a", "hold").await;
    eventually("the run", async || control.runs.load(SeqCst) == 2).await;
    // What it loads now may be too old for these.
    handle.resync("keeper").unwrap();
    handle.resync("keeper").unwrap();
    control.gap_gate.send_replace(true);
    requested(&mut journal).await;
    requested(&mut journal).await;
    journal.message("a", "1").await;
    within("readiness", handle.ready()).await;
    assert_eq!(handle.stats().handlers[0].gaps, 2);
}

pub(crate) async fn a_requested_resync_that_fails_is_retried_before_the_next_message(
    server: Server,
) {
    let (handle, mut journal, control) = keeping(&server, spec()).await;
    control.fails.store(true, SeqCst);
    publish(&server, &["resync", "1"]).await;
    until_stats(&handle, "two runs", |counts| counts.gap_failures >= 2).await;
    assert!(is_not_synced(&handle), "{}", handle.health());
    assert!(
        handle.health().to_string().contains("the database is away"),
        "{}",
        handle.health()
    );
    until_stats(&handle, "the message to wait", |counts| counts.queued == 1).await;
    // Served by the run that succeeds.
    handle.resync("keeper").unwrap();
    control.fails.store(false, SeqCst);
    requested(&mut journal).await;
    journal.message("a", "1").await;
    within("readiness", handle.ready()).await;
    let counts = &handle.stats().handlers[0];
    assert_eq!((counts.gaps, counts.failed), (1, 1));
}

pub(crate) async fn a_resync_waits_for_running_workers_and_holds_back_the_others(server: Server) {
    let spec = spec().workers(3);
    let (handle, mut journal, control) = keeping(&server, spec).await;
    control.gap_gate.send_replace(false);
    publish(&server, &["hold", "hold"]).await;
    until_stats(&handle, "two deliveries", |counts| counts.running == 2).await;
    // More than the workers' queue has room for, and all of it published at once.
    let mut publisher = server.raw().await;
    let command = |payload: &str| {
        let length = payload.len();
        format!("*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n${length}\r\n{payload}\r\n")
    };
    let commands = command("resync") + &command("later").repeat(30);
    publisher.send(commands.as_bytes()).await;
    until_stats(&handle, "the request", |counts| {
        counts.failed == 1 && counts.received == 33
    })
    .await;
    // Two deliveries hold the gap handler back.
    assert_eq!(handle.stats().handlers[0].gaps, 0);
    control.gate.send_replace(true);
    until_stats(&handle, "the gap handler", |counts| counts.gaps == 1).await;
    let counts = &handle.stats().handlers[0];
    assert_eq!((counts.running, counts.handled, counts.queued), (0, 2, 30));
    journal.message("a", "hold").await;
    journal.message("a", "hold").await;
    control.gap_gate.send_replace(true);
    requested(&mut journal).await;
    for _ in 0..30 {
        journal.message("a", "later").await;
    }
    within("readiness", handle.ready()).await;
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    let counts = &report.stats.handlers[0];
    assert_eq!((counts.handled, counts.failed, counts.gaps), (32, 1, 1));
    assert_eq!(counts.received, counts.accounted());
}

/// The loop waits until all that is queued has been delivered, and the workers wait for the resync.
pub(crate) async fn a_resync_comes_before_a_gap_that_waits_for_the_workers(server: Server) {
    let (handle, mut journal, control) = keeping(&server, spec().workers(2)).await;
    publish(&server, &["hold", "hold, resync", "1", "2"]).await;
    until_stats(&handle, "the deliveries", |counts| {
        counts.running == 2 && counts.received == 4
    })
    .await;
    server.kill_connections().await;
    eventually("the new connection", async || {
        handle.stats().feed.reconnects == 1
    })
    .await;
    eventually("the gap to be due", async || is_not_synced(&handle)).await;
    control.resync_gate.send_replace(true);
    until_stats(&handle, "the request", |counts| counts.failed == 1).await;
    control.gate.send_replace(true);
    journal.message("a", "hold").await;
    requested(&mut journal).await;
    let mut rest = [journal.next().await, journal.next().await].map(|seen| format!("{seen:?}"));
    rest.sort();
    assert_eq!(
        rest,
        [r#"Message("a", "1")"#, r#"Message("a", "2")"#],
        "in any order"
    );
    journal.lost_connection().await;
    within("readiness", handle.ready()).await;
}

pub(crate) async fn a_shutdown_serves_the_requests_of_what_it_delivers(server: Server) {
    for workers in [1, 2] {
        let (handle, mut journal, control) = keeping(&server, spec().workers(workers)).await;
        let payloads = ["hold", "resync", "1", "hold, resync"];
        publish(&server, &payloads).await;
        until_stats(&handle, "the messages", |counts| counts.received == 4).await;
        let (report, ()) = within("the shutdown", async {
            tokio::join!(handle.shutdown(LONG), async {
                within("its beginning", handle.stopping()).await;
                control.resync_gate.send_replace(true);
                control.gate.send_replace(true);
            })
        })
        .await;
        let counts = &report.stats.handlers[0];
        let case = format!("{workers} workers: {report}");
        assert_eq!((counts.handled, counts.failed), (2, 2), "{case}");
        assert_eq!((counts.cancelled, counts.gap_failures), (0, 0), "{case}");
        let gaps = journal.so_far().len() as u64 - counts.handled;
        assert_eq!((counts.gaps, gaps), (2, 2), "{case}");
        // The handler has ended, and the request has no effect.
        handle.resync("keeper").unwrap();
        journal.ends().await;
    }
}

pub(crate) async fn a_paused_handler_resyncs_when_it_is_resumed(server: Server) {
    let (handle, mut journal, _control) = keeping(&server, spec()).await;
    handle.pause("keeper").unwrap();
    handle.resync("keeper").unwrap();
    publish(&server, &["1"]).await;
    until_stats(&handle, "the message", |counts| counts.received == 1).await;
    assert!(is_not_synced(&handle), "{}", handle.health());
    assert_eq!(journal.so_far(), []);
    handle.resume("keeper").unwrap();
    requested(&mut journal).await;
    journal.message("a", "1").await;
    within("readiness", handle.ready()).await;
    // A shutdown ends a pause without a run.
    handle.pause("keeper").unwrap();
    handle.resync("keeper").unwrap();
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    assert_eq!(report.stats.handlers[0].gaps, 1);
    journal.ends().await;
}

pub(crate) async fn a_resync_is_served_during_an_outage(server: Server) {
    let (handle, mut journal, _control) = keeping(&server, spec()).await;
    server.stop().await;
    eventually("the outage", async || !handle.is_ready()).await;
    handle.resync("keeper").unwrap();
    requested(&mut journal).await;
    server.start_again().await;
    journal.lost_connection().await;
    within("readiness", handle.ready()).await;
}

pub(crate) async fn the_initial_gap_serves_the_requests_before_it(broker: Broker) {
    broker.refuse(true);
    let (mount, mut journal, _control) = keeper_of(spec());
    let handle = subscriber(broker.url()).handlers([mount]).spawn().unwrap();
    handle.resync("keeper").unwrap();
    broker.refuse(false);
    within("readiness", handle.ready()).await;
    journal.begins().await;
    broker.publish("a", "1");
    journal.message("a", "1").await;
    assert_eq!(handle.stats().handlers[0].gaps, 0);
}

pub(crate) async fn a_handler_without_a_gap_handler_cannot_resync(server: Server) {
    let (told, mut failures) = unbounded_channel();
    let (mount, mut journal, _control) =
        keeper_of(Spec::new("plain").on(Subscription::channel("a")));
    let (other, _) = recorder("other", Subscription::channel("b"));
    let starting = subscriber(server.url())
        .handlers([mount, other])
        .on_failure(move |failure: Failure| {
            let _ = told.send(failure.reason());
            async {}
        })
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    let error = handle.resync("plain").unwrap_err();
    assert!(error.is_config(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("`plain`") && text.contains("`on_gap`"),
        "{text}"
    );
    let error = handle.resync("nobody").unwrap_err();
    assert!(error.is_config() && error.to_string().contains("`nobody`"));
    publish(&server, &["resync", "1"]).await;
    let reason = within("the failure", failures.recv()).await.unwrap();
    assert!(
        reason.contains("`on_gap`") && reason.ends_with("resync requested: a change is missing"),
        "{reason}"
    );
    journal.message("a", "1").await;
    assert!(handle.is_ready(), "{}", handle.health());
    let counts = &handle.stats().handlers[0];
    assert_eq!((counts.failed, counts.gaps), (1, 0));
}
