//! A channel with `Overflow::Latest`, compared with a plain list.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::since;
use crate::broadcast::Shared;
use crate::broadcast::budget::{Budget, Overflow};
use crate::broadcast::state::Received;
use crate::gap::GapCause;

/// Runs one random schedule. The model is a plain list: the newest number of each channel.
fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let budget = Budget {
        messages: random.usize(1..=8),
        overflow: Overflow::Latest,
        ..Budget::default()
    };
    let shared = Arc::new(Shared::new(2, budget));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    for name in 0..2 {
        shared.confirm(name, 1, since(GapCause::Initial), &mut wakers);
    }
    let mut slots: Vec<((u32, u8), u32)> = Vec::new();
    let (mut received, mut superseded, mut dropped, mut unread_drops) = (0, 0, 0, 0);
    let (mut delivered, mut is_reported) = (0, false);
    for number in 0..random.u32(1..200) {
        if random.u32(0..10) > 0 {
            let key = (random.u32(0..2), random.u8(0..8));
            let payload = [number.to_be_bytes().to_vec(), vec![0; random.usize(0..50)]];
            shared.append(key.0, &[key.1], &payload.concat(), &mut wakers);
            received += 1;
            match slots.iter_mut().find(|(slot, _)| *slot == key) {
                Some((_, newest)) => {
                    *newest = number;
                    superseded += 1;
                }
                None => slots.push((key, number)),
            }
            if slots.len() > budget.messages {
                slots.remove(0);
                dropped += 1;
                unread_drops += 1;
            }
            continue;
        }
        let waker = Waker::noop();
        let polled = pin!(receiver.recv()).poll(&mut Context::from_waker(waker));
        let Poll::Ready(Some(Received { gap, missed, batch })) = polled else {
            assert!(slots.is_empty() && is_reported, "nothing is held back");
            continue;
        };
        if !is_reported && unread_drops > 0 {
            let gap = gap.expect("the initial gap comes first");
            assert_eq!(
                (gap.cause, missed, batch.is_none()),
                (GapCause::Initial, 0, true)
            );
            is_reported = true;
            continue;
        }
        assert_eq!(missed, std::mem::take(&mut unread_drops), "drops are exact");
        assert_eq!(
            gap.is_some(),
            missed > 0 || !is_reported,
            "a superseded push is not a gap"
        );
        is_reported = true;
        let Some((batch, skip)) = batch else {
            assert!(slots.is_empty());
            continue;
        };
        assert_eq!((batch.len(), skip), (1, 0), "one at a time");
        for (index, (key, number)) in (skip..).zip(slots.drain(..1)) {
            let payload = &batch.bytes()[batch.payload(index)];
            assert_eq!(
                payload[..4],
                number.to_be_bytes(),
                "the newest push, in the order of arrival"
            );
            assert_eq!(batch.channel(index), [key.1]);
            assert_eq!(batch.subscription(index), key.0 as usize);
            delivered += 1;
        }
        receiver.done(batch);
    }
    let backlog = receiver.meter().backlog();
    assert_eq!(backlog.superseded, superseded);
    assert_eq!(backlog.end + superseded, received);
    let queued = slots.len() as u64;
    assert_eq!(
        received,
        delivered + superseded + dropped + queued,
        "every push is accounted for"
    );
}

#[test]
fn a_latest_queue_agrees_with_a_plain_list_over_ten_thousand_random_schedules() {
    for seed in 0..10_000 {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}
