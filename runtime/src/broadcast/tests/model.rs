use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Poll, Waker};
use std::time::SystemTime;

use shuttle::thread::{self, JoinHandle};

use super::model_reader::{Reader, holds, payload, since};
use crate::broadcast::budget::Budget;
use crate::broadcast::fence::Fence;
use crate::broadcast::receiver::Receiver;
use crate::broadcast::{OpenBatch, Pace, Shared};
use crate::gap::GapCause;
use crate::push::Batch;
use crate::util::model::{block_on, check};

/// Returns a channel whose subscription is confirmed.
fn live(budget: Budget) -> Arc<Shared> {
    let shared = Arc::new(Shared::new(1, budget));
    confirm(&shared, 0, 1);
    shared
}

fn confirm(shared: &Shared, index: usize, generation: u64) {
    let before = since(GapCause::ConnectionLost);
    then_wake(|wakers| shared.confirm(index, generation.into(), before, wakers));
}

/// Runs an operation and then wakes without a lock, as the dispatcher does.
fn then_wake<T>(run: impl FnOnce(&mut Vec<Waker>) -> T) -> T {
    let mut wakers = Vec::new();
    let done = run(&mut wakers);
    wakers.into_iter().for_each(Waker::wake);
    done
}

fn append(shared: &Shared, numbers: std::ops::Range<u64>) {
    for number in numbers {
        then_wake(|wakers| shared.append(0, b"", &payload(number), wakers));
    }
}

/// Appends, and waits while the channel is full, as the wire link does.
fn append_all(shared: &Shared, numbers: std::ops::Range<u64>) {
    for number in numbers {
        while shared.should_wait_for(payload(number).len()) {
            block_on(poll_fn(|cx| {
                if shared.poll_room(cx.waker()) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }));
        }
        append(shared, number..number + 1);
    }
}

/// Appends as the dispatcher does for many messages: to open batches that are handed over when they are full, and
/// at the end. Waits while the channel is full.
fn append_gathered(shared: &Shared, numbers: std::ops::Range<u64>) {
    let hand_over = |open: Option<OpenBatch>| {
        if let Some(open) = open {
            then_wake(|wakers| shared.hand_over(open, wakers));
        }
    };
    let mut open: Option<OpenBatch> = None;
    for number in numbers {
        let payload = payload(number);
        let has_room = |open: &mut OpenBatch| open.make_room(payload.len()).is_some();
        if !open.as_mut().is_some_and(has_room) {
            hand_over(open.take());
            open = shared.outlook().open(
                payload.len(),
                SystemTime::UNIX_EPOCH,
                &Fence::default(),
                || None,
            );
        }
        match &mut open {
            Some(open) => assert!(has_room(open) && open.append(0, b"", &payload)),
            None => append_all(shared, number..number + 1),
        }
    }
    hand_over(open);
}

fn close(shared: &Shared) {
    then_wake(|wakers| shared.close(wakers));
}

/// Adds a reader to a channel that is live.
fn join(shared: &Arc<Shared>) -> Receiver {
    shared.subscribe_at(Pace::Budget, true)
}

fn reads(shared: &Arc<Shared>, count: u64) -> JoinHandle<Reader> {
    let reader = Reader::new(join(shared));
    thread::spawn(move || reader.read_to(count))
}

#[test]
fn a_reader_wakes_for_the_last_push_under_each_schedule() {
    check(usize::MAX, || {
        let shared = live(holds(16));
        let reader = reads(&shared, 2);
        append(&shared, 0..2);
        assert_eq!(reader.join().unwrap().missed, 0);
    });
}

#[test]
fn two_readers_wake_for_the_same_push() {
    check(4, || {
        let shared = live(holds(16));
        let readers = [reads(&shared, 1), reads(&shared, 1)];
        append(&shared, 0..1);
        for reader in readers {
            assert_eq!(reader.join().unwrap().missed, 0);
        }
    });
}

#[test]
fn each_reader_receives_every_push_from_its_own_position() {
    check(2, || {
        let shared = live(holds(64));
        let readers = [reads(&shared, 4), reads(&shared, 4)];
        append(&shared, 0..4);
        for reader in readers {
            assert_eq!(reader.join().unwrap().missed, 0);
        }
    });
}

#[test]
fn batches_that_are_dropped_before_a_slow_reader_are_counted_exactly() {
    check(2, || lag(holds(2)));
}

#[test]
fn parts_of_a_batch_that_are_dropped_before_a_slow_reader_are_counted_exactly() {
    let push = size_of::<u64>() + Batch::ENTRY_BYTES;
    check(2, move || {
        lag(Budget {
            bytes: 2 * push,
            ..Budget::default()
        });
    });
}

/// Appends twice as many pushes as the budget has room for.
fn lag(budget: Budget) {
    let shared = live(budget);
    let readers = [reads(&shared, 4), reads(&shared, 4)];
    append(&shared, 0..4);
    for reader in readers {
        assert!(reader.join().unwrap().missed <= 2);
    }
}

#[test]
fn pushes_that_the_memory_limit_drops_are_counted_exactly_and_no_reader_sleeps() {
    check(2, || {
        let shared = live(holds(64));
        let readers = [reads(&shared, 4), reads(&shared, 4)];
        append(&shared, 0..2);
        shared.shed(usize::MAX);
        append(&shared, 2..4);
        shared.empty();
        for reader in readers {
            assert!(reader.join().unwrap().missed <= 4);
        }
    });
}

#[test]
fn a_close_ends_every_reader_after_the_last_push() {
    check(2, || {
        let shared = live(holds(64));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let reader = Reader::new(join(&shared));
                thread::spawn(|| reader.read_to_the_end())
            })
            .collect();
        append(&shared, 0..3);
        close(&shared);
        for reader in readers {
            let reader = reader.join().unwrap();
            assert_eq!((reader.position, reader.missed), (3, 0));
        }
    });
}

#[test]
fn a_link_that_waits_for_two_readers_loses_nothing_and_is_woken() {
    check(2, || {
        let shared = live(holds(2));
        let readers = [reads(&shared, 3), reads(&shared, 3)];
        append_all(&shared, 0..3);
        for reader in readers {
            assert_eq!(reader.join().unwrap().missed, 0);
        }
    });
}

#[test]
fn a_link_that_waits_for_room_is_woken() {
    check(4, || {
        let shared = live(holds(1));
        let reader = reads(&shared, 2);
        append_all(&shared, 0..2);
        assert_eq!(reader.join().unwrap().missed, 0);
    });
}

#[test]
fn readers_wake_for_pushes_that_are_handed_over_together() {
    check(2, || {
        let shared = live(holds(64));
        let readers = [reads(&shared, 4), reads(&shared, 4)];
        append_gathered(&shared, 0..2);
        append_gathered(&shared, 2..4);
        for reader in readers {
            assert_eq!(reader.join().unwrap().missed, 0);
        }
    });
}

#[test]
fn pushes_that_are_handed_over_together_never_exceed_the_room_that_there_was() {
    check(2, || {
        let shared = live(holds(2));
        let stays = reads(&shared, 6);
        let goes = Reader::new(join(&shared));
        let goes = thread::spawn(move || drop(goes.read_to(1)));
        append_gathered(&shared, 0..6);
        assert_eq!(stays.join().unwrap().missed, 0);
        goes.join().unwrap();
    });
}

#[test]
fn a_close_while_a_batch_is_open_ends_every_reader() {
    check(2, || {
        let shared = live(holds(4));
        let reader = Reader::new(join(&shared));
        let reader = thread::spawn(|| reader.read_to_the_end());
        let closing = Arc::clone(&shared);
        let closing = thread::spawn(move || close(&closing));
        append_gathered(&shared, 0..3);
        closing.join().unwrap();
        let reader = reader.join().unwrap();
        assert!(reader.position <= 3);
        assert_eq!(reader.missed, 0);
    });
}

#[test]
fn a_link_does_not_wait_for_a_dropped_reader() {
    check(2, || {
        let shared = live(holds(2));
        let stays = reads(&shared, 5);
        let goes = Reader::new(join(&shared));
        let goes = thread::spawn(move || drop(goes.read_to(1)));
        append_all(&shared, 0..5);
        assert_eq!(stays.join().unwrap().missed, 0);
        goes.join().unwrap();
    });
}

#[test]
fn a_close_ends_a_wait_for_a_stuck_reader() {
    check(2, || {
        let shared = live(holds(2));
        let stuck = Reader::new(join(&shared));
        let closing = Arc::clone(&shared);
        let closing = thread::spawn(move || close(&closing));
        append_all(&shared, 0..4);
        closing.join().unwrap();
        assert_eq!(stuck.read_to_the_end().missed, 0);
    });
}

#[test]
fn a_gap_is_reported_once_and_in_order() {
    check(2, || {
        let shared = Arc::new(Shared::new(2, holds(64)));
        let readers = [reads(&shared, 2), reads(&shared, 2)];
        // Both names of the first connection, then a push, then the same again.
        for generation in 1..=2 {
            confirm(&shared, 0, generation);
            let number = generation - 1;
            append(&shared, number..number + 1);
            confirm(&shared, 1, generation);
        }
        for reader in readers {
            let gaps = reader.join().unwrap().gaps;
            assert_eq!(gaps, [GapCause::Initial, GapCause::ConnectionLost]);
        }
    });
}

#[test]
fn statistics_never_account_for_more_than_was_received() {
    check(2, || {
        let shared = live(holds(2));
        let mut reader = Reader::new(join(&shared));
        let meter = reader.receiver.meter();
        let counted = Arc::new(AtomicU64::new(0));
        let counts = Arc::clone(&counted);
        let reader = thread::spawn(move || {
            while reader.position < 4 {
                reader.read();
                counts.store(reader.position - reader.missed, SeqCst);
            }
        });
        let asking = thread::spawn(move || {
            for _ in 0..3 {
                let position = counted.load(SeqCst);
                let backlog = meter.backlog();
                assert!(position + backlog.missed <= backlog.end, "{backlog:?}");
            }
        });
        append(&shared, 0..4);
        asking.join().unwrap();
        reader.join().unwrap();
    });
}
