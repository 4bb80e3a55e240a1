//! Failed deliveries, and the hooks and sinks that receive them.

use std::time::Duration;

use redis_push::{
    Failure, FailureKind, FailureSink, Fault, Handle, Handler, Mount, Push, Rejection,
};
use redis_push::{FailureHook, Spec, Subscription};
use tests::{RealServer, Server, eventually, within};
use tokio::sync::{mpsc, watch};

use crate::support::{over_the_manager, subscriber};

const LONG: Duration = Duration::from_secs(10);

/// Fails as each payload requests.
struct Failing;

impl Handler<()> for Failing {
    fn spec(&self) -> Spec {
        Spec::new("failing").on(Subscription::channel("a"))
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        match push.payload() {
            b"panic" => panic!("asked to panic"),
            b"reject" => Err(Rejection::new("asked to reject").into()),
            b"fine" => Ok(()),
            _ => Err(Fault::failed(std::io::Error::other("asked to fail"))),
        }
    }
}

async fn failing(server: &Server, hook: impl FailureHook) -> Handle {
    let starting = subscriber(server.url())
        .handlers([Mount::new(Failing)])
        .on_failure(hook)
        .start();
    within("the start", starting).await.unwrap()
}

async fn handled(handle: &Handle, deliveries: u64) {
    eventually("the deliveries", async || {
        handle.stats().handlers[0].delivered() == deliveries
    })
    .await;
}

pub(crate) async fn every_failure_is_reported_with_its_push_and_its_reason(server: Server) {
    let (sender, mut reported) = mpsc::unbounded_channel();
    let handle = failing(&server, move |failure: Failure| {
        let sent = sender.send(failure).map_err(|_| std::fmt::Error);
        async move { sent }
    })
    .await;
    for payload in ["reject", "fine", "panic", "fail"] {
        server.publish("a", payload).await;
    }
    for (kind, payload, reason) in [
        (FailureKind::Rejected, "reject", "asked to reject"),
        (
            FailureKind::Panicked,
            "panic",
            "it panicked: asked to panic",
        ),
        (FailureKind::Failed, "fail", "asked to fail"),
    ] {
        let failure = within("a failure", reported.recv()).await.unwrap();
        assert_eq!((failure.handler(), failure.kind()), ("failing", kind));
        assert_eq!(failure.channel(), b"a");
        assert_eq!(failure.payload(), payload.as_bytes());
        assert_eq!(failure.reason(), reason);
        let panic = (kind == FailureKind::Panicked).then_some("asked to panic");
        assert_eq!(failure.panic_message(), panic);
        if let Some(Fault::Failed(error)) = failure.fault() {
            assert!(error.is::<std::io::Error>());
        }
    }
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    let failures = report.stats.failures;
    assert_eq!((failures.told, failures.dropped), (3, 0));
}

pub(crate) async fn a_hook_that_hangs_does_not_block_handlers_and_drops_are_counted(
    server: Server,
) {
    const FAILURES: u64 = 1_200;
    let (gate, closed) = watch::channel(false);
    let handle = failing(&server, move |_: Failure| {
        let mut gate = closed.clone();
        async move { _ = gate.wait_for(|open| *open).await }
    })
    .await;
    for _ in 0..FAILURES {
        server.publish("a", "fail").await;
    }
    server.publish("a", "fine").await;
    handled(&handle, FAILURES + 1).await;
    let failures = handle.stats().failures;
    // One is in the hook, and 1,024 wait.
    assert_eq!(failures.queued + failures.dropped, FAILURES);
    assert!(failures.queued <= 1_025, "{failures}");
    assert!(failures.dropped > 0, "{failures}");
    gate.send_replace(true);
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    let failures = report.stats.failures;
    assert_eq!(failures.told + failures.dropped, FAILURES);
    assert_eq!(failures.queued, 0);
}

pub(crate) async fn a_hook_that_fails_or_panics_gets_the_next_failure(server: Server) {
    let handle = failing(&server, |failure: Failure| {
        // A panic before the future exists, and one inside it.
        assert_ne!(failure.payload(), b"1");
        async move {
            assert_ne!(failure.payload(), b"2");
            match failure.payload() {
                b"3" => Err(std::io::Error::other("asked to fail")),
                _ => Ok(()),
            }
        }
    })
    .await;
    for payload in ["1", "2", "3", "4"] {
        server.publish("a", payload).await;
    }
    eventually("the last failure to be reported", async || {
        handle.stats().failures.told == 1
    })
    .await;
    let failures = handle.stats().failures;
    assert_eq!((failures.panicked, failures.failed), (2, 1));
    assert_eq!(handle.stats().restarts, 0);
}

pub(crate) async fn a_shutdown_waits_for_queued_failures(server: Server) {
    let handle = failing(&server, async |_: Failure| {
        tokio::task::yield_now().await;
    })
    .await;
    for _ in 0..100 {
        server.publish("a", "fail").await;
    }
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    assert_eq!(report.stats.failures.told, 100);

    let handle = failing(&server, async |_: Failure| {
        std::future::pending::<()>().await;
    })
    .await;
    for _ in 0..10 {
        server.publish("a", "fail").await;
    }
    let shutdown = handle.shutdown(Duration::from_secs(2));
    let report = within("the shutdown", shutdown).await;
    let failures = report.stats.failures;
    assert_eq!((failures.dropped, failures.queued), (10, 0));
}

pub(crate) async fn a_sink_writes_to_a_capped_stream_and_a_capped_list(server: RealServer) {
    let server = Server::Real(server);
    let Server::Real(real) = &server else {
        unreachable!()
    };
    let stream = FailureSink::stream(server.url(), "failures", 100).unwrap();
    let handle = failing(&server, stream).await;
    for _ in 0..500 {
        server.publish("a", "reject").await;
    }
    let report = within("the shutdown", handle.shutdown(LONG)).await;
    assert_eq!(report.stats.failures.told, 500, "{}", report.stats.failures);
    let length: u64 = redis::from_redis_value(real.command(&["XLEN", "failures"]).await).unwrap();
    // The stream is trimmed by whole nodes of a hundred entries, so about a hundred remain.
    assert!((100..=300).contains(&length), "{length}");
    let newest = real
        .command(&["XREVRANGE", "failures", "+", "-", "COUNT", "1"])
        .await;
    let newest: Vec<(String, Vec<(String, String)>)> = redis::from_redis_value(newest).unwrap();
    let expected = [
        ("handler", "failing"),
        ("outcome", "rejected"),
        ("reason", "asked to reject"),
        ("channel", "a"),
        ("payload", "reject"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(newest[0].1, expected);

    let client = redis::Client::open(server.url()).unwrap();
    let list = FailureSink::list(client, "list", 3).unwrap();
    let handle = failing(&server, list).await;
    for payload in ["1", "2", "3", "4", "5"] {
        server.publish("a", payload).await;
    }
    within("the shutdown", handle.shutdown(LONG)).await;
    let list = real.command(&["LRANGE", "list", "0", "-1"]).await;
    let list: Vec<String> = redis::from_redis_value(list).unwrap();
    let payloads = list.iter().map(|element| {
        let element: serde_json::Value = serde_json::from_str(element).unwrap();
        assert_eq!(element["outcome"], "failed");
        element["payload"].as_str().unwrap().to_owned()
    });
    assert_eq!(payloads.collect::<Vec<_>>(), ["5", "4", "3"]);
}

pub(crate) async fn failures_that_a_sink_cannot_write_are_counted() {
    over_the_manager();
    // The broker has no streams, so it refuses the command, which is not retried.
    let server = Server::Broker(redis_push::testing::Broker::start().await.unwrap());
    let sink = FailureSink::stream(server.url(), "failures", 100).unwrap();
    let handle = failing(&server, sink).await;
    server.publish("a", "fail").await;
    eventually("the refusal", async || handle.stats().failures.failed == 1).await;

    // No server listens there, so every try fails.
    let nowhere = redis_push::testing::Broker::start().await.unwrap();
    within("the broker's stop", nowhere.stop()).await;
    let sink = FailureSink::list(nowhere.url(), "failures", 100).unwrap();
    let handle = failing(&server, sink).await;
    server.publish("a", "fail").await;
    eventually("the last try", async || handle.stats().failures.failed == 1).await;

    let error = FailureSink::stream("no url", "failures", 1).unwrap_err();
    assert!(error.is_config(), "{error}");
}

/// A handler like [`Failing`], whose name is unique: tests run concurrently.
fn logged(server: &Server, test: &str) -> (String, Mount<()>) {
    crate::logs::listen();
    let name = format!("{test}-{}", server.addr().port());
    (name.clone(), Mount::new(Failing).named(name))
}

pub(crate) async fn an_error_and_a_panic_within_one_second_are_both_logged_with_their_text(
    server: Server,
) {
    let (name, mount) = logged(&server, "both");
    let handle = crate::support::start(server.url(), [mount]).await;
    for payload in ["fail", "panic", "reject"] {
        server.publish("a", payload).await;
    }
    handled(&handle, 3).await;
    // A delivery is counted just before it is logged.
    eventually("the lines", async || {
        crate::logs::of_handler(&name).len() == 3
    })
    .await;
    let lines = crate::logs::of_handler(&name);
    let texts: Vec<_> = lines.iter().map(|line| line["message"].as_str()).collect();
    assert_eq!(
        texts,
        [
            "handler failed: asked to fail",
            "handler panicked: asked to panic",
            "handler argument rejected: asked to reject"
        ]
    );
}

pub(crate) async fn lines_that_were_not_logged_are_counted_when_no_other_follows(server: Server) {
    let (name, mount) = logged(&server, "counted");
    let handle = crate::support::start(server.url(), [mount]).await;
    let publish_and_handle = async |handled_after| {
        for _ in 0..5 {
            server.publish("a", "panic").await;
        }
        handled(&handle, handled_after).await;
    };
    publish_and_handle(5).await;
    eventually("the number, at the end of the second", async || {
        crate::logs::accounted(&name) == 5
    })
    .await;
    publish_and_handle(10).await;
    within("the shutdown", handle.shutdown(LONG)).await;
    eventually("the number, at the shutdown", async || {
        crate::logs::accounted(&name) == 10
    })
    .await;
    for line in crate::logs::counts_of(&name) {
        assert_eq!(line["event"], "handler panicked");
    }
}

pub(crate) async fn failures_that_wait_for_the_hook_are_limited_in_bytes(server: Server) {
    const PAYLOAD: usize = 100_000;
    const LIMIT: usize = 16 * PAYLOAD;
    const FAILURES: u64 = 100;
    let hook = async |_: Failure| std::future::pending::<()>().await;
    let starting = subscriber(server.url())
        .memory_limit(LIMIT)
        .handlers([Mount::new(Failing)])
        .on_failure(hook)
        .start();
    let handle = within("the start", starting).await.unwrap();
    let payload = "x".repeat(PAYLOAD);
    for sent in 1..=FAILURES {
        server.publish("a", &payload).await;
        handled(&handle, sent).await;
    }
    let failures = handle.stats().failures;
    assert_eq!(failures.queued + failures.dropped, FAILURES);
    // A quarter of the limit.
    assert_eq!(failures.queued, 3, "{failures}");
}
