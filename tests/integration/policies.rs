//! The options of a handler: buffer, overflow, workers, timeout and others.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis_push::{GapCause, Missed, Overflow, Spec, State, Stats, Subscription};
use tests::{Server, eventually, within};
use tokio::sync::watch;

use crate::gated::gated;
use crate::support::{Journal, Seen, new, recorder, recorder_of, start, subscriber};

fn on(channel: &'static str) -> Spec {
    Spec::new(channel).on(Subscription::channel(channel))
}

fn quotes() -> Spec {
    Spec::new("quotes").on(Subscription::template("quotes.{symbol}").unwrap())
}

async fn received(handle: &redis_push::Handle, count: u64) {
    eventually("every message to have arrived", async || {
        handle.stats().handlers[0].received == count
    })
    .await;
}

fn balanced(stats: &Stats) {
    for counts in &stats.handlers {
        assert_eq!(counts.received, counts.accounted(), "{stats}");
    }
}

pub(crate) async fn a_delivery_that_takes_too_long_is_dropped_and_the_next_one_comes(
    server: Server,
) {
    let (gate, closed) = watch::channel(false);
    let (mount, mut journal) = gated(on("a").timeout(Duration::from_millis(50)), closed);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    server.publish("a", "late").await;
    eventually("the timeout", async || {
        handle.stats().handlers[0].timed_out == 1
    })
    .await;
    gate.send_replace(true);
    server.publish("a", "in time").await;
    journal.message("a", "in time").await;
    let report = handle.shutdown(Duration::from_secs(5)).await;
    let counts = &report.stats.handlers[0];
    assert_eq!((counts.timed_out, counts.handled), (1, 1));
    balanced(&report.stats);
}

pub(crate) async fn workers_run_at_once_and_a_gap_waits_for_all_of_them(server: Server) {
    let (gate, closed) = watch::channel(false);
    let (mount, mut journal) = gated(on("a").workers(4), closed);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for number in 0..10 {
        server.publish("a", &number.to_string()).await;
    }
    eventually("four deliveries under way", async || {
        let counts = &handle.stats().handlers[0];
        balanced(&handle.stats());
        (counts.running, counts.queued) == (4, 6)
    })
    .await;
    server.kill_connections().await;
    within("another connection", async {
        while handle.stats().feed.reconnects == 0 {
            tokio::task::yield_now().await;
        }
        handle.ready().await;
    })
    .await;
    assert_eq!(
        journal.so_far(),
        [],
        "the gap waits for the deliveries before it"
    );
    gate.send_replace(true);
    let mut handled = Vec::new();
    for _ in 0..10 {
        match journal.next().await {
            Seen::Message(_, number) => handled.push(number.parse::<u32>().unwrap()),
            other => panic!("expected a message from before the gap, got {other:?}"),
        }
    }
    handled.sort_unstable();
    assert_eq!(handled, (0..10).collect::<Vec<_>>());
    journal.lost_connection().await;
    server.publish("a", "after").await;
    journal.message("a", "after").await;
    balanced(&handle.shutdown(Duration::from_secs(5)).await.stats);
}

/// Numbers on several channels, handled by workers that interleave at random.
pub(crate) async fn workers_keep_the_order_of_a_key(server: Server) {
    for key in ["symbol", "id"] {
        let (mount, mut journal) = yielding(quotes().workers(3).ordered_by(key));
        let handle = start(server.url(), [mount]).await;
        journal.begins().await;
        const EACH: u64 = 50;
        for number in 0..EACH {
            for symbol in 0..5 {
                let payload = format!(r#"{{"number": {number}, "id": {symbol}}}"#);
                server.publish(&format!("quotes.{symbol}"), &payload).await;
            }
        }
        let mut seen = std::collections::HashMap::<String, u64>::new();
        for _ in 0..5 * EACH {
            let Seen::Message(channel, payload) = journal.next().await else {
                panic!("expected only messages");
            };
            let next = seen.entry(channel).or_default();
            assert!(
                payload.starts_with(&format!(r#"{{"number": {next},"#)),
                "{payload}"
            );
            *next += 1;
        }
        assert_eq!(seen.len(), 5);
        balanced(&handle.shutdown(Duration::from_secs(5)).await.stats);
        server.wait_for_subscribers_of("quotes.1", 0).await;
    }
}

/// A recorder that yields at random.
fn yielding(spec: Spec) -> (redis_push::Mount<()>, Journal) {
    struct Yielding(crate::support::Recorder);

    impl redis_push::Handler<()> for Yielding {
        fn spec(&self) -> Spec {
            self.0.spec()
        }

        async fn handle(
            &self,
            push: redis_push::Push<'_>,
            state: &(),
        ) -> Result<(), redis_push::Fault> {
            for _ in 0..fastrand::u32(0..4) {
                tokio::task::yield_now().await;
            }
            self.0.handle(push, state).await
        }

        async fn handle_gap(
            &self,
            gap: &redis_push::Gap,
            state: &(),
        ) -> Result<(), redis_push::Fault> {
            self.0.handle_gap(gap, state).await
        }
    }

    let (recorder, journal) = new(spec);
    (redis_push::Mount::new(Yielding(recorder)), journal)
}

pub(crate) async fn a_paused_handler_waits_and_loses_nothing_its_buffer_holds(server: Server) {
    let (a, mut a_journal) = recorder("a", Subscription::channel("a"));
    let (b, mut b_journal) = recorder("b", Subscription::channel("a"));
    let handle = start(server.url(), [a, b]).await;
    a_journal.begins().await;
    b_journal.begins().await;
    handle.pause("a").unwrap();
    assert!(handle.stats().handler("a").unwrap().is_paused);
    assert!(handle.pause("nobody").unwrap_err().is_config());
    for number in 0..10 {
        server.publish("a", &number.to_string()).await;
        b_journal.message("a", &number.to_string()).await;
    }
    assert_eq!(a_journal.so_far(), []);
    handle.resume("a").unwrap();
    for number in 0..10 {
        a_journal.message("a", &number.to_string()).await;
    }
    handle.pause("a").unwrap();
    server.publish("a", "too late").await;
    b_journal.message("a", "too late").await;
    let report = within("the shutdown", handle.shutdown(Duration::from_secs(10))).await;
    assert_eq!(report.stats.handler("a").unwrap().cancelled, 1);
    balanced(&report.stats);
}

/// The batch that the loop has received is longer than what its workers have in flight.
pub(crate) async fn deliveries_of_paused_workers_end_before_a_shutdown(server: Server) {
    const WORKERS: u64 = 2;
    const MESSAGES: u64 = 30;
    let (gate, closed) = watch::channel(false);
    let spec = Spec::new("a")
        .on(Subscription::channel("a"))
        .workers(WORKERS as usize);
    let (mount, mut journal) = gated(spec, closed);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    handle.pause("a").unwrap();
    for number in 0..MESSAGES {
        server.publish("a", &number.to_string()).await;
    }
    received(&handle, MESSAGES).await;
    handle.resume("a").unwrap();
    eventually("a delivery of each worker", async || {
        handle.stats().handlers[0].running == WORKERS
    })
    .await;
    handle.pause("a").unwrap();
    let (report, ()) = within("the shutdown", async {
        tokio::join!(handle.shutdown(Duration::from_secs(10)), async {
            eventually("the end of the pause", async || {
                !handle.stats().handlers[0].is_paused
            })
            .await;
            gate.send_replace(true);
        })
    })
    .await;
    let counts = &report.stats.handlers[0];
    assert_eq!(
        (counts.handled, counts.cancelled),
        (WORKERS, MESSAGES - WORKERS)
    );
    balanced(&report.stats);
}

pub(crate) async fn paused_workers_finish_only_the_deliveries_under_way(server: Server) {
    const WORKERS: u64 = 2;
    const MESSAGES: u64 = 30;
    let (gate, closed) = watch::channel(false);
    let (mount, mut journal) = gated(on("a").workers(WORKERS as usize), closed);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    for number in 0..MESSAGES {
        server.publish("a", &number.to_string()).await;
    }
    received(&handle, MESSAGES).await;
    eventually("a delivery of each worker", async || {
        handle.stats().handlers[0].running == WORKERS
    })
    .await;
    handle.pause("a").unwrap();
    gate.send_replace(true);
    eventually("the end of both deliveries", async || {
        handle.stats().handlers[0].running == 0
    })
    .await;
    let counts = &handle.stats().handlers[0];
    assert_eq!(
        (counts.handled, counts.queued),
        (WORKERS, MESSAGES - WORKERS)
    );
    handle.resume("a").unwrap();
    eventually("every delivery", async || {
        handle.stats().handlers[0].handled == MESSAGES
    })
    .await;
    balanced(&handle.shutdown(Duration::from_secs(5)).await.stats);
}

pub(crate) async fn a_latest_queue_keeps_the_newest_message_of_each_channel(server: Server) {
    let (mount, mut journal) = recorder_of(quotes().overflow(Overflow::Latest));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    handle.pause("quotes").unwrap();
    // The handler's loop is waiting, so it receives the first message at once.
    server.publish("quotes.x", "first").await;
    received(&handle, 1).await;
    for number in 0..20 {
        server.publish("quotes.a", &format!("a{number}")).await;
        server.publish("quotes.b", &format!("b{number}")).await;
    }
    received(&handle, 41).await;
    let stats = handle.stats();
    assert_eq!(
        (stats.handlers[0].superseded, stats.handlers[0].queued),
        (38, 3)
    );
    balanced(&stats);
    handle.resume("quotes").unwrap();
    journal.message("quotes.x", "first").await;
    journal.message("quotes.a", "a19").await;
    journal.message("quotes.b", "b19").await;
    let report = handle.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.stats.gaps(), 0, "superseded messages are not a gap");
    balanced(&report.stats);
}

pub(crate) async fn drop_newest_keeps_the_oldest_messages(server: Server) {
    let (gate, closed) = watch::channel(false);
    let spec = on("a").buffer(5).overflow(Overflow::DropNewest);
    let (mount, mut journal) = gated(spec, closed);
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    server.publish("a", "in hand").await;
    eventually("a delivery under way", async || {
        handle.stats().handlers[0].running == 1
    })
    .await;
    for number in 0..20 {
        server.publish("a", &number.to_string()).await;
    }
    // The wire link may hold some messages back for a moment, in case the handler makes room.
    received(&handle, 21).await;
    let stats = handle.stats();
    assert_eq!((stats.handlers[0].queued, stats.dropped()), (5, 15));
    balanced(&stats);
    gate.send_replace(true);
    journal.message("a", "in hand").await;
    for number in 0..5 {
        journal.message("a", &number.to_string()).await;
    }
    let gap = journal.gap().await;
    assert_eq!(
        (gap.cause, gap.missed),
        (GapCause::Lagged, Missed::Exactly(15))
    );
    server.publish("a", "after").await;
    journal.message("a", "after").await;
    balanced(&handle.shutdown(Duration::from_secs(5)).await.stats);
}

pub(crate) async fn a_payload_that_is_too_large_is_dropped_and_reported(server: Server) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let starting = subscriber(server.url())
        .max_payload(100)
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    server.publish("a", &"x".repeat(100)).await;
    journal.message("a", &"x".repeat(100)).await;
    server.publish("a", &"x".repeat(101)).await;
    let gap = journal.gap().await;
    assert_eq!(
        (gap.cause, gap.missed),
        (GapCause::Oversized, Missed::Exactly(1))
    );
    server.publish("a", "after").await;
    journal.message("a", "after").await;
    let stats = handle.stats();
    assert_eq!((stats.feed.oversized, stats.dropped()), (1, 0));
    balanced(&stats);
}

pub(crate) async fn all_buffers_together_stay_under_their_limit(server: Server) {
    // With room for what the handlers have received, which cannot be dropped.
    const LIMIT: usize = 5 * 512 * 1024;
    const HANDLERS: usize = 20;
    const PAYLOAD: usize = 10_000;
    let (gate, closed) = watch::channel(false);
    let (mounts, mut journals): (Vec<_>, Vec<_>) = (0..HANDLERS)
        .map(|index| {
            let name = format!("c{index}");
            let spec = Spec::new(name.clone()).on(Subscription::channel(name));
            gated(spec, closed.clone())
        })
        .unzip();
    let starting = subscriber(server.url())
        .memory_limit(LIMIT)
        .handlers(mounts)
        .start();
    let handle = within("the start", starting).await.unwrap();
    for journal in &mut journals {
        journal.begins().await;
    }
    let payload = "x".repeat(PAYLOAD);
    for _ in 0..20 {
        for index in 0..HANDLERS {
            server.publish(&format!("c{index}"), &payload).await;
        }
    }
    eventually("every message to have arrived", async || {
        let stats = handle.stats();
        stats
            .handlers
            .iter()
            .map(|counts| counts.received)
            .sum::<u64>()
            == 400
    })
    .await;
    let stats = handle.stats();
    balanced(&stats);
    let queued: u64 = stats.handlers.iter().map(|counts| counts.queued).sum();
    assert!(
        queued as usize * PAYLOAD <= LIMIT,
        "{queued} of {PAYLOAD} bytes"
    );
    assert!(stats.dropped() > 0, "more arrived than there is room for");
    // No buffer was emptied to make room for the others.
    assert!(
        stats.handlers.iter().all(|counts| counts.queued > 0),
        "{stats}"
    );
    gate.send_replace(true);
    for (mut journal, counts) in journals.into_iter().zip(&stats.handlers) {
        // Messages received before the limit was reached are between two gaps.
        let (mut reported, mut handled) = (0, 0);
        while handled < counts.queued + counts.running {
            match journal.next().await {
                Seen::Message(..) => handled += 1,
                Seen::Gap(gap) => match gap.missed {
                    Missed::Exactly(missed) => reported += missed,
                    other => panic!("expected an exact count, got {other:?}"),
                },
            }
        }
        assert_eq!(reported, counts.dropped);
    }
    balanced(&handle.shutdown(Duration::from_secs(5)).await.stats);
}

/// An error that panics when it is printed.
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("a test has asked for this panic")
    }
}

impl std::fmt::Debug for Unspeakable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Unspeakable {}

/// The payload of a panic, which panics again when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a test has asked for this panic too");
    }
}

struct Wicked(Spec);

impl redis_push::Handler<()> for Wicked {
    fn spec(&self) -> Spec {
        self.0.clone()
    }

    async fn handle(
        &self,
        push: redis_push::Push<'_>,
        _state: &(),
    ) -> Result<(), redis_push::Fault> {
        match push.payload() {
            b"error" => Err(redis_push::Fault::failed(Unspeakable)),
            b"panic" => std::panic::panic_any(Bomb),
            _ => Ok(()),
        }
    }
}

pub(crate) async fn errors_and_panics_that_panic_again_end_one_delivery(server: Server) {
    // The error is printed only if a `tracing` subscriber is installed.
    tests::overheard::listen();
    for workers in [1, 2] {
        let mount = redis_push::Mount::new(Wicked(on("a").workers(workers)));
        let handle = start(server.url(), [mount]).await;
        for payload in ["error", "panic", "fine"].repeat(10) {
            server.publish("a", payload).await;
        }
        eventually("every delivery to have ended", async || {
            let counts = &handle.stats().handlers[0];
            (counts.failed, counts.panicked, counts.handled) == (10, 10, 10)
        })
        .await;
        let report = handle.shutdown(Duration::from_secs(5)).await;
        assert_eq!((report.stats.restarts, report.stats.gaps()), (0, 0));
        balanced(&report.stats);
        server.wait_for_subscribers_of("a", 0).await;
    }
}

struct NeverReady(Spec);

impl redis_push::Handler<()> for NeverReady {
    fn spec(&self) -> Spec {
        self.0.clone()
    }

    async fn handle(
        &self,
        _push: redis_push::Push<'_>,
        _state: &(),
    ) -> Result<(), redis_push::Fault> {
        Ok(())
    }

    async fn handle_gap(
        &self,
        _gap: &redis_push::Gap,
        _state: &(),
    ) -> Result<(), redis_push::Fault> {
        Err(redis_push::Fault::failed("not yet"))
    }
}

pub(crate) async fn a_required_handler_whose_gap_is_never_handled_is_not_ready(server: Server) {
    let spec = on("a").stall_limit(Duration::from_millis(100)).required();
    let mount = redis_push::Mount::new(NeverReady(spec));
    let handle = start(server.url(), [mount]).await;
    eventually("the failures to show in the health", async || {
        !handle.health().is_ready() && handle.stats().handlers[0].gap_failures > 0
    })
    .await;
    assert!(handle.health().is_live());
}

#[derive(redis_push::PushMessage)]
#[push(channel = "spellings")]
struct Spelled {
    #[serde(alias = "order", alias = "order_id")]
    id: f64,
    number: u64,
}

#[derive(redis_push::PushMessage)]
#[push(channel = "cases")]
#[serde(rename_all = "camelCase")]
struct Cased {
    #[serde(alias = "old")]
    the_id: String,
    number: u64,
}

/// The numbers of the messages, in the order of their deliveries.
#[derive(Default)]
struct Numbers {
    spelled: Mutex<Vec<u64>>,
    cased: Mutex<Vec<u64>>,
}

/// Yields at random, so that messages with different workers overtake each other.
async fn record(list: &Mutex<Vec<u64>>, number: u64) {
    for _ in 0..fastrand::u32(0..8) {
        tokio::task::yield_now().await;
    }
    list.lock().unwrap().push(number);
}

#[redis_push::push_handler(workers = 8, ordered_by = id)]
async fn on_spelled(spelled: Spelled, State(numbers): State<Arc<Numbers>>) {
    assert_eq!(spelled.id, 1.0);
    record(&numbers.spelled, spelled.number).await;
}

#[redis_push::push_handler(workers = 8, ordered_by = theId)]
async fn on_cased(cased: Cased, State(numbers): State<Arc<Numbers>>) {
    assert_eq!(cased.the_id, "a/b");
    record(&numbers.cased, cased.number).await;
}

pub(crate) async fn workers_keep_the_order_of_a_key_however_it_is_written() {
    let server = redis_push::testing::Broker::start().await.unwrap();
    let mounts = redis_push::handlers![on_spelled, on_cased];
    let numbers = Arc::new(Numbers::default());
    let starting = subscriber(server.url())
        .state(Arc::clone(&numbers))
        .handlers(mounts)
        .start();
    let handle = within("the start", starting).await.unwrap();
    const MESSAGES: u64 = 400;
    let ids = [
        "\"id\": 1",
        "\"order\": 1.0",
        "\"order_id\": 1e0",
        "\"\\u0069d\": 10e-1",
    ];
    let names = [
        "\"theId\": \"a/b\"",
        "\"old\": \"a\\/b\"",
        "\"theI\\u0064\": \"\\u0061/b\"",
    ];
    for number in 0..MESSAGES {
        let id = fastrand::choice(ids).unwrap();
        server.publish("spellings", format!("{{{id}, \"number\": {number}}}"));
        let name = fastrand::choice(names).unwrap();
        server.publish("cases", format!("{{\"number\": {number}, {name}}}"));
    }
    let report = within("the shutdown", handle.shutdown(Duration::from_secs(10))).await;
    for counts in &report.stats.handlers {
        assert_eq!(counts.handled, MESSAGES, "{report}");
    }
    for list in [&numbers.spelled, &numbers.cased] {
        assert!(list.lock().unwrap().is_sorted());
    }
}
