//! How much memory a broadcast channel holds.

use std::sync::Arc;
use std::task::Waker;

use super::{since, take};
use crate::broadcast::Shared;
use crate::broadcast::budget::Budget;
use crate::gap::GapCause;

#[test]
fn the_memory_of_a_large_push_is_not_kept() {
    const LARGE: usize = 4 * 1024 * 1024;
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1, since(GapCause::Initial), &mut wakers);
    for payload in [&[0; LARGE][..], b"small"] {
        shared.append(0, b"", payload, &mut wakers);
        assert_eq!(shared.lock().queue.memory() > LARGE, payload.len() == LARGE);
        let batch = take(&mut receiver).expect("a batch");
        receiver.done(batch);
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
    shared.confirm(0, 1, since(GapCause::Initial), &mut wakers);
    append(&mut wakers);
    let at_work = take(&mut stuck).expect("a batch");
    for _ in 0..burst {
        append(&mut wakers);
    }
    for _ in 0..one_by_one {
        append(&mut wakers);
        while let Some(batch) = take(&mut other) {
            other.done(batch);
        }
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
