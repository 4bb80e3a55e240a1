//! Many readers of one name, and who wakes them.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::broadcast::Pace;
use crate::config::Settings;
use crate::dispatch::{Dispatcher, RoutingTable, StreamReader};
use crate::push::Incoming;
use crate::subscription::{Kind, Subscription};
use crate::util::clock;

const NAME: &str = "everybody";
const READERS: usize = 10_000;

/// By how many wake-ups more than these somebody else could be held up.
const BOUND: usize = 64;

/// Counts how often it is woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Readers of one name that wait for its next message, and the task that wakes a moment later.
struct Crowd {
    dispatcher: Arc<Dispatcher>,
    readers: Vec<(StreamReader, Arc<Counter>)>,
    task: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Crowd {
    fn new() -> Self {
        let dispatcher = Arc::new(Dispatcher::new(
            RoutingTable::default(),
            &Settings::default(),
        ));
        dispatcher.open(1.into());
        let subscribe = |_| {
            let mut list: Arc<[_]> = [Subscription::channel(NAME)].into();
            let reader = dispatcher.subscribe(&mut list, Pace::Within(256), READERS);
            (reader.expect("there is room"), Arc::default())
        };
        let readers = (0..READERS).map(subscribe).collect();
        dispatcher.accept(
            1.into(),
            &Incoming::Subscribed {
                kind: Kind::Channel,
                name: NAME.as_bytes(),
            },
        );
        let task = Box::pin(Arc::clone(&dispatcher).keep_waking());
        let mut crowd = Self {
            dispatcher,
            readers,
            task: Some(task),
        };
        crowd.read();
        crowd.run_task();
        crowd
    }

    fn publish(&self) {
        let channel = NAME.as_bytes();
        self.dispatcher.accept(
            1.into(),
            &Incoming::Message {
                kind: Kind::Channel,
                name: channel,
                channel,
                payload: b"hello",
            },
        );
    }

    /// Reads with every reader until it waits. Returns how many messages they have received.
    fn read(&mut self) -> usize {
        self.read_with(0..READERS)
    }

    /// Reads with some readers until each waits.
    fn read_with(&mut self, which: Range<usize>) -> usize {
        let mut messages = 0;
        for (reader, counter) in &mut self.readers[which] {
            let waker = Waker::from(Arc::clone(counter));
            while let Poll::Ready(Some(_)) = reader.poll_recv(&mut Context::from_waker(&waker)) {
                messages += reader.batch().map_or(0, |batch| batch.len());
            }
        }
        messages
    }

    /// The second half does not wait when the other message arrives.
    fn read_half_before_and_half_after_another(&mut self) {
        assert_eq!(self.read_with(0..READERS / 2), READERS / 2);
        self.publish();
        assert_eq!(self.read_with(READERS / 2..READERS), READERS / 2);
    }

    /// Polls the task once, as the scheduler does.
    fn run_task(&mut self) {
        let task = self.task.as_mut().expect("it runs");
        let polled = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }

    /// Returns how often readers were woken, all together.
    fn woken(&self) -> usize {
        let each = self.readers.iter();
        each.map(|(_, counter)| counter.0.load(SeqCst)).sum()
    }

    fn everybody_was_woken_once(&self) {
        let mut each = self.readers.iter();
        assert!(each.all(|(_, counter)| counter.0.load(SeqCst) == 1));
    }
}

#[tokio::test]
async fn a_message_for_a_crowd_wakes_a_bounded_number_at_a_time_and_then_everybody() {
    let mut crowd = Crowd::new();
    crowd.publish();
    let mut before = crowd.woken();
    assert!(before <= BOUND, "{before} by whoever passes the message");
    while before < READERS {
        crowd.run_task();
        let now = crowd.woken();
        let more = before + 1..=before + BOUND;
        assert!(more.contains(&now), "{before}, then {now}");
        before = now;
    }
    crowd.everybody_was_woken_once();
    assert_eq!(crowd.read(), READERS);
}

#[tokio::test]
async fn a_crowd_that_waits_again_while_it_is_woken_is_woken_again() {
    let mut crowd = Crowd::new();
    crowd.publish();
    crowd.run_task();
    let part = crowd.woken();
    assert!(part < READERS);
    // Also those that are still to be woken for the first one.
    assert_eq!(crowd.read(), READERS);
    crowd.publish();
    for _ in 0..2 * (READERS / BOUND + 2) {
        crowd.run_task();
    }
    assert_eq!(crowd.woken(), 2 * READERS);
    assert_eq!(crowd.read(), READERS);
}

#[tokio::test]
async fn nobody_of_a_crowd_sleeps_when_the_task_ends() {
    let mut crowd = Crowd::new();
    crowd.publish();
    crowd.run_task();
    assert!(crowd.woken() < READERS);
    crowd.task = None;
    crowd.everybody_was_woken_once();
    // While there is no task, whoever passes the message wakes.
    assert_eq!(crowd.read(), READERS);
    crowd.publish();
    assert_eq!(crowd.woken(), 2 * READERS);
}

/// Otherwise each message would be a batch of its own, and the readers that are woken last would receive one after
/// the other.
#[tokio::test]
async fn what_arrives_while_a_crowd_is_woken_is_one_batch_for_the_next_crowd() {
    let mut crowd = Crowd::new();
    crowd.publish();
    crowd.run_task();
    assert!(crowd.woken() < READERS);
    assert_eq!(crowd.read(), READERS);
    crowd.publish();
    assert_eq!(crowd.read_with(0..1), 0);
    (0..2).for_each(|_| crowd.publish());
    for _ in 0..2 * (READERS / BOUND + 2) {
        crowd.run_task();
    }
    assert!(crowd.woken() >= 2 * READERS);
    let batches = crowd.readers.iter_mut().map(|(reader, counter)| {
        let waker = Waker::from(Arc::clone(counter));
        let polled = reader.poll_recv(&mut Context::from_waker(&waker));
        assert!(matches!(polled, Poll::Ready(Some(_))));
        reader.batch().map_or(0, |batch| batch.len())
    });
    assert!(batches.into_iter().all(|messages| messages == 3));
}

#[tokio::test]
async fn a_reader_that_has_waited_for_the_rest_of_a_crowd_is_woken_without_another_message() {
    let mut crowd = Crowd::new();
    crowd.publish();
    crowd.run_task();
    crowd.read_half_before_and_half_after_another();
    for _ in 0..2 * (READERS / BOUND + 2) {
        crowd.run_task();
    }
    assert_eq!(crowd.woken(), 2 * READERS);
    assert_eq!(crowd.read(), READERS);
}

#[tokio::test]
async fn readers_that_have_waited_for_the_rest_of_a_crowd_are_the_next_crowd() {
    let mut crowd = Crowd::new();
    crowd.publish();
    crowd.run_task();
    // So few that they are woken at once.
    const FEW: usize = 10;
    assert_eq!(crowd.read_with(0..FEW), FEW);
    crowd.publish();
    assert_eq!(crowd.read_with(FEW..READERS), READERS - FEW);
    while crowd.woken() <= READERS + FEW + BOUND {
        crowd.run_task();
    }
    assert!(crowd.woken() < 2 * READERS, "the next crowd is woken");
    assert_eq!(crowd.read(), READERS);
    crowd.publish();
    assert_eq!(crowd.read(), 0);
}

#[tokio::test]
async fn nobody_who_waits_for_the_rest_of_a_crowd_sleeps_when_the_task_ends() {
    let mut crowd = Crowd::new();
    crowd.publish();
    crowd.run_task();
    crowd.read_half_before_and_half_after_another();
    crowd.task = None;
    assert_eq!(crowd.woken(), 2 * READERS);
    assert_eq!(crowd.read(), READERS);
}

#[tokio::test]
async fn the_readers_of_another_name_do_not_wait_for_a_crowd() {
    for readers in [1, BOUND + 1] {
        let mut crowd = Crowd::new();
        let mut others: Vec<_> = (0..readers)
            .map(|_| {
                let mut list: Arc<[_]> = [Subscription::channel("others")].into();
                let reader = crowd
                    .dispatcher
                    .subscribe(&mut list, Pace::Within(256), 2 * READERS);
                reader.expect("there is room")
            })
            .collect();
        let (kind, name) = (Kind::Channel, &b"others"[..]);
        let confirmed = Incoming::Subscribed { kind, name };
        crowd.dispatcher.accept(1.into(), &confirmed);
        crowd.publish();
        crowd.run_task();
        let message = Incoming::Message {
            kind,
            name,
            channel: name,
            payload: b"hello",
        };
        crowd.dispatcher.accept(1.into(), &message);
        let mut messages = 0;
        for other in &mut others {
            let mut cx = Context::from_waker(Waker::noop());
            while let Poll::Ready(Some(_)) = other.poll_recv(&mut cx) {
                messages += other.batch().map_or(0, |batch| batch.len());
            }
        }
        assert_eq!(messages, readers);
        assert!(crowd.woken() < READERS);
    }
}

/// It would miss what it could have received.
#[tokio::test]
async fn nobody_waits_for_a_crowd_if_somebody_may_fall_behind_by_little() {
    let mut crowd = Crowd::new();
    let mut list: Arc<[_]> = [Subscription::channel(NAME)].into();
    let hasty = crowd
        .dispatcher
        .subscribe(&mut list, Pace::Within(4), READERS + 1);
    crowd.readers.push((hasty.unwrap(), Arc::default()));
    crowd.read_with(READERS..READERS + 1);
    crowd.publish();
    crowd.run_task();
    assert!(crowd.woken() < READERS);
    let all = 0..READERS + 1;
    assert_eq!(crowd.read_with(all.clone()), READERS + 1);
    crowd.publish();
    assert_eq!(crowd.read_with(all.clone()), 0);
    crowd.publish();
    assert_eq!(crowd.read_with(all), 2 * (READERS + 1));
}

struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("on purpose");
    }
}

#[tokio::test]
async fn a_waker_that_panics_costs_nobody_else_of_its_crowd_the_wake_up() {
    let mut crowd = Crowd::new();
    // Waits again, with another waker. The first reader is woken first.
    let waker = Waker::from(Arc::new(Panicking));
    let polled = crowd.readers[0]
        .0
        .poll_recv(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    crowd.publish();
    let mut task = crowd.task.take().unwrap();
    let polling = AssertUnwindSafe(|| {
        task.as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    });
    assert!(std::panic::catch_unwind(polling).is_err());
    drop(task);
    assert_eq!(crowd.woken(), READERS - 1);
}

/// Holds the dispatcher's lock, as a link does that receives a lot.
struct Locked {
    unlock: Sender<()>,
    thread: std::thread::JoinHandle<bool>,
}

impl Locked {
    fn new(dispatcher: &Arc<Dispatcher>) -> Self {
        let dispatcher = Arc::clone(dispatcher);
        let (unlock, unlocks) = mpsc::channel();
        let (locks, locked) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _state = dispatcher.lock();
            locks.send(()).unwrap();
            unlocks.recv_timeout(Duration::from_secs(10)).is_ok()
        });
        locked.recv().unwrap();
        Self { unlock, thread }
    }

    /// Returns whether it was locked until now.
    fn unlock(self) -> bool {
        self.unlock.send(()).is_ok() & self.thread.join().unwrap()
    }
}

#[tokio::test]
async fn whoever_wakes_a_crowd_does_not_block_its_thread_while_a_link_holds_the_lock() {
    let mut crowd = Crowd::new();
    crowd.publish();
    let locked = Locked::new(&crowd.dispatcher);
    crowd.run_task();
    assert!(locked.unlock(), "it has waited before the crowd");
    crowd.run_task();
    let locked = Locked::new(&crowd.dispatcher);
    while crowd.woken() < READERS {
        crowd.run_task();
    }
    crowd.run_task();
    assert!(
        locked.unlock(),
        "it has waited during the crowd or after it"
    );
    crowd.everybody_was_woken_once();
    assert_eq!(crowd.read(), READERS);
    // It is over: the next message is for the next crowd.
    crowd.run_task();
    crowd.publish();
    while crowd.woken() < 2 * READERS {
        crowd.run_task();
    }
}

/// Runs on the thread of whoever wakes it, before all others, and blocks it until everybody is awake.
struct Blocking {
    woken: Arc<AtomicUsize>,
    sees: Mutex<Option<Sender<usize>>>,
}

impl Wake for Blocking {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, SeqCst);
        let Some(sees) = self.sees.lock().unwrap().take() else {
            return;
        };
        tokio::spawn(async move {
            let patience = Duration::from_secs(10);
            let begin = clock::monotonic();
            while self.woken.load(SeqCst) < READERS && clock::monotonic() - begin < patience {
                std::thread::yield_now();
            }
            sees.send(self.woken.load(SeqCst)).unwrap();
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_blocks_its_thread_holds_up_nobody_else_of_its_crowd() {
    let mut crowd = Crowd::new();
    let woken = Arc::new(AtomicUsize::new(0));
    let (sees, seen) = mpsc::channel();
    let mut sees = Some(sees);
    // Waits again, with another waker. The first reader is woken first.
    for (reader, _) in &mut crowd.readers {
        let waker = Waker::from(Arc::new(Blocking {
            woken: Arc::clone(&woken),
            sees: Mutex::new(sees.take()),
        }));
        assert!(
            reader
                .poll_recv(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    crowd.task = None;
    let waking = tokio::spawn(Arc::clone(&crowd.dispatcher).keep_waking());
    // Otherwise whoever passes the message wakes.
    while !crowd.dispatcher.lock().wakeups.has_task() {
        tokio::task::yield_now().await;
    }
    crowd.publish();
    let seen = tokio::task::spawn_blocking(move || seen.recv().unwrap());
    assert_eq!(seen.await.unwrap(), READERS);
    waking.abort();
}
