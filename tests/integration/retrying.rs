//! The policies `retry` and `on_error`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use redis_push::{
    Failure, FailureKind, Fault, Gap, GapCause, Handle, Handler, Mount, OnError, Push, Rejection,
    Retry, Spec, Stats, Subscription,
};
use tests::{Server, eventually, within};
use tokio::sync::mpsc;

use crate::support::{Journal, Recorder, new, start, subscriber};

const LONG: Duration = Duration::from_secs(10);

/// A recorder whose messages say how they end:
///
/// - `fail 2` fails twice, then succeeds;
/// - `hang 2` takes longer than its timeout twice;
/// - `reject`, `resync` and `panic` do what they say.
struct Flaky {
    recorder: Recorder,
    /// Calls of the current message.
    calls: Arc<AtomicU64>,
}

impl Handler<()> for Flaky {
    fn spec(&self) -> Spec {
        self.recorder.spec()
    }

    async fn handle(&self, push: Push<'_>, state: &()) -> Result<(), Fault> {
        let call = self.calls.fetch_add(1, SeqCst) + 1;
        let text = str::from_utf8(push.payload()).unwrap();
        let (verb, count) = text.split_once(' ').unwrap_or((text, "0"));
        let is_early = call <= count.parse::<u64>().unwrap();
        match verb {
            "fail" if is_early => return Err(Fault::failed(format!("attempt {call}"))),
            "hang" if is_early => std::future::pending().await,
            "reject" => return Err(Rejection::new("asked to reject").into()),
            "resync" => return Err(Fault::resync("a change is missing")),
            _ => {}
        }
        self.calls.store(0, SeqCst);
        self.recorder.handle(push, state).await
    }

    async fn handle_gap(&self, gap: &Gap, state: &()) -> Result<(), Fault> {
        self.calls.store(0, SeqCst);
        self.recorder.handle_gap(gap, state).await
    }
}

fn spec() -> Spec {
    Spec::new("flaky")
        .on(Subscription::channel("a"))
        .on_gap("recorded")
}

fn quick(times: u32) -> Retry {
    Retry::times(times).delay(Duration::from_millis(1))
}

fn flaky(spec: Spec) -> (Mount<()>, Journal, Arc<AtomicU64>) {
    let (recorder, journal) = new(spec);
    let calls = Arc::<AtomicU64>::default();
    let mount = Mount::new(Flaky {
        recorder,
        calls: Arc::clone(&calls),
    });
    (mount, journal, calls)
}

async fn ends(handle: Handle) -> Stats {
    let stats = within("the shutdown", handle.shutdown(LONG)).await.stats;
    for counts in &stats.handlers {
        assert_eq!(counts.received, counts.accounted(), "{stats}");
    }
    stats
}

pub(crate) async fn a_delivery_that_fails_is_repeated_before_the_next_one(server: Server) {
    let (mount, mut journal, _) = flaky(spec().retry(quick(3)));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for payload in ["fail 2", "next", "fail 3", "last"] {
        server.publish("a", payload).await;
    }
    for payload in ["fail 2", "next", "fail 3", "last"] {
        journal.message("a", payload).await;
    }
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    // Each counts once, and the repetitions beside it.
    let ended = (
        counts.received,
        counts.handled,
        counts.failed,
        counts.retries,
    );
    assert_eq!(ended, (4, 4, 0, 5), "{stats}");
    assert!(stats.to_string().contains("retries"), "{stats}");
}

pub(crate) async fn the_last_attempt_is_the_one_that_counts(server: Server) {
    let (sender, mut failures) = mpsc::unbounded_channel::<Failure>();
    let (mount, mut journal, calls) = flaky(spec());
    let starting = subscriber(server.url())
        .handlers([mount.retry(quick(2))])
        .on_failure(move |failure| {
            let _ = sender.send(failure);
            async {}
        })
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    server.publish("a", "fail 9").await;
    let failure = within("a failure", failures.recv()).await.unwrap();
    assert_eq!(failure.kind(), FailureKind::Failed);
    assert_eq!(failure.reason(), "attempt 3");
    calls.store(0, SeqCst);
    server.publish("a", "next").await;
    journal.message("a", "next").await;
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    assert_eq!((counts.handled, counts.failed, counts.retries), (1, 1, 2));
    assert!(failures.try_recv().is_err(), "one delivery is one failure");
}

pub(crate) async fn each_attempt_has_the_whole_timeout(server: Server) {
    let spec = spec().retry(quick(2)).timeout(Duration::from_millis(50));
    let (mount, mut journal, calls) = flaky(spec);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    server.publish("a", "hang 2").await;
    journal.message("a", "hang 2").await;
    server.publish("a", "hang 9").await;
    eventually("the last timeout", async || {
        handle.stats().handlers[0].timed_out == 1
    })
    .await;
    calls.store(0, SeqCst);
    server.publish("a", "next").await;
    journal.message("a", "next").await;
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    assert_eq!(
        (counts.handled, counts.timed_out, counts.retries),
        (2, 1, 4)
    );
}

pub(crate) async fn what_would_fail_again_is_not_repeated(server: Server) {
    let (mount, mut journal, calls) = flaky(spec().retry(quick(5)));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for payload in ["reject", "panic", "resync", "next"] {
        server.publish("a", payload).await;
    }
    // After a request for a resync, the gap handler comes first.
    assert_eq!(journal.gap().await.cause, GapCause::Requested);
    journal.message("a", "next").await;
    assert_eq!(calls.load(SeqCst), 0);
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    let ended = (
        counts.rejected,
        counts.panicked,
        counts.failed,
        counts.retries,
    );
    assert_eq!(ended, (1, 1, 1, 0), "{stats}");
}

pub(crate) async fn a_shutdown_ends_the_attempts_at_its_deadline(server: Server) {
    let endless = Retry::times(u32::MAX).delay(Duration::from_secs(3_600));
    for workers in [1, 2] {
        let (mount, mut journal, _) = flaky(spec().workers(workers).retry(endless));
        let handle = start(server.url(), [mount]).await;
        journal.begins().await;
        server.publish("a", "fail 9").await;
        server.publish("a", "waits").await;
        eventually("a delivery that waits", async || {
            let counts = &handle.stats().handlers[0];
            counts.running == 1 && counts.received == 2
        })
        .await;
        let deadline = Duration::from_millis(50);
        let report = within("the shutdown", handle.shutdown(deadline)).await;
        let counts = &report.stats.handlers[0];
        assert_eq!(counts.received, counts.accounted(), "{}", report.stats);
        assert_eq!((counts.queued, counts.running), (0, 0), "{}", report.stats);
    }
}

pub(crate) async fn workers_keep_the_order_of_a_key_while_one_is_repeated(server: Server) {
    let slow = Retry::times(1).delay(Duration::from_millis(200));
    let spec = Spec::new("keys")
        .on(Subscription::template("orders.{key}").unwrap())
        .workers(2)
        .ordered_by("key")
        .retry(slow);
    let (mount, mut journal) = failing_once(spec);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    server.publish("orders.x", "fails once").await;
    server.publish("orders.x", "second").await;
    journal.message("orders.x", "fails once").await;
    journal.message("orders.x", "second").await;
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    assert_eq!((counts.handled, counts.retries), (2, 1), "{stats}");
}

/// A recorder that fails on its first call.
fn failing_once(spec: Spec) -> (Mount<()>, Journal) {
    struct FailingOnce(Recorder, AtomicU64);

    impl Handler<()> for FailingOnce {
        fn spec(&self) -> Spec {
            self.0.spec()
        }

        async fn handle(&self, push: Push<'_>, state: &()) -> Result<(), Fault> {
            match self.1.fetch_add(1, SeqCst) {
                0 => Err(Fault::failed("the first call")),
                _ => self.0.handle(push, state).await,
            }
        }

        async fn handle_gap(&self, gap: &Gap, state: &()) -> Result<(), Fault> {
            self.0.handle_gap(gap, state).await
        }
    }

    let (recorder, journal) = new(spec);
    (
        Mount::new(FailingOnce(recorder, AtomicU64::new(0))),
        journal,
    )
}

pub(crate) async fn every_failure_of_a_handler_may_request_a_resync(server: Server) {
    let spec = spec()
        .on_error(OnError::Resync)
        .timeout(Duration::from_millis(50));
    for workers in [1, 2] {
        let (mount, mut journal, calls) = flaky(spec.clone().workers(workers));
        let handle = start(server.url(), [mount]).await;
        journal.begins().await;
        for payload in ["fail 1", "hang 1", "reject", "panic"] {
            server.publish("a", payload).await;
            let gap = journal.gap().await;
            assert_eq!(gap.cause, GapCause::Requested, "{payload}");
            server.publish("a", "after").await;
            journal.message("a", "after").await;
            calls.store(0, SeqCst);
        }
        within("readiness", handle.ready()).await;
        let stats = ends(handle).await;
        let counts = &stats.handlers[0];
        let ended = (
            counts.failed,
            counts.timed_out,
            counts.rejected,
            counts.panicked,
        );
        assert_eq!((ended, counts.gaps), ((1, 1, 1, 1), 4), "{stats}");
        server.wait_for_subscribers_of("a", 0).await;
    }
}

pub(crate) async fn a_resync_comes_after_the_last_attempt(server: Server) {
    let spec = spec().on_error(OnError::Resync).retry(quick(2));
    let (mount, mut journal, _) = flaky(spec);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    server.publish("a", "fail 2").await;
    journal.message("a", "fail 2").await;
    server.publish("a", "fail 3").await;
    assert_eq!(journal.gap().await.cause, GapCause::Requested);
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    assert_eq!((counts.handled, counts.failed, counts.retries), (1, 1, 4));
}

pub(crate) async fn a_resync_without_a_gap_handler_is_refused() {
    let spec = Spec::new("forgetful")
        .on(Subscription::channel("a"))
        .on_error(OnError::Resync);
    let (mount, ..) = flaky(spec);
    let starting = subscriber("redis://127.0.0.1:1/").handlers([mount]).start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(error.is_config());
    let text = error.to_string();
    assert!(text.contains("`forgetful`: `on_error"), "{text}");
}
