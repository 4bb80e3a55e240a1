//! The broadcast channel, compared with a plain model of it: the oracle.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::SystemTime;

use super::since;
use crate::broadcast::budget::{Budget, Overflow};
use crate::broadcast::fence::Fence;
use crate::broadcast::receiver::Receiver;
use crate::broadcast::state::Received;
use crate::broadcast::{OpenBatch, Shared};
use crate::gap::{GapCause, Missed};
use crate::push::Batch;

/// The model: every message in one list.
struct Model {
    budget: Budget,
    messages: Vec<Message>,
    oldest: usize,
    readers: Vec<Reader>,
}

#[derive(Clone, Copy)]
struct Message {
    weight: usize,
    segment: u64,
    /// Whether there was no room for it.
    is_refused: bool,
}

struct Reader {
    receiver: Receiver,
    position: usize,
    missed: u64,
    reported: u64,
    /// Whether it found nothing at its last read.
    waits: bool,
    /// Whether it has received a batch at its last read.
    has_batch: bool,
    woken: Arc<Flag>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

impl Model {
    fn append(&mut self, weight: usize, segment: u64) {
        self.release_what_all_have();
        let (held, bytes) = self.held();
        let no_room =
            held > 0 && (held >= self.budget.messages || bytes + weight > self.budget.bytes);
        let is_refused = no_room && self.budget.overflow == Overflow::DropNewest;
        self.messages.push(Message {
            weight,
            segment,
            is_refused,
        });
        let Budget {
            messages: most,
            bytes: most_bytes,
            ..
        } = self.budget;
        self.drop_while(|held, bytes| held > most || bytes > most_bytes);
    }

    /// Sheds, and checks what is left. The channel decides by its memory how many are dropped.
    fn shed(&mut self, shared: &Shared, bytes: usize) {
        self.release_what_all_have();
        let before = shared.held();
        assert_eq!(before.messages, self.held().0);
        shared.shed(bytes);
        let after = shared.held();
        assert!(after.messages >= before.messages.min(1), "one push stays");
        let goal = before.waiting.saturating_sub(bytes);
        // The last batch may be in the hand of another reader.
        let is_in_hand = |reader: &Reader| reader.has_batch;
        assert!(
            after.waiting <= goal || after.messages <= 1 || self.readers.iter().any(is_in_hand),
            "{after:?} is not {bytes} bytes less than {before:?}"
        );
        self.drop_while(|held, _| held > after.messages);
    }

    fn empty(&mut self, shared: &Shared) {
        shared.empty();
        self.oldest = self.messages.len();
        let held = shared.held();
        assert_eq!(held.messages, 0, "{held:?}");
        // A gap that a reader has to receive takes a little.
        assert!(held.waiting < 512, "{held:?}");
    }

    /// Checks what the channel holds.
    fn agrees(&mut self, shared: &Shared) {
        self.release_what_all_have();
        let state = shared.lock();
        let held = state.held();
        assert_eq!((held.messages, state.queue.held_bytes()), self.held());
        assert!(held.waiting >= state.queue.held_bytes(), "{held:?}");
        let (counted, recounted) = state.queue.recount();
        assert_eq!(counted, recounted, "the memory is exact");
    }

    fn drop_while(&mut self, is_over: impl Fn(usize, usize) -> bool) {
        while let (held, bytes) = self.held()
            && held > 1
            && is_over(held, bytes)
        {
            self.oldest = self.next_from(self.oldest) + 1;
        }
    }

    fn release_what_all_have(&mut self) {
        let read_by_all = self.readers.iter().map(|reader| reader.position).min();
        self.oldest = self.oldest.max(read_by_all.unwrap_or(0));
    }

    /// Returns how many messages are held, and how many bytes.
    fn held(&self) -> (usize, usize) {
        self.messages[self.oldest..]
            .iter()
            .filter(|message| !message.is_refused)
            .fold((0, 0), |(count, bytes), message| {
                (count + 1, bytes + message.weight)
            })
    }

    /// Returns the first message from `position` on that is held, or the end.
    fn next_from(&self, position: usize) -> usize {
        let from = position.max(self.oldest);
        let mut rest = self.messages[from..].iter();
        rest.position(|message| !message.is_refused)
            .map_or(self.messages.len(), |index| from + index)
    }

    /// Returns whether every reader that found nothing has been woken since.
    fn nobody_sleeps(&self) -> bool {
        let mut waiting = self.readers.iter().filter(|reader| reader.waits);
        waiting.all(|reader| reader.woken.0.load(SeqCst))
    }

    /// Polls a reader and compares what it receives. Returns `None` if it has to wait or is at the
    /// end.
    fn read(&mut self, index: usize, segment: u64) -> Option<()> {
        let next_held = self.next_from(self.readers[index].position);
        let reader = &mut self.readers[index];
        reader.has_batch = false;
        let Some(Received {
            gap, missed, batch, ..
        }) = poll(reader)
        else {
            assert_eq!(reader.position, self.messages.len(), "nothing is held back");
            assert_eq!(reader.reported, segment, "no gap is held back");
            return None;
        };
        if gap
            .as_ref()
            .is_some_and(|gap| gap.cause == GapCause::Initial)
            && batch.is_none()
        {
            // What is missed by then is a gap of its own.
            assert_eq!((missed, reader.reported), (0, 0));
            let next = self.messages.get(next_held);
            reader.reported = next.map_or(segment, |next| next.segment);
            return Some(());
        }
        let expected = next_held - reader.position;
        assert_eq!(missed, expected as u64, "lag is exact");
        reader.missed += missed;
        reader.position += expected;
        let next = match &batch {
            Some(_) => self.messages[reader.position].segment,
            None => segment,
        };
        match &gap {
            Some(gap) if next != reader.reported => {
                assert_ne!(gap.cause, GapCause::Lagged);
                let lost = matches!(gap.missed, Missed::AtLeast(n) if n == missed);
                assert!(lost || missed == 0, "{gap:?}");
                assert!(gap.cause != GapCause::Initial || missed == 0, "{gap:?}");
                assert!(gap.since <= gap.until);
            }
            Some(gap) => {
                assert_eq!(gap.cause, GapCause::Lagged);
                assert_eq!(gap.missed, Missed::Exactly(missed));
            }
            None => assert!(next == reader.reported && missed == 0, "a gap is reported"),
        }
        reader.reported = next;
        reader.has_batch = batch.is_some();
        if let Some(skip) = batch {
            let batch = reader.receiver.batch().expect("just received");
            for index in skip..batch.len() {
                let number = u32::from_be_bytes(
                    batch.bytes()[batch.payload(index)][..4].try_into().unwrap(),
                );
                assert_eq!(number as usize, reader.position, "order, and no duplicate");
                assert_eq!(self.messages[reader.position].segment, batch.segment);
                reader.position += 1;
            }
        }
        Some(())
    }
}

fn poll(reader: &mut Reader) -> Option<Received> {
    let waker = Waker::from(Arc::clone(&reader.woken));
    let polled = pin!(reader.receiver.recv()).poll(&mut Context::from_waker(&waker));
    match polled {
        Poll::Ready(received) => received,
        Poll::Pending => None,
    }
}

/// Runs one random schedule.
fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let budget = Budget {
        messages: random.usize(1..=200),
        bytes: random.usize(100..=8_000),
        overflow: if random.bool() {
            Overflow::DropOldest
        } else {
            Overflow::DropNewest
        },
    };
    let shared = Arc::new(Shared::new(1, budget));
    let readers = (0..random.usize(1..=4))
        .map(|_| Reader {
            receiver: shared.subscribe(),
            position: 0,
            missed: 0,
            reported: 0,
            waits: false,
            has_batch: false,
            woken: Arc::default(),
        })
        .collect();
    let mut model = Model {
        budget,
        messages: Vec::new(),
        oldest: 0,
        readers,
    };
    let mut generation = 0;
    let mut wakers = Vec::new();
    for step in 0..random.usize(1..40) {
        match random.u32(0..15) {
            _ if step == 0 => generation += 1,
            0 => generation += 1,
            10 => {
                let bytes = random.usize(1..2_000);
                model.shed(&shared, bytes);
            }
            11 => model.empty(&shared),
            12..=14 => {
                let mut intake = Intake::default();
                for _ in 0..random.usize(1..60) {
                    let payload = payload(model.messages.len() + intake.weights.len(), &mut random);
                    intake.append(&payload, &shared, &mut model);
                    if random.u8(0..8) == 0 {
                        read_one(&mut model, &shared, &mut random);
                    }
                }
                intake.hand_over(&shared, &mut model);
            }
            1..=4 => {
                for _ in 0..random.usize(1..60) {
                    let payload = payload(model.messages.len(), &mut random);
                    shared.append(0, b"", &payload, &mut wakers);
                    wakers.drain(..).for_each(Waker::wake);
                    let weight = payload.len() + Batch::ENTRY_BYTES;
                    let segment = shared.lock().segments.current();
                    model.append(weight, segment);
                    assert!(model.nobody_sleeps(), "no lost wake-up");
                }
            }
            _ => read_one(&mut model, &shared, &mut random),
        }
        model.agrees(&shared);
        for reader in &model.readers {
            let rest = &model.messages[reader.position..];
            let gone = rest.iter().enumerate().filter(|(index, message)| {
                message.is_refused || reader.position + index < model.oldest
            });
            let backlog = reader.receiver.meter().backlog();
            assert_eq!(
                backlog.missed,
                reader.missed + gone.count() as u64,
                "a drop is counted at once"
            );
        }
        // A second confirmation in the same generation changes nothing.
        shared.confirm(
            0,
            generation.into(),
            since(GapCause::ConnectionLost),
            &mut wakers,
        );
        wakers.drain(..).for_each(Waker::wake);
    }
    shared.close(&mut wakers);
    let segment = shared.lock().segments.current();
    for reader in 0..model.readers.len() {
        while model.read(reader, segment).is_some() {}
    }
    let state = shared.lock();
    assert!(state.queue.end() == model.messages.len() as u64);
}

fn payload(number: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    let number = u32::try_from(number).unwrap();
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(random.usize(4..100), 0);
    payload
}

fn read_one(model: &mut Model, shared: &Arc<Shared>, random: &mut fastrand::Rng) {
    let reader = random.usize(0..model.readers.len());
    let segment = shared.lock().segments.current();
    model.readers[reader].woken.0.store(false, SeqCst);
    let waits = model.read(reader, segment).is_none();
    model.readers[reader].waits = waits;
}

/// Appends as the dispatcher does for many messages: to an open batch.
#[derive(Default)]
struct Intake {
    open: Option<OpenBatch>,
    /// Those of the messages in it.
    weights: Vec<usize>,
}

impl Intake {
    fn append(&mut self, payload: &[u8], shared: &Shared, model: &mut Model) {
        let weight = payload.len() + Batch::ENTRY_BYTES;
        let has_room = |open: &mut OpenBatch| {
            open.append(0, b"", payload)
                || open.make_room(payload.len()).is_some() && open.append(0, b"", payload)
        };
        if self.open.as_mut().is_some_and(has_room) {
            return self.weights.push(weight);
        }
        self.hand_over(shared, model);
        self.open =
            shared
                .outlook()
                .open(payload.len(), SystemTime::now(), &Fence::default(), || None);
        if let Some(open) = &mut self.open {
            assert!(has_room(open), "there is room for the first");
            return self.weights.push(weight);
        }
        let mut wakers = Vec::new();
        shared.append(0, b"", payload, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        model.append(weight, shared.lock().segments.current());
    }

    fn hand_over(&mut self, shared: &Shared, model: &mut Model) {
        let mut wakers = Vec::new();
        if let Some(open) = self.open.take() {
            shared.hand_over(open, &mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
        let segment = shared.lock().segments.current();
        for weight in self.weights.drain(..) {
            model.append(weight, segment);
        }
        assert!(model.nobody_sleeps(), "no lost wake-up");
    }
}

#[test]
fn agrees_with_a_plain_model_over_ten_thousand_random_schedules() {
    for seed in 0..10_000 {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}
