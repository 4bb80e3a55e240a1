//! Backpressure of the wire link when a handler's buffer is full.

use std::time::Duration;

use redis_push::{Fault, Handler, Missed, Mount, Push, Spec, Subscription};
use tests::{Server, eventually, within};
use tokio::sync::watch;

use crate::gated::gated;
use crate::support::{Seen, recorder, start, subscriber};

/// Yields many times for each message. It does not use a timer: a late timer on a loaded machine
/// would make the handler look stuck.
struct Leisurely(Spec);

impl Handler<()> for Leisurely {
    fn spec(&self) -> Spec {
        self.0.clone()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

pub(crate) async fn a_burst_waits_in_the_socket_for_a_busy_handler(server: Server) {
    // If the machine stalls for 50 ms, the handler looks stuck and messages are rightly dropped. That
    // should not happen three times in a row.
    for attempt in 1..=3 {
        let dropped = dropped_of_a_burst(&server).await;
        if dropped == 0 {
            return;
        }
        eprintln!("attempt {attempt}: {dropped} dropped");
    }
    panic!("every burst lost messages");
}

async fn dropped_of_a_burst(server: &Server) -> u64 {
    const MESSAGES: u64 = 1_000;
    let spec = Spec::new("leisurely").on(Subscription::channel("a"));
    let handle = start(server.url(), [Mount::new(Leisurely(spec.buffer(20)))]).await;
    for number in 0..MESSAGES {
        server.publish("a", &number.to_string()).await;
    }
    eventually("every message to be accounted for", async || {
        let counts = &handle.stats().handlers[0];
        counts.handled + counts.dropped == MESSAGES
    })
    .await;
    handle.stats().dropped()
}

pub(crate) async fn a_stuck_handler_is_not_waited_for_and_gets_an_exact_gap(server: Server) {
    let (gate, gated_by) = watch::channel(false);
    let spec = Spec::new("stuck")
        .on(Subscription::channel("stuck"))
        .buffer(50);
    let (stuck, mut stuck_journal) = gated(spec, gated_by);
    let (quick, mut quick_journal) = recorder("quick", Subscription::channel("quick"));
    let handle = start(server.url(), [stuck, quick]).await;
    quick_journal.begins().await;
    for number in 0..500 {
        server.publish("stuck", &number.to_string()).await;
        server.publish("quick", &number.to_string()).await;
    }
    for number in 0..500 {
        quick_journal.message("quick", &number.to_string()).await;
    }
    gate.send_replace(true);
    stuck_journal.begins().await;
    let (mut next, mut missed) = (0, 0);
    while next < 500 {
        match stuck_journal.next().await {
            Seen::Message(_, payload) => {
                assert_eq!(payload, next.to_string());
                next += 1;
            }
            Seen::Gap(gap) => {
                let Missed::Exactly(count) = gap.missed else {
                    panic!("{gap}");
                };
                missed += count;
                next += count;
            }
        }
    }
    assert!(missed > 0);
    let report = handle.shutdown(Duration::from_secs(5)).await;
    let counts = report.stats.handler("stuck").unwrap();
    assert_eq!((counts.dropped, counts.handled), (missed, 500 - missed));
}

pub(crate) async fn a_wait_does_not_count_as_silence_for_the_ping(server: Server) {
    const MESSAGES: u64 = 1_000;
    let spec = Spec::new("slow").on(Subscription::channel("a")).buffer(20);
    let starting = subscriber(server.url())
        .ping(Duration::from_millis(50), Duration::from_millis(700))
        .handlers([Mount::new(Slow(spec))])
        .start();
    let handle = within("the start", starting).await.unwrap();
    for number in 0..MESSAGES {
        server.publish("a", &number.to_string()).await;
    }
    // The waits together are longer than the ping's timeout. On a loaded machine the handler may look
    // stuck for a moment and lose messages, but the connection must not be dropped for that.
    eventually("every message to be accounted for", async || {
        let counts = &handle.stats().handlers[0];
        counts.handled + counts.dropped == MESSAGES
    })
    .await;
    assert_eq!(handle.stats().feed.reconnects, 0);
}

/// A handler that takes two milliseconds for each message.
struct Slow(Spec);

impl Handler<()> for Slow {
    fn spec(&self) -> Spec {
        self.0.clone()
    }

    async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        Ok(())
    }
}
