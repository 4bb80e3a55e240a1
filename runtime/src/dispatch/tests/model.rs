//! The gathering of wake-ups depends on the clock, so a schedule cannot be repeated exactly. Tests
//! in which the waking task takes part therefore use random schedules.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use shuttle::thread;

use crate::broadcast::tests::model_reader::{Reader, holds, payload};
use crate::broadcast::{Budget, Pace, Shared};
use crate::config::Settings;
use crate::dispatch::Dispatcher;
use crate::dispatch::table::RoutingTable;
use crate::gap::{GapCause, Missed};
use crate::push::{Incoming, NodeId};
use crate::subscription::{Kind, Subscription};
use crate::util::model::{block_on, check, check_some};

/// Returns a dispatcher with one confirmed name, a broadcast channel for each budget, and a reader
/// of each.
fn live<const N: usize>(budgets: [Budget; N]) -> (Arc<Dispatcher>, [Reader; N]) {
    let mut routes = RoutingTable::default();
    let readers = budgets.map(|budget| {
        let shared = Arc::new(Shared::new(1, budget));
        routes.add(&shared, &[Subscription::channel("c")]);
        Reader::new(shared.subscribe())
    });
    let dispatcher = Arc::new(Dispatcher::new(routes, &Settings::default()));
    dispatcher.open(1.into());
    dispatcher.accept(
        1.into(),
        &Incoming::Subscribed {
            kind: Kind::Channel,
            name: b"c",
        },
    );
    (dispatcher, readers)
}

/// Returns a dispatcher with one confirmed name, and readers of one broadcast channel: a crowd.
fn crowded() -> (Arc<Dispatcher>, [Reader; 3]) {
    let (dispatcher, [first]) = live([holds(64)]);
    let shared = Arc::clone(first.receiver.shared());
    let more = [(); 2].map(|()| Reader::new(shared.subscribe_at(Pace::Budget, true)));
    let [second, third] = more;
    (dispatcher, [first, second, third])
}

fn message(payload: &[u8]) -> Incoming<'_> {
    Incoming::Message {
        kind: Kind::Channel,
        name: b"c",
        channel: b"c",
        payload,
    }
}

/// Passes pushes one by one, as the manager link does.
fn accept(dispatcher: &Dispatcher, numbers: std::ops::Range<u64>) {
    for number in numbers {
        dispatcher.accept(1.into(), &message(&payload(number)));
    }
}

/// Passes many pushes at a time and waits for a full buffer, as the wire link does.
fn dispatch_all(dispatcher: &Dispatcher, numbers: std::ops::Range<u64>) {
    let mut numbers = numbers.peekable();
    while numbers.peek().is_some() {
        let mut full = None;
        dispatcher.dispatch(1.into(), |guard| {
            while let Some(number) = numbers.peek() {
                if let Err(shared) = guard.push_or_wait(&message(&payload(*number))) {
                    full = Some(shared);
                    break;
                }
                numbers.next();
            }
        });
        if let Some(shared) = full {
            block_on(poll_fn(|cx| {
                if shared.poll_room(cx.waker()) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }));
        }
    }
}

fn reads<const N: usize>(readers: [Reader; N], count: u64) -> [thread::JoinHandle<Reader>; N] {
    readers.map(|reader| thread::spawn(move || reader.read_to(count)))
}

fn none_missed<const N: usize>(readers: [thread::JoinHandle<Reader>; N]) {
    for reader in readers {
        assert_eq!(reader.join().unwrap().missed, 0);
    }
}

/// Spawns the task that wakes handlers a moment later.
fn spawn_waking(dispatcher: &Arc<Dispatcher>) -> shuttle::future::JoinHandle<()> {
    shuttle::future::spawn(Arc::clone(dispatcher).keep_waking())
}

#[test]
fn every_gathered_wake_up_is_sent() {
    check_some(|| {
        let (dispatcher, readers) = live([holds(64), holds(65)]);
        let readers = reads(readers, 4);
        let waking = spawn_waking(&dispatcher);
        accept(&dispatcher, 0..4);
        none_missed(readers);
        waking.abort();
    });
}

#[test]
fn no_reader_stays_asleep_when_the_waking_task_ends() {
    check_some(|| {
        let (dispatcher, readers) = live([holds(64), holds(65)]);
        let readers = reads(readers, 4);
        let waking = spawn_waking(&dispatcher);
        let ending = thread::spawn(move || waking.abort());
        accept(&dispatcher, 0..4);
        none_missed(readers);
        ending.join().unwrap();
    });
}

#[test]
fn every_reader_of_a_crowd_receives_what_arrives_while_it_is_woken() {
    check_some(|| {
        let (dispatcher, readers) = crowded();
        let readers = reads(readers, 3);
        let waking = spawn_waking(&dispatcher);
        accept(&dispatcher, 0..3);
        none_missed(readers);
        waking.abort();
    });
}

#[test]
fn no_reader_of_a_crowd_stays_asleep_when_the_waking_task_ends() {
    check_some(|| {
        let (dispatcher, readers) = crowded();
        let readers = reads(readers, 3);
        let waking = spawn_waking(&dispatcher);
        let ending = thread::spawn(move || waking.abort());
        accept(&dispatcher, 0..3);
        none_missed(readers);
        ending.join().unwrap();
    });
}

#[test]
fn a_wake_up_by_the_session_loses_no_other_wake_up() {
    check_some(|| {
        let (dispatcher, readers) = live([holds(64), holds(65)]);
        let readers = reads(readers, 4);
        let waking = spawn_waking(&dispatcher);
        let session = Arc::clone(&dispatcher);
        let session = thread::spawn(move || {
            session.interrupt(Missed::AtMost(1));
            session.deny(
                NodeId::FIRST,
                &Subscription::channel("other"),
                &Arc::from("no"),
            );
        });
        accept(&dispatcher, 0..4);
        none_missed(readers);
        session.join().unwrap();
        waking.abort();
    });
}

#[test]
fn many_pushes_at_a_time_wait_for_the_full_buffer() {
    check(1, || {
        let (dispatcher, readers) = live([holds(1), holds(64)]);
        let readers = reads(readers, 3);
        dispatch_all(&dispatcher, 0..3);
        none_missed(readers);
    });
}

#[test]
fn a_close_between_pushes_ends_every_reader() {
    check_some(|| {
        let (dispatcher, readers) = live([holds(64), holds(65)]);
        let readers = readers.map(|reader| thread::spawn(|| reader.read_to_the_end()));
        let waking = spawn_waking(&dispatcher);
        let closing = Arc::clone(&dispatcher);
        let closing = thread::spawn(move || closing.close());
        accept(&dispatcher, 0..3);
        let ends = readers.map(|reader| reader.join().unwrap());
        assert!(ends.iter().all(|reader| reader.missed == 0));
        closing.join().unwrap();
        waking.abort();
    });
}

#[test]
fn a_push_of_a_previous_connection_is_discarded() {
    check(2, || {
        let (dispatcher, readers) = live([holds(64)]);
        let readers = reads(readers, 2);
        let late = Arc::clone(&dispatcher);
        let late = thread::spawn(move || {
            late.accept(0.into(), &message(b"stale"));
        });
        accept(&dispatcher, 0..2);
        none_missed(readers);
        late.join().unwrap();
    });
}

#[test]
fn a_new_connection_is_reported_after_the_pushes_of_the_old_one() {
    check_some(|| {
        let (dispatcher, readers) = live([holds(64), holds(65)]);
        let readers = reads(readers, 3);
        let waking = spawn_waking(&dispatcher);
        accept(&dispatcher, 0..2);
        dispatcher.end(NodeId::FIRST, Missed::Unknown);
        dispatcher.open(2.into());
        let confirmed = Incoming::Subscribed {
            kind: Kind::Channel,
            name: b"c",
        };
        dispatcher.accept(2.into(), &confirmed);
        dispatcher.accept(2.into(), &message(&payload(2)));
        for reader in readers {
            let reader = reader.join().unwrap();
            assert_eq!(reader.missed, 0);
            assert_eq!(reader.gaps, [GapCause::Initial, GapCause::ConnectionLost]);
        }
        waking.abort();
    });
}
