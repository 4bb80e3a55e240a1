//! A channel with `Overflow::Latest`, compared with a plain list.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use super::since;
use crate::broadcast::budget::{Budget, Overflow};
use crate::broadcast::receiver::Receiver;
use crate::broadcast::state::Received;
use crate::broadcast::{Common, Shared};
use crate::gap::{GapCause, Missed};
use crate::util::Timestamp;

/// The model: the newest push of each channel, in a plain list.
#[derive(Default)]
struct Model {
    slots: Vec<Slot>,
    superseded: u64,
    dropped: u64,
    /// How many of those are not reported yet.
    unread_drops: u64,
}

struct Slot {
    key: (u32, u8),
    number: u32,
    /// A push of an earlier segment is not replaced any more.
    segment: u64,
}

impl Model {
    fn append(&mut self, key: (u32, u8), number: u32, segment: u64) {
        let mut slots = self.slots.iter_mut();
        match slots.find(|slot| (slot.key, slot.segment) == (key, segment)) {
            Some(slot) => {
                slot.number = number;
                self.superseded += 1;
            }
            None => self.slots.push(Slot {
                key,
                number,
                segment,
            }),
        }
    }

    fn drop_to(&mut self, most: usize) {
        let dropped = self.slots.len().saturating_sub(most);
        self.slots.drain(..dropped);
        self.dropped += dropped as u64;
        self.unread_drops += dropped as u64;
    }
}

/// Runs one random schedule.
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
    let mut model = Model::default();
    let (mut received, mut delivered, mut reported, mut segment) = (0, 0, 0, 0);
    for number in 0..random.u32(1..200) {
        let step = random.u32(0..24);
        match step {
            _ if segment == 0 || step == 0 => {
                segment += 1;
                for name in 0..2 {
                    let before = since(GapCause::ConnectionLost);
                    shared.confirm(name, segment.into(), before, &mut wakers);
                }
            }
            1 => {
                shared.shed(random.usize(1..1_000));
                let left = shared.held().messages;
                assert!(left >= model.slots.len().min(1), "one push stays");
                model.drop_to(left);
            }
            2 => {
                shared.empty();
                let held = shared.held();
                assert_eq!(held.messages, 0, "{held:?}");
                // A gap that a reader has to receive takes a little.
                assert!(held.waiting < 512, "{held:?}");
                model.drop_to(0);
            }
            3..=21 => {
                let key = (random.u32(0..2), random.u8(0..8));
                let payload = [number.to_be_bytes().to_vec(), vec![0; random.usize(0..500)]];
                shared.append(key.0, &[key.1], &payload.concat(), &mut wakers);
                received += 1;
                model.append(key, number, segment);
                model.drop_to(budget.messages);
            }
            _ => delivered += read(&mut receiver, &mut model, &mut reported, segment),
        }
        let state = shared.lock();
        assert_eq!(state.held().messages, model.slots.len());
        assert!(state.held().waiting >= state.queue.held_bytes());
        let (counted, recounted) = state.queue.recount();
        assert_eq!(counted, recounted, "the memory is exact");
    }
    let backlog = receiver.meter().backlog();
    assert_eq!(backlog.superseded, model.superseded);
    assert_eq!(backlog.end + model.superseded, received);
    let queued = model.slots.len() as u64;
    assert_eq!(
        received,
        delivered + model.superseded + model.dropped + queued,
        "every push is accounted for"
    );
}

/// Reads once and compares. Returns how many pushes were delivered.
fn read(receiver: &mut Receiver, model: &mut Model, reported: &mut u64, current: u64) -> u64 {
    let waker = Waker::noop();
    let polled = pin!(receiver.recv()).poll(&mut Context::from_waker(waker));
    let next = model.slots.first().map_or(current, |slot| slot.segment);
    let Poll::Ready(Some(Received {
        gap, missed, batch, ..
    })) = polled
    else {
        let waits = model.slots.is_empty() && *reported == current && model.unread_drops == 0;
        assert!(waits, "nothing is held back");
        return 0;
    };
    if *reported == 0 && model.unread_drops > 0 {
        // What is missed before the first read is a gap of its own.
        let gap = gap.expect("the initial gap comes first");
        let expected = (GapCause::Initial, 0, true);
        assert_eq!((gap.cause, missed, batch.is_none()), expected);
        *reported = next;
        return 0;
    }
    assert_eq!(
        missed,
        std::mem::take(&mut model.unread_drops),
        "drops are exact"
    );
    assert_eq!(
        gap.is_some(),
        missed > 0 || *reported != next,
        "a superseded push is not a gap"
    );
    *reported = next;
    let Some(skip) = batch else {
        assert!(model.slots.is_empty());
        return 0;
    };
    let batch = receiver.batch().expect("just received");
    // A new segment takes all that waits. Else it is one at a time.
    assert!(
        next < current || (batch.len(), skip) == (1, 0),
        "one at a time"
    );
    for (index, slot) in (skip..batch.len()).zip(model.slots.drain(..batch.len() - skip)) {
        let payload = &batch.bytes()[batch.payload(index)];
        assert_eq!(
            payload[..4],
            slot.number.to_be_bytes(),
            "the newest push, in the order of arrival"
        );
        assert_eq!(batch.channel(index), [slot.key.1]);
        assert_eq!(batch.subscription(index), slot.key.0 as usize);
    }
    (batch.len() - skip) as u64
}

#[test]
fn a_lag_of_a_mailbox_ends_after_what_was_dropped_and_a_sealed_one_keeps_its_first_fence() {
    let budget = Budget {
        messages: 2,
        overflow: Overflow::Latest,
        ..Budget::default()
    };
    let shared = Arc::new(Shared::new(1, budget));
    let common = Arc::new(Common::default());
    shared.follow(&common);
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    let now = SystemTime::now();
    for (seconds, channel) in (0..).zip([b"a", b"b", b"c"]) {
        common.fence.set(now + Duration::from_secs(seconds));
        shared.append(0, channel, b"1", &mut wakers);
    }
    let dropped = SystemTime::now();
    // Seals the mailbox.
    shared.confirm(0, 2.into(), since(GapCause::ConnectionLost), &mut wakers);
    let mut next = || match pin!(receiver.recv()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(received)) => received,
        other => panic!("expected a gap, got {other:?}"),
    };
    assert_eq!(next().gap.unwrap().cause, GapCause::Initial);
    let Received { gap, batch, .. } = next();
    let gap = gap.unwrap();
    assert_eq!(
        (gap.cause, gap.missed),
        (GapCause::Lagged, Missed::Exactly(1))
    );
    assert!(gap.until >= dropped);
    assert_eq!(batch, Some(0));
    let batch = receiver.batch().unwrap();
    assert_eq!(batch.len(), 2);
    assert_eq!(
        batch.fence,
        Timestamp::from(now + Duration::from_secs(1)),
        "of the first slot"
    );
}

#[test]
fn a_latest_queue_agrees_with_a_plain_list_over_ten_thousand_random_schedules() {
    for seed in 0..10_000 {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}
