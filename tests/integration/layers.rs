//! Layers: their order, what they decide, and what counts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_push::{
    Delivery, Extension, Failure, Fault, GapCause, Handle, Layer, Mount, Next, Outcome, Router,
    Spec, Stats, Subscription, handlers, push_handler,
};
use tests::{Server, eventually, within};
use tokio::sync::{mpsc, watch};

use crate::gated::gated;
use crate::support::{Seen, recorder, recorder_of, subscriber};

const LONG: Duration = Duration::from_secs(10);

/// What the layers of a test have seen, in order.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    fn add(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// A layer that traces each message, and each gap as `gap`.
    fn layer(&self, name: &'static str) -> impl Layer {
        Traced(self.clone(), name)
    }
}

struct Traced(Trace, &'static str);

impl Layer for Traced {
    async fn call(&self, delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
        let Self(trace, name) = self;
        let what = match delivery.gap() {
            Some(gap) => format!("{:?}", gap.cause),
            None => text_of(delivery),
        };
        trace.add(format!("{name} {what}"));
        let outcome = next.run(delivery).await;
        trace.add(format!("{name} {}", outcome.as_str()));
        outcome
    }
}

fn text_of(delivery: Delivery<'_>) -> String {
    let payload = delivery.push().map_or(&b""[..], |push| push.payload());
    String::from_utf8_lossy(payload).into_owned()
}

async fn start(server: &Server, subscriber: redis_push::Subscriber) -> Handle {
    let handle = within("the start", subscriber.start()).await.unwrap();
    server.wait_for_subscribers_of("a", 1).await;
    handle
}

async fn ends(handle: Handle) -> Stats {
    let stats = within("the shutdown", handle.shutdown(LONG)).await.stats;
    for counts in &stats.handlers {
        assert_eq!(counts.received, counts.accounted(), "{stats}");
    }
    stats
}

pub(crate) async fn layers_run_from_the_subscriber_over_the_routers_to_the_handler(server: Server) {
    let trace = Trace::default();
    let layer = |name| trace.layer(name);
    let (mount, mut journal) = recorder("in order", Subscription::channel("a"));
    let inner = Router::new()
        .handlers([mount.around(layer("5")).around(layer("6"))])
        .around(layer("4"));
    // Added after the handlers, and around them all the same.
    let outer = Router::new().merge(inner).around(layer("3"));
    let subscriber = subscriber(server.url())
        .around(layer("1"))
        .handlers(outer)
        .around(layer("2"));
    let wiring = subscriber.wiring();
    assert_eq!(wiring.handlers[0].layers, ["Traced"; 6]);
    let handle = start(&server, subscriber).await;
    assert_eq!(handle.wiring(), wiring);
    journal.begins().await;
    let in_order = |what: &str| {
        let inwards = (1..=6).map(|number| format!("{number} {what}"));
        let outwards = (1..=6).rev().map(|number| format!("{number} handled"));
        inwards.chain(outwards).collect::<Vec<_>>()
    };
    eventually("the end of the gap", async || {
        trace.0.lock().unwrap().len() == 12
    })
    .await;
    assert_eq!(trace.take(), in_order("Initial"));
    server.publish("a", "hello").await;
    journal.message("a", "hello").await;
    let stats = ends(handle).await;
    assert_eq!(stats.handlers[0].handled, 1);
    assert_eq!(trace.take(), in_order("hello"));
}

async fn only_good(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    if text_of(delivery).starts_with("bad") {
        return Outcome::skipped();
    }
    next.run(delivery).await
}

pub(crate) async fn a_layer_that_does_not_go_on_skips_the_delivery(server: Server) {
    let (sender, mut failures) = mpsc::unbounded_channel::<Failure>();
    let (mount, mut journal) = recorder("skips", Subscription::channel("a"));
    let subscriber = subscriber(server.url())
        .handlers([mount.around(only_good)])
        .on_failure(move |failure| {
            let _ = sender.send(failure);
            async {}
        });
    let handle = start(&server, subscriber).await;
    journal.begins().await;
    for payload in ["bad 1", "good", "bad 2"] {
        server.publish("a", payload).await;
    }
    journal.message("a", "good").await;
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    assert_eq!((counts.handled, counts.skipped), (1, 2), "{stats}");
    assert_eq!(counts.delivered(), 3);
    assert!(stats.to_string().contains("skipped"), "{stats}");
    journal.ends().await;
    assert!(failures.try_recv().is_err(), "a skip is no failure");
}

/// Skips everything, and forgets that there are gaps.
async fn nothing(_delivery: Delivery<'_>, _next: Next<'_>) -> Outcome {
    Outcome::skipped()
}

pub(crate) async fn a_gap_cannot_be_skipped(server: Server) {
    let (mount, mut journal) = recorder_of(
        Spec::new("told anyway")
            .on(Subscription::channel("a"))
            .on_gap("recorded"),
    );
    let subscriber = subscriber(server.url()).handlers([mount.around(nothing)]);
    let handle = start(&server, subscriber).await;
    journal.begins().await;
    server.kill_connections().await;
    journal.lost_connection().await;
    within("readiness", handle.ready()).await;
    server.publish("a", "skipped").await;
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    assert_eq!((counts.gaps, counts.gap_failures), (1, 0), "{stats}");
    assert_eq!(counts.skipped, 1);
    journal.ends().await;
}

pub(crate) async fn a_gap_that_a_layer_fails_is_repeated_with_the_layers(server: Server) {
    /// Fails the first gap, and answers for the second.
    struct AnswersForGaps(Trace);

    impl Layer for AnswersForGaps {
        async fn call(&self, delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
            if !delivery.is_gap() {
                return next.run(delivery).await;
            }
            self.0.add("gap");
            match self.0.0.lock().unwrap().len() {
                1 => Outcome::failed("not yet"),
                _ => Outcome::handled(),
            }
        }
    }

    let trace = Trace::default();
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let mount = mount.around(AnswersForGaps(trace.clone()));
    let handle = start(&server, subscriber(server.url()).handlers([mount])).await;
    server.publish("a", "after the gap").await;
    // The layer has handled the gap, so the handler is told of none.
    journal.message("a", "after the gap").await;
    assert_eq!(trace.take(), ["gap", "gap"]);
    let stats = ends(handle).await;
    assert_eq!(stats.handlers[0].gap_failures, 1);
}

pub(crate) async fn an_error_passes_the_layers_to_the_log_and_the_hook(server: Server) {
    let (sender, mut failures) = mpsc::unbounded_channel::<Failure>();
    let trace = Trace::default();
    let (mount, mut journal) = recorder("fails", Subscription::channel("a"));
    let subscriber = subscriber(server.url())
        .handlers([mount
            .around(trace.layer("outer"))
            .around(trace.layer("inner"))])
        .on_failure(move |failure| {
            let _ = sender.send(failure);
            async {}
        });
    let handle = start(&server, subscriber).await;
    journal.begins().await;
    server.publish("a", "error").await;
    let failure = within("a failure", failures.recv()).await.unwrap();
    assert_eq!(failure.reason(), "asked to fail");
    assert_eq!(failure.payload(), b"error");
    assert!(matches!(failure.fault(), Some(Fault::Failed(_))));
    server.publish("a", "panic").await;
    let failure = within("a failure", failures.recv()).await.unwrap();
    assert_eq!(failure.panic_message(), Some("asked to panic"));
    server.publish("a", "fine").await;
    journal.message("a", "fine").await;
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    assert_eq!((counts.failed, counts.panicked, counts.handled), (1, 1, 1));
    let ended: Vec<_> = trace.take();
    assert_eq!(
        ended[4..8],
        ["outer error", "inner error", "inner failed", "outer failed"]
    );
}

/// Replaces each outcome by another one.
async fn contrary(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    let outcome = next.run(delivery).await;
    match outcome.into_fault() {
        _ if delivery.is_gap() => Outcome::handled(),
        Some(_) => Outcome::handled(),
        None => Outcome::failed("it went too well"),
    }
}

pub(crate) async fn the_outcome_of_the_outermost_layer_counts(server: Server) {
    let (mount, mut journal) = recorder("contrary", Subscription::channel("a"));
    let mount = mount.around(contrary);
    let handle = start(&server, subscriber(server.url()).handlers([mount])).await;
    journal.begins().await;
    server.publish("a", "error").await;
    server.publish("a", "fine").await;
    journal.message("a", "fine").await;
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    assert_eq!((counts.handled, counts.failed), (1, 1), "{stats}");
}

/// Runs what is next twice, one after the other or at once.
async fn twice(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    if delivery.is_gap() {
        return next.run(delivery).await;
    }
    if text_of(delivery) == "at once" {
        let (one, other) = tokio::join!(next.run(delivery), next.run(delivery));
        assert!(one.is_handled());
        return other;
    }
    drop(next.run(delivery).await);
    next.run(delivery).await
}

pub(crate) async fn each_run_is_an_attempt_and_the_last_outcome_counts_once(server: Server) {
    let (mount, mut journal) = recorder("twice", Subscription::channel("a"));
    let mount = mount.around(twice);
    let handle = start(&server, subscriber(server.url()).handlers([mount])).await;
    journal.begins().await;
    for payload in ["one by one", "at once"] {
        server.publish("a", payload).await;
        journal.message("a", payload).await;
        journal.message("a", payload).await;
    }
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    assert_eq!((counts.handled, counts.retries), (2, 2), "{stats}");
}

pub(crate) async fn a_layer_is_inside_the_timeout_and_the_catch_of_panics(server: Server) {
    async fn strange(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
        match &*text_of(delivery) {
            "hang" => std::future::pending().await,
            "layer panics" => panic!("the layer was asked to panic"),
            "panics after" => {
                drop(next.run(delivery).await);
                panic!("the layer was asked to panic");
            }
            _ => next.run(delivery).await,
        }
    }

    let spec = Spec::new("strange")
        .on(Subscription::channel("a"))
        .timeout(Duration::from_millis(50))
        .around(strange);
    let (mount, mut journal) = recorder_of(spec);
    let handle = start(&server, subscriber(server.url()).handlers([mount])).await;
    journal.begins().await;
    for payload in ["hang", "layer panics", "panics after", "fine"] {
        server.publish("a", payload).await;
    }
    journal.message("a", "panics after").await;
    journal.message("a", "fine").await;
    let stats = ends(handle).await;
    let counts = &stats.handlers[0];
    let ended = (counts.timed_out, counts.panicked, counts.handled);
    assert_eq!(ended, (1, 2, 1), "{stats}");
}

#[derive(Clone, Debug, PartialEq)]
struct Number(usize);

/// The numbers that handlers were passed.
static NUMBERS: Mutex<Vec<(String, Option<Number>)>> = Mutex::new(Vec::new());

#[push_handler(channel = "a")]
async fn on_numbered(text: &str, Extension(number): Extension<Number>) {
    NUMBERS
        .lock()
        .unwrap()
        .push((text.to_owned(), Some(number)));
}

async fn numbered(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    let text = text_of(delivery);
    if text == "none" {
        return next.run(delivery).await;
    }
    let first = delivery.with(Number(text.len()));
    assert_eq!(first.get(), Some(&Number(text.len())));
    assert_eq!(delivery.get::<Number>(), None);
    next.run(first).await
}

async fn doubled(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
    match delivery.get::<Number>() {
        Some(Number(number)) => {
            next.run(delivery.with(Number(number * 2)).with("text"))
                .await
        }
        None => next.run(delivery).await,
    }
}

pub(crate) async fn values_are_passed_on_to_layers_and_arguments(server: Server) {
    // The test runs over both links.
    let tag = server.url();
    let mounts = handlers![on_numbered.around(numbered).around(doubled)];
    let handle = start(&server, subscriber(server.url()).handlers(mounts)).await;
    server.publish("a", &tag).await;
    server.publish("a", "none").await;
    eventually("both deliveries", async || {
        handle.stats().handlers[0].delivered() == 2
    })
    .await;
    let counts = ends(handle).await.handlers[0].clone();
    // A missing value rejects the delivery.
    assert_eq!((counts.handled, counts.rejected), (1, 1));
    let numbers = NUMBERS.lock().unwrap();
    let of_this_test = numbers.iter().find(|(text, _)| *text == tag).unwrap();
    assert_eq!(of_this_test.1, Some(Number(tag.len() * 2)));
}

pub(crate) async fn layers_are_around_workers_and_late_mounts(server: Server) {
    let trace = Trace::default();
    let (gate, closed) = watch::channel(false);
    let spec = Spec::new("workers")
        .on(Subscription::channel("a"))
        .workers(2);
    let (mount, mut journal) = gated(spec, closed);
    let subscriber = subscriber(server.url())
        .handlers([mount])
        .around(trace.layer("outer"));
    let handle = start(&server, subscriber).await;
    journal.begins().await;
    let (late, mut late_journal) = recorder("late", Subscription::channel("b"));
    let guard = within(
        "the mount",
        handle.mount([late.around(trace.layer("late"))]),
    )
    .await
    .unwrap();
    late_journal.begins().await;
    trace.take();
    for payload in ["1", "2"] {
        server.publish("a", payload).await;
    }
    eventually("both workers in the handler", async || {
        handle.stats().handlers[0].running == 2
    })
    .await;
    gate.send_replace(true);
    for _ in 0..2 {
        assert!(matches!(journal.next().await, Seen::Message(..)));
    }
    server.publish("b", "late").await;
    late_journal.message("b", "late").await;
    let counts = within("the end of the mount", guard.unmount()).await;
    assert_eq!(counts[0].handled, 1);
    ends(handle).await;
    let seen = trace.take();
    let count = |entry: &str| seen.iter().filter(|one| *one == entry).count();
    assert_eq!((count("outer 1"), count("outer 2")), (1, 1), "{seen:?}");
    assert_eq!(
        (count("outer late"), count("late late")),
        (1, 1),
        "{seen:?}"
    );
}

pub(crate) async fn a_layer_may_request_a_resync(server: Server) {
    async fn guarded(delivery: Delivery<'_>, next: Next<'_>) -> Outcome {
        match &*text_of(delivery) {
            "hole" => Fault::resync("a number is missing").into(),
            _ => next.run(delivery).await,
        }
    }

    let spec = Spec::new("guarded")
        .on(Subscription::channel("a"))
        .on_gap("recorded");
    let (mount, mut journal): (Mount<()>, _) = recorder_of(spec);
    let mount = mount.around(guarded);
    let handle = start(&server, subscriber(server.url()).handlers([mount])).await;
    journal.begins().await;
    server.publish("a", "hole").await;
    server.publish("a", "after").await;
    assert_eq!(journal.gap().await.cause, GapCause::Requested);
    journal.message("a", "after").await;
    let stats = ends(handle).await;
    assert_eq!(stats.handlers[0].failed, 1);
}
