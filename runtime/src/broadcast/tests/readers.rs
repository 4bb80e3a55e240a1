//! Readers that come and go, each with its own pace, compared with a plain list.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::since;
use crate::broadcast::budget::Budget;
use crate::broadcast::receiver::Receiver;
use crate::broadcast::{Pace, Shared};
use crate::gap::{GapCause, Missed};

/// Every message in one list: the segment of each.
#[derive(Default)]
struct Model {
    segments: Vec<u64>,
    readers: Vec<Reader>,
}

struct Reader {
    receiver: Receiver,
    pace: Pace,
    joined: usize,
    position: usize,
    received: usize,
    missed: usize,
    superseded: usize,
    /// Whether the initial gap has been reported.
    has_begun: bool,
    /// The last segment that it knows of.
    segment: u64,
}

impl Model {
    /// Polls a reader, and compares what it receives. Returns whether it has received anything.
    fn read(&mut self, index: usize, current: u64, is_live: bool) -> bool {
        let end = self.segments.len();
        let reader = &mut self.readers[index];
        let behind = end - reader.position;
        let limit = usize::try_from(reader.pace.limit()).unwrap_or(usize::MAX);
        let skipped = behind.saturating_sub(limit);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(received)) = reader.receiver.poll_recv(&mut context) else {
            assert!(behind == 0 || !reader.has_begun, "nothing is held back");
            assert!(
                reader.has_begun || !is_live,
                "the beginning is not held back"
            );
            return false;
        };
        let is_latest = reader.pace == Pace::Latest;
        if !reader.has_begun {
            reader.has_begun = true;
            let gap = received.gap.as_ref().expect("the first item is a gap");
            assert_eq!(gap.cause, GapCause::Initial);
            assert_eq!(gap.missed, Missed::Exactly(0));
            assert!(gap.since <= gap.until);
            reader.segment = received.known.segment;
            if received.batch.is_none() {
                assert!(behind == 0 || (skipped > 0 && !is_latest));
                return true;
            }
        }
        if is_latest {
            reader.superseded += skipped;
            assert_eq!(received.missed, 0, "a jump is no loss");
        } else {
            reader.missed += skipped;
            assert_eq!(received.missed, skipped as u64, "the lag is exact");
        }
        reader.position += skipped;
        let Some(skip) = received.batch else {
            assert_eq!(behind, 0);
            assert_eq!(
                received.known.segment, current,
                "a gap without messages is the newest"
            );
            reader.segment = current;
            return true;
        };
        let batch = reader.receiver.batch().expect("just received");
        let has_gap = received.gap.is_some();
        assert_eq!(
            has_gap,
            has_gap || skipped > 0 && !is_latest,
            "a loss is reported"
        );
        for index in skip..batch.len() {
            let number =
                u32::from_be_bytes(batch.bytes()[batch.payload(index)].try_into().unwrap());
            assert_eq!(number as usize, reader.position, "order, and no duplicate");
            let segment = self.segments[reader.position];
            assert!(
                segment <= reader.segment || has_gap,
                "a gap comes before the segment"
            );
            reader.segment = reader.segment.max(segment);
            reader.position += 1;
            reader.received += 1;
        }
        if is_latest {
            assert_eq!(reader.position, end, "the newest one");
        }
        true
    }

    fn check_accounts(&self) {
        let end = self.segments.len();
        for reader in &self.readers {
            let backlog = reader.receiver.meter().backlog();
            let behind = end - reader.position;
            let limit = usize::try_from(reader.pace.limit()).unwrap_or(usize::MAX);
            let skipped = behind.saturating_sub(limit) as u64;
            let (missed, superseded) = match reader.pace {
                Pace::Latest => (0, skipped),
                _ => (skipped, 0),
            };
            assert_eq!(backlog.end, (end - reader.joined) as u64);
            assert_eq!(backlog.missed, reader.missed as u64 + missed);
            assert_eq!(backlog.skipped, reader.superseded as u64 + superseded);
            let (received, _) = reader.receiver.position();
            assert_eq!(received, reader.received as u64);
        }
    }
}

/// Runs one random schedule.
fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut model = Model::default();
    let mut wakers = Vec::new();
    let mut generation = 0;
    let mut is_live = false;
    for _ in 0..random.usize(1..80) {
        let current = shared.lock().segments.current();
        match random.u32(0..10) {
            0 => {
                is_live = false;
                generation += 1;
            }
            1 => {
                generation += u64::from(!is_live);
                is_live = true;
                shared.confirm(
                    0,
                    generation.into(),
                    since(GapCause::ConnectionLost),
                    &mut wakers,
                );
            }
            2..=4 if is_live => {
                for _ in 0..random.usize(1..40) {
                    if model.readers.is_empty() {
                        continue;
                    }
                    let number = u32::try_from(model.segments.len()).unwrap();
                    shared.append(0, b"", &number.to_be_bytes(), &mut wakers);
                    model.segments.push(current);
                }
            }
            5 => {
                let pace = match random.u32(0..3) {
                    0 => Pace::Latest,
                    1 => Pace::Budget,
                    _ => Pace::Within(random.u32(1..50)),
                };
                let end = model.segments.len();
                model.readers.push(Reader {
                    receiver: shared.subscribe_at(pace, is_live),
                    pace,
                    joined: end,
                    position: end,
                    received: 0,
                    missed: 0,
                    superseded: 0,
                    has_begun: false,
                    segment: 0,
                });
            }
            6 if !model.readers.is_empty() => {
                let leaving = random.usize(0..model.readers.len());
                model.readers.swap_remove(leaving);
            }
            _ if !model.readers.is_empty() => {
                let reader = random.usize(0..model.readers.len());
                model.read(reader, current, is_live);
            }
            _ => {}
        }
        wakers.clear();
        model.check_accounts();
    }
    shared.confirm(
        0,
        (generation + 1).into(),
        since(GapCause::ConnectionLost),
        &mut wakers,
    );
    let current = shared.lock().segments.current();
    for reader in 0..model.readers.len() {
        while model.read(reader, current, true) {}
        let reader = &model.readers[reader];
        assert!(reader.has_begun && reader.position == model.segments.len());
        assert_eq!(reader.segment, current, "the last gap is reported");
    }
    model.check_accounts();
    let held = shared.held();
    assert_eq!(held.messages, 0, "nothing is kept that every reader has");
}

#[test]
fn readers_that_come_and_go_agree_with_a_plain_list_over_ten_thousand_random_schedules() {
    for seed in 0..10_000 {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}

#[test]
fn a_reader_that_leaves_keeps_no_waker_in_a_quiet_channel() {
    struct Task;
    impl std::task::Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    let shared = Arc::new(Shared::new(1, Budget::default()));
    let tasks: Vec<_> = (0..100).map(|_| Arc::new(Task)).collect();
    let mut readers: Vec<_> = (0..100)
        .map(|_| shared.subscribe_at(Pace::Within(1), false))
        .collect();
    for (reader, task) in readers.iter_mut().zip(&tasks) {
        let waker = Waker::from(Arc::clone(task));
        assert!(
            reader
                .poll_recv(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    let mut random = fastrand::Rng::with_seed(1);
    let mut tasks: Vec<_> = tasks.iter().collect();
    while !readers.is_empty() {
        let leaving = random.usize(0..readers.len());
        drop(readers.swap_remove(leaving));
        assert_eq!(Arc::strong_count(tasks.swap_remove(leaving)), 1);
        assert!(tasks.iter().all(|task| Arc::strong_count(task) == 2));
    }
}
