//! How much memory a broadcast channel holds.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use super::{since, take};
use crate::broadcast::budget::Budget;
use crate::broadcast::state::Received;
use crate::broadcast::{GapStart, Shared};
use crate::gap::{GapCause, Missed};

#[test]
fn the_memory_of_a_large_push_is_not_kept() {
    const LARGE: usize = 4 * 1024 * 1024;
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    for payload in [&[0; LARGE][..], b"small"] {
        shared.append(0, b"", payload, &mut wakers);
        assert_eq!(shared.lock().queue.memory() > LARGE, payload.len() == LARGE);
        take(&mut receiver).expect("a batch");
    }
}

/// Fills a channel of the default budget with messages of 100 bytes: `burst` of them at once, then
/// `one_by_one` of them that another handler reads one by one. A stuck handler holds its first
/// batch meanwhile. Returns how many messages wait for the stuck handler, and how much memory they
/// hold.
fn memory_of_a_full_channel(burst: usize, one_by_one: usize) -> (usize, usize) {
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut stuck = shared.subscribe();
    let mut other = shared.subscribe();
    let mut wakers = Vec::new();
    let append = |wakers: &mut Vec<Waker>| {
        shared.append(0, b"", &[b'x'; 100], wakers);
        wakers.clear();
    };
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    append(&mut wakers);
    let at_work = take(&mut stuck).expect("a batch");
    for _ in 0..burst {
        append(&mut wakers);
    }
    for _ in 0..one_by_one {
        append(&mut wakers);
        while take(&mut other).is_some() {}
    }
    let backlog = stuck.meter().backlog();
    let messages = usize::try_from(backlog.end - 1 - backlog.missed).unwrap();
    (messages, shared.lock().queue.memory() + at_work.capacity())
}

#[test]
fn a_full_channel_of_small_messages_holds_less_than_four_times_their_size() {
    let full = Budget::default().messages;
    for (burst, one_by_one) in [
        (full, 0),
        (2 * full, 0),
        (0, 2 * full),
        // The memory of large batches is not kept for small ones.
        (full, full),
        (full, full / 2),
    ] {
        let (messages, bytes) = memory_of_a_full_channel(burst, one_by_one);
        assert_eq!(messages, full, "the channel is full");
        let times = bytes as f64 / (messages * 100) as f64;
        println!("{burst} at once, {one_by_one} one by one: {times:.2} times their size");
        // The requirement is four times; the allocator needs some memory for each batch as well.
        assert!(
            times < 3.0,
            "{times:.2} times the size of {messages} messages"
        );
    }
}

#[test]
fn a_batch_does_not_take_twice_the_memory_of_a_large_push() {
    const LARGE: usize = 1024 * 1024;
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut stuck = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    for size in [0, 30 * 1024, LARGE] {
        shared.append(0, b"", &vec![0; size], &mut wakers);
    }
    let most = LARGE + 80 * 1024;
    let waiting = shared.held().waiting;
    assert!(waiting < most, "{waiting} bytes wait");
    let in_hand = take(&mut stuck).expect("a batch");
    let held = shared.held();
    assert!(held.messages == 0 && held.waiting < 100, "{held:?}");
    assert_eq!(held.in_hand, in_hand.memory());
    assert!(take(&mut stuck).is_none());
    assert_eq!(shared.held().in_hand, 0, "it has asked for the next batch");
}

#[test]
fn a_batch_in_several_hands_counts_once() {
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut readers: Vec<_> = (0..3).map(|_| shared.subscribe()).collect();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    shared.append(0, b"", &[0; 10_000], &mut wakers);
    let waiting = shared.held().waiting;
    let batches: Vec<_> = readers.iter_mut().filter_map(take).collect();
    assert_eq!(batches.len(), 3);
    let held = shared.held();
    assert_eq!(held.in_hand, batches[0].memory());
    assert!(held.memory() < 2 * waiting, "{held:?}");
    drop(readers);
    assert_eq!(shared.held().in_hand, 0);
}

/// Nothing but a gap is left of most segments, and gaps take memory too.
#[test]
fn a_stuck_reader_does_not_keep_each_of_ten_thousand_gaps() {
    const ROUNDS: u64 = 10_000;
    let budget = Budget {
        messages: 10,
        ..Budget::default()
    };
    let shared = Arc::new(Shared::new(1, budget));
    let mut stuck = shared.subscribe();
    // This one stays a few gaps behind.
    let mut slow = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    shared.append(0, b"", b"", &mut wakers);
    take(&mut stuck).expect("a batch");
    for round in 0..ROUNDS {
        let before = GapStart {
            missed: Missed::Exactly(1),
            ..since(GapCause::Oversized)
        };
        shared.interrupt(before, &mut wakers);
        shared.append(0, b"", b"", &mut wakers);
        if round % 5 == 0 {
            take(&mut slow);
        }
    }
    let waiting = shared.held().waiting;
    assert!(waiting < 16 * 1024, "{waiting} bytes wait");
    shared.empty();
    assert_eq!(shared.lock().queue.end(), ROUNDS + 1);
    let mut context = Context::from_waker(Waker::noop());
    match pin!(stuck.recv()).poll(&mut context) {
        Poll::Ready(Some(Received { gap, batch, .. })) => {
            // As many were too large as were dropped afterwards.
            assert_eq!(gap.unwrap().missed, Missed::Exactly(2 * ROUNDS));
            assert!(batch.is_none());
        }
        other => panic!("expected a gap, got {other:?}"),
    }
}

#[test]
fn batches_that_workers_use_count_until_they_are_released() {
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    let mut jobs = Vec::new();
    let mut memory = 0;
    let mut oldest = None;
    for _ in 0..3 {
        shared.append(0, b"", &[b'x'; 100_000], &mut wakers);
        let batch = take(&mut receiver).expect("a batch");
        oldest.get_or_insert(batch.fence);
        memory += batch.memory();
        assert_eq!(shared.held().in_hand, memory);
        jobs.push(batch);
        receiver.keep_in_use();
    }
    assert_eq!(
        Some(receiver.position().1),
        oldest.map(SystemTime::from),
        "its delivery may still be cancelled"
    );
    jobs.truncate(1);
    assert!(take(&mut receiver).is_none());
    assert_eq!(shared.held().in_hand, jobs[0].memory());
    jobs.clear();
    assert!(take(&mut receiver).is_none());
    assert_eq!(shared.held().in_hand, 0);
}
