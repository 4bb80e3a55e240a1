//! `shutdown`: which messages are delivered, which are counted, and how long it takes.

use std::sync::Arc;
use std::time::Duration;

use redis_push::testing::Broker;
use redis_push::{
    Failure, Fault, Gap, Handle, Handler, HealthReason, Mount, Push, ShutdownReport, Spec, Stats,
    Subscription,
};
use tests::Server;
use tests::{eventually, within};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::gated::gated;
use crate::support::{Journal, recorder, start, subscriber};
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
    let arrived = async || handle.stats().handlers[0].received == MESSAGES;
    eventually("the messages", arrived).await;
    calls.begin();
    eventually("the first call", async || calls.count() > 0).await;
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

/// The shutdown begins when a name is asked for but not confirmed.
pub(crate) async fn a_shutdown_ends_what_is_confirmed_during_it(broker: Broker) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(broker.url(), [mount]).await;
    journal.begins().await;
    broker.delay_confirmations(Duration::from_millis(100));
    let name = Subscription::channel("b");
    let mut stream = handle.subscribe(name).now().unwrap();
    broker.wait_for_subscribers_of("b", 1).await;
    // It waits for half of that if it waits for an end that never comes.
    let shutdown = handle.shutdown(Duration::from_secs(3_600));
    within("the shutdown", shutdown).await;
    within("the end of the stream", async {
        while stream.next().await.is_some() {}
    })
    .await;
    broker.wait_for_subscribers_of("b", 0).await;
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

/// Calls `shutdown` with the handle that it waits for, and sends the report.
#[derive(Clone)]
struct Stop {
    handle: watch::Receiver<Option<Arc<Handle>>>,
    reports: mpsc::UnboundedSender<ShutdownReport>,
}

impl Stop {
    async fn now(&self) {
        let mut handle = self.handle.clone();
        let handle = handle.wait_for(Option::is_some).await.unwrap().clone();
        let report = handle.unwrap().shutdown(LONG).await;
        let _ = self.reports.send(report);
    }
}

/// Where a [`Stopper`] calls `shutdown`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Delivery,
    GapHandler,
    Hook,
}

struct Stopper {
    spec: Spec,
    place: Place,
    stop: Stop,
}

impl Handler<()> for Stopper {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        match (self.place, push.payload()) {
            (Place::Delivery, b"stop") => self.stop.now().await,
            (Place::Hook, b"stop") => return Err(Fault::failed("for the hook")),
            _ => tokio::task::yield_now().await,
        }
        Ok(())
    }

    async fn handle_gap(&self, _gap: &Gap, _state: &()) -> Result<(), Fault> {
        if self.place == Place::GapHandler {
            self.stop.now().await;
        }
        Ok(())
    }
}

type Stopping = (
    Handle,
    watch::Sender<Option<Arc<Handle>>>,
    mpsc::UnboundedReceiver<ShutdownReport>,
);

/// A subscriber with a [`Stopper`] and a recorder, which waits for the first message.
async fn stopping(server: &Server, place: Place, workers: usize, ordered: bool) -> Stopping {
    let (sender, handle) = watch::channel(None);
    let (reports, received) = mpsc::unbounded_channel();
    let stop = Stop { handle, reports };
    let mut spec = Spec::new("stopper").on(Subscription::template("a.{id}").unwrap());
    if ordered {
        spec = spec.ordered_by("id");
    }
    let mount = Mount::new(Stopper {
        spec: spec.workers(workers),
        place,
        stop: stop.clone(),
    });
    let (other, _) = recorder("other", Subscription::pattern("a.*"));
    let hook = move |_: Failure| {
        let stop = stop.clone();
        async move { stop.now().await }
    };
    let starting = subscriber(server.url())
        .handlers([mount, other])
        .on_failure(hook)
        .start();
    (
        within("the start", starting).await.unwrap(),
        sender,
        received,
    )
}

pub(crate) async fn a_shutdown_inside_a_handler_does_not_wait_for_itself(server: Server) {
    const OTHERS: u64 = 50;
    for (place, workers, ordered) in [
        (Place::Delivery, 1, false),
        (Place::Delivery, 3, false),
        (Place::Delivery, 3, true),
        (Place::GapHandler, 1, false),
        (Place::GapHandler, 3, false),
        (Place::Hook, 1, false),
        (Place::Hook, 3, true),
    ] {
        let (handle, sender, mut reports) = stopping(&server, place, workers, ordered).await;
        server.publish("a.1", "stop").await;
        for number in 0..OTHERS {
            server.publish(&format!("a.{}", number % 7), "fine").await;
        }
        eventually("every message to have arrived", async || {
            let mut counts = handle.stats().handlers.into_iter();
            counts.all(|counts| counts.received == OTHERS + 1)
        })
        .await;
        let handle = Arc::new(handle);
        sender.send_replace(Some(Arc::clone(&handle)));
        // Less than the deadline: `within` waits as long as that.
        let report = within("the report", reports.recv()).await.unwrap();
        let case = format!("{place:?}, {workers} workers: {report}");
        assert!(report.took < LONG, "{case}");
        let [stopper, other] = &report.stats.handlers[..] else {
            panic!("two handlers: {case}");
        };
        assert_eq!(other.handled, OTHERS + 1, "{case}");
        assert_eq!(
            (stopper.received, stopper.queued),
            (stopper.accounted(), 0),
            "{case}"
        );
        match place {
            Place::Delivery => assert_eq!(stopper.running, 1, "{case}"),
            Place::GapHandler => assert_eq!(stopper.cancelled, OTHERS + 1, "{case}"),
            Place::Hook => assert_eq!(report.stats.failures.queued, 1, "{case}"),
        }
        if place == Place::Delivery && workers > 1 && !ordered {
            assert_eq!(stopper.handled, OTHERS, "{case}");
        }
        // Nothing is left, so the server's connection ends, and the handle is the last one.
        server.wait_for_subscribers_of("a.1", 0).await;
        sender.send_replace(None);
        eventually("the end of the call", async || {
            Arc::strong_count(&handle) == 1
        })
        .await;
    }
}

pub(crate) async fn a_shutdown_inside_a_handler_may_wait_for_another_one(server: Server) {
    for place in [Place::Delivery, Place::Hook] {
        let (handle, sender, mut reports) = stopping(&server, place, 1, false).await;
        let handle = Arc::new(handle);
        server.publish("a.1", "stop").await;
        eventually("the delivery to begin", async || {
            let stats = handle.stats();
            stats.handlers[0].running == 1 || stats.failures.queued == 1
        })
        .await;
        let (outside, ()) = within("both shutdowns", async {
            tokio::join!(handle.shutdown(LONG), async {
                eventually("the shutdown to begin", async || !handle.is_ready()).await;
                sender.send_replace(Some(Arc::clone(&handle)));
            })
        })
        .await;
        let inside = within("the report", reports.recv()).await.unwrap();
        assert_eq!(outside, inside);
        assert!(outside.took < LONG);
    }
}
