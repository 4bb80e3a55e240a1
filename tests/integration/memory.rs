//! What is dropped at the memory limit, and how it is reported. `tests/memory` measures the memory.

use std::time::Duration;

use redis_push::{Handle, Mount, Overflow, PushesError, RawPush, Spec, Subscription};
use redis_push::{Missed, Stats};
use tests::{Server, eventually, within};
use tokio::sync::watch;

use crate::gated::gated;
use crate::support::{Journal, Seen, recorder, subscriber};

const LIMIT: usize = 1024 * 1024;

const LARGE: usize = 100_000;

async fn start(server: &Server, mounts: impl IntoIterator<Item = Mount<()>>) -> Handle {
    let starting = subscriber(server.url())
        .memory_limit(LIMIT)
        .handlers(mounts)
        .start();
    within("the start", starting).await.unwrap()
}

fn sum(stats: &Stats, count: impl Fn(&redis_push::HandlerStats) -> u64) -> u64 {
    stats.handlers.iter().map(count).sum()
}

/// Waits until this many messages have arrived, and returns the stats.
async fn arrived(handle: &Handle, count: u64) -> Stats {
    eventually("every message to have arrived", async || {
        sum(&handle.stats(), |counts| counts.received) == count
    })
    .await;
    let stats = handle.stats();
    for counts in &stats.handlers {
        assert_eq!(counts.received, counts.accounted(), "{stats}");
    }
    stats
}

/// Mounts handlers that are stuck with a small message at hand until the gate opens.
fn stuck(count: usize) -> (Vec<Mount<()>>, Vec<Journal>, watch::Sender<bool>) {
    let (gate, closed) = watch::channel(false);
    let handlers = (0..count).map(|index| {
        let name = format!("c{index}");
        gated(
            Spec::new(name.clone()).on(Subscription::channel(name)),
            closed.clone(),
        )
    });
    let (mounts, journals) = handlers.unzip();
    (mounts, journals, gate)
}

async fn publish(server: &Server, count: usize, payload: &str) {
    for index in 0..count {
        server.publish(&format!("c{index}"), payload).await;
    }
}

/// Waits until each handler is at work.
async fn at_work(handle: &Handle, count: usize) {
    eventually("every handler to be at work", async || {
        sum(&handle.stats(), |counts| counts.running) == count as u64
    })
    .await;
}

pub(crate) async fn the_last_message_of_a_stuck_handler_may_be_dropped_and_is_reported(
    server: Server,
) {
    const HANDLERS: usize = 30;
    let (mounts, mut journals, gate) = stuck(HANDLERS);
    let handle = start(&server, mounts).await;
    for journal in &mut journals {
        journal.begins().await;
    }
    publish(&server, HANDLERS, "at hand").await;
    at_work(&handle, HANDLERS).await;
    let large = "x".repeat(LARGE);
    publish(&server, HANDLERS, &large).await;
    let stats = arrived(&handle, 2 * HANDLERS as u64).await;
    let queued = sum(&stats, |counts| counts.queued);
    assert!(queued as usize * LARGE <= LIMIT, "{queued} wait");
    assert!(queued > 5, "the limit is used: {queued} wait");
    gate.send_replace(true);
    for (index, journal) in journals.iter_mut().enumerate() {
        let name = format!("c{index}");
        journal.message(&name, "at hand").await;
        if stats.handlers[index].queued == 1 {
            journal.message(&name, &large).await;
        } else {
            // It is reported although no message follows.
            assert_eq!(journal.gap().await.missed, Missed::Exactly(1));
        }
    }
    arrived(&handle, 2 * HANDLERS as u64).await;
}

pub(crate) async fn a_message_that_exceeds_the_memory_limit_is_delivered_beside_stuck_handlers(
    server: Server,
) {
    const STUCK: usize = 5;
    let (mut mounts, mut journals, gate) = stuck(STUCK);
    let (well, mut journal) = recorder("well", Subscription::channel("well"));
    mounts.push(well);
    let handle = start(&server, mounts).await;
    journal.begins().await;
    publish(&server, STUCK, "at hand").await;
    at_work(&handle, STUCK).await;
    publish(&server, STUCK, &"x".repeat(LARGE)).await;
    let larger = "y".repeat(2 * LIMIT);
    for _ in 0..3 {
        server.publish("well", &larger).await;
        journal.message("well", &larger).await;
    }
    let stats = handle.stats();
    assert_eq!(stats.handler("well").unwrap().dropped, 0, "{stats}");
    assert_eq!(stats.dropped(), STUCK as u64, "{stats}");
    gate.send_replace(true);
    for (index, journal) in journals.iter_mut().enumerate() {
        journal.begins().await;
        journal.message(&format!("c{index}"), "at hand").await;
        assert_eq!(journal.gap().await.missed, Missed::Exactly(1));
    }
}

pub(crate) async fn replaced_messages_leave_room_for_others(server: Server) {
    const CHANNELS: usize = 50;
    let (gate, closed) = watch::channel(false);
    let spec = Spec::new("latest")
        .on(Subscription::pattern("c*"))
        .overflow(Overflow::Latest);
    let (mount, mut journal) = gated(spec, closed);
    let handle = start(&server, [mount]).await;
    journal.begins().await;
    server.publish("c", "at hand").await;
    at_work(&handle, 1).await;
    publish(&server, CHANNELS, &"x".repeat(LARGE)).await;
    let before = arrived(&handle, 1 + CHANNELS as u64).await;
    let queued = before.handlers[0].queued;
    assert!(queued as usize * LARGE <= LIMIT, "{queued} wait");
    assert!(before.dropped() > 0, "{before}");
    publish(&server, CHANNELS, "small").await;
    let after = arrived(&handle, 1 + 2 * CHANNELS as u64).await;
    assert_eq!(after.handlers[0].queued, CHANNELS as u64, "{after}");
    assert_eq!(
        after.dropped(),
        before.dropped(),
        "all of them fit: {after}"
    );
    gate.send_replace(true);
    journal.message("c", "at hand").await;
    assert_eq!(journal.gap().await.missed, Missed::Exactly(after.dropped()));
    for _ in 0..CHANNELS {
        match journal.next().await {
            Seen::Message(_, payload) => assert_eq!(payload, "small"),
            other => panic!("expected a message, got {other:?}"),
        }
    }
}

pub(crate) async fn a_slow_receiver_of_raw_pushes_gets_the_exact_number_of_what_it_missed(
    server: Server,
) {
    const COUNT: u64 = 40;
    let (mount, mut journal) = recorder("well", Subscription::channel("well"));
    let handle = start(&server, [mount]).await;
    let (mut slow, mut quick) = (handle.pushes(), handle.pushes());
    let dropped = handle.pushes();
    journal.begins().await;
    let large = "x".repeat(LARGE);
    for _ in 0..COUNT {
        server.publish("well", &large).await;
        let push = within("a raw push", quick.recv()).await.unwrap();
        assert!(matches!(push, RawPush::Message { payload, .. } if payload == large));
        journal.message("well", &large).await;
    }
    drop(dropped);
    let missed = match slow.try_recv() {
        Err(PushesError::Lagged(missed)) => missed,
        other => panic!("expected the number of missed pushes, got {other:?}"),
    };
    let mut received = 0;
    while let Some(push) = slow.try_recv().unwrap() {
        assert!(matches!(push, RawPush::Message { .. }));
        received += 1;
    }
    assert_eq!(missed + received, COUNT);
    assert!(received > 1, "the limit is used");
    assert!(received as usize * LARGE <= LIMIT, "{received} waited");
    // A push arrives at a receiver that waits, and the last one before the end.
    server.publish("well", "last").await;
    let push = within("a raw push", slow.recv()).await.unwrap();
    assert!(matches!(push, RawPush::Message { payload, .. } if payload == "last"));
    assert_eq!(handle.stats().dropped(), 0, "no handler has lost anything");
    handle.shutdown(Duration::from_secs(5)).await;
    loop {
        match within("the end of raw pushes", slow.recv()).await {
            Ok(push) => assert!(!matches!(push, RawPush::Message { .. })),
            Err(error) => break assert_eq!(error, PushesError::Closed),
        }
    }
}
