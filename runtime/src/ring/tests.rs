//! The ring against a plain model, over random schedules.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::SystemTime;

use super::{Break, Item, Receiver, Ring};
use crate::batch::Batch;
use crate::gap::{GapCause, Missed};
use crate::spec::{Budget, Overflow};

/// What the ring should be: every message in one list.
struct Model {
    budget: Budget,
    messages: Vec<Message>,
    oldest: usize,
    readers: Vec<Reader>,
}

#[derive(Clone, Copy)]
struct Message {
    weight: usize,
    episode: u64,
    /// Whether there was no room for it.
    is_refused: bool,
}

struct Reader {
    receiver: Receiver,
    position: usize,
    missed: u64,
    told: u64,
    /// Whether it found nothing when it last looked.
    waits: bool,
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
    fn append(&mut self, weight: usize, episode: u64) {
        self.forget_what_all_have();
        let (held, bytes) = self.held();
        let no_room =
            held > 0 && (held >= self.budget.messages || bytes + weight > self.budget.bytes);
        let is_refused = no_room && self.budget.overflow == Overflow::DropNewest;
        self.messages.push(Message {
            weight,
            episode,
            is_refused,
        });
        let Budget {
            messages: most,
            bytes: most_bytes,
            ..
        } = self.budget;
        self.drop_while(|held, bytes| held > most || bytes > most_bytes);
    }

    fn shed(&mut self, bytes: usize) {
        self.forget_what_all_have();
        let goal = self.held().1.saturating_sub(bytes);
        self.drop_while(|_, bytes| bytes > goal);
    }

    fn drop_while(&mut self, is_over: impl Fn(usize, usize) -> bool) {
        while let (held, bytes) = self.held()
            && held > 1
            && is_over(held, bytes)
        {
            self.oldest = self.next_from(self.oldest) + 1;
        }
    }

    fn forget_what_all_have(&mut self) {
        let read_by_all = self.readers.iter().map(|reader| reader.position).min();
        self.oldest = self.oldest.max(read_by_all.unwrap_or(0));
    }

    /// How many messages are held, and how many bytes.
    fn held(&self) -> (usize, usize) {
        let held = self.messages[self.oldest..].iter();
        let held = held.filter(|message| !message.is_refused);
        held.fold((0, 0), |(count, bytes), message| {
            (count + 1, bytes + message.weight)
        })
    }

    /// The first message from there on that is held, or the end.
    fn next_from(&self, position: usize) -> usize {
        let from = position.max(self.oldest);
        let mut rest = self.messages[from..].iter();
        rest.position(|message| !message.is_refused)
            .map_or(self.messages.len(), |index| from + index)
    }

    /// Whether every reader that found nothing has been woken since.
    fn nobody_sleeps(&self) -> bool {
        let mut waiting = self.readers.iter().filter(|reader| reader.waits);
        waiting.all(|reader| reader.woken.0.load(SeqCst))
    }

    /// Polls a reader and compares what it is given; `None` if it has to wait or is at the end.
    fn read(&mut self, index: usize, episode: u64) -> Option<()> {
        let next_held = self.next_from(self.readers[index].position);
        let reader = &mut self.readers[index];
        let Some(Item { gap, missed, batch }) = poll(reader) else {
            assert_eq!(reader.position, self.messages.len(), "nothing is held back");
            assert_eq!(reader.told, episode, "no gap is held back");
            return None;
        };
        let expected = next_held - reader.position;
        assert_eq!(missed, expected as u64, "lag is exact");
        reader.missed += missed;
        reader.position += expected;
        let next = match &batch {
            Some(_) => self.messages[reader.position].episode,
            None => episode,
        };
        match &gap {
            Some(gap) if next != reader.told => {
                assert_ne!(gap.cause, GapCause::Lagged);
                let lost = matches!(gap.missed, Missed::AtLeast(n) if n == missed);
                assert!(lost || missed == 0 || reader.told == 0, "{gap:?}");
                assert!(gap.since <= gap.until);
            }
            Some(gap) => {
                assert_eq!(gap.cause, GapCause::Lagged);
                assert_eq!(gap.missed, Missed::Exactly(missed));
            }
            None => assert!(next == reader.told && missed == 0, "a gap is told"),
        }
        reader.told = next;
        if let Some((batch, skip)) = batch {
            for index in skip..batch.len() {
                let number = u32::from_be_bytes(
                    batch.bytes()[batch.payload(index)][..4].try_into().unwrap(),
                );
                assert_eq!(number as usize, reader.position, "order, and no duplicate");
                assert_eq!(self.messages[reader.position].episode, batch.episode);
                reader.position += 1;
            }
            reader.receiver.done(batch);
        }
        Some(())
    }
}

fn poll(reader: &mut Reader) -> Option<Item> {
    let waker = Waker::from(Arc::clone(&reader.woken));
    let polled = pin!(reader.receiver.recv()).poll(&mut Context::from_waker(&waker));
    match polled {
        Poll::Ready(item) => item,
        Poll::Pending => None,
    }
}

fn since(cause: GapCause) -> Break {
    Break {
        cause,
        missed: Missed::Unknown,
        since: SystemTime::now(),
    }
}

fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let budget = Budget {
        messages: random.usize(1..=200),
        bytes: random.usize(100..=8_000),
        overflow: match random.bool() {
            true => Overflow::DropOldest,
            false => Overflow::DropNewest,
        },
    };
    let ring = Arc::new(Ring::new(1, budget));
    let readers = (0..random.usize(1..=4))
        .map(|_| Reader {
            receiver: ring.subscribe(),
            position: 0,
            missed: 0,
            told: 0,
            waits: false,
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
        match random.u32(0..11) {
            _ if step == 0 => generation += 1,
            0 => generation += 1,
            10 => {
                let bytes = random.usize(1..2_000);
                ring.shed(bytes);
                model.shed(bytes);
            }
            1..=4 => {
                for _ in 0..random.usize(1..60) {
                    let number = u32::try_from(model.messages.len()).unwrap();
                    let mut payload = number.to_be_bytes().to_vec();
                    payload.resize(random.usize(4..100), 0);
                    ring.append(0, b"", &payload, &mut wakers);
                    wakers.drain(..).for_each(Waker::wake);
                    let weight = payload.len() + Batch::ENTRY_BYTES;
                    let episode = ring.lock().episodes.current();
                    model.append(weight, episode);
                    assert!(model.nobody_sleeps(), "no lost wake-up");
                }
            }
            _ => {
                let reader = random.usize(0..model.readers.len());
                let episode = ring.lock().episodes.current();
                model.readers[reader].woken.0.store(false, SeqCst);
                let waits = model.read(reader, episode).is_none();
                model.readers[reader].waits = waits;
            }
        }
        for reader in &model.readers {
            let rest = &model.messages[reader.position..];
            let gone = rest.iter().enumerate().filter(|(index, message)| {
                message.is_refused || reader.position + index < model.oldest
            });
            let backlog = reader.receiver.meter().backlog();
            assert_eq!(
                backlog.missed,
                reader.missed + gone.count() as u64,
                "what is gone is counted at once"
            );
        }
        // A confirmation of the same generation again is a fence and changes nothing.
        ring.confirm(0, generation, since(GapCause::ConnectionLost), &mut wakers);
        wakers.drain(..).for_each(Waker::wake);
    }
    ring.close(&mut wakers);
    let episode = ring.lock().episodes.current();
    for reader in 0..model.readers.len() {
        while model.read(reader, episode).is_some() {}
    }
    let state = ring.lock();
    assert!(state.queue.end() == model.messages.len() as u64);
}

#[test]
fn agrees_with_a_plain_model_over_ten_thousand_random_schedules() {
    for seed in 0..10_000 {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}

#[test]
fn a_burst_goes_out_in_one_batch_and_one_wake_up() {
    let ring = Arc::new(Ring::new(1, Budget::default()));
    let mut receiver = ring.subscribe();
    let mut wakers = Vec::new();
    ring.confirm(0, 1, since(GapCause::Initial), &mut wakers);
    for _ in 0..100 {
        ring.append(0, b"", b"payload", &mut wakers);
    }
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(item)) = pin!(receiver.recv()).poll(&mut context) else {
        panic!("a batch is there");
    };
    assert_eq!(item.gap.unwrap().cause, GapCause::Initial);
    assert_eq!(item.batch.unwrap().0.len(), 100);
}

#[test]
fn a_gap_waits_until_every_name_is_confirmed_or_denied() {
    let ring = Arc::new(Ring::new(2, Budget::default()));
    let mut receiver = ring.subscribe();
    let mut wakers = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    let before = since(GapCause::ConnectionLost);
    ring.confirm(0, 1, before, &mut wakers);
    ring.append(0, b"", b"payload", &mut wakers);
    assert!(pin!(receiver.recv()).poll(&mut context).is_pending());
    ring.turn_off(1, 1, before, before.since, &mut wakers);
    assert!(pin!(receiver.recv()).poll(&mut context).is_ready());
}

#[test]
fn a_name_that_was_denied_brings_a_gap_when_it_is_confirmed() {
    let ring = Arc::new(Ring::new(2, Budget::default()));
    let mut receiver = ring.subscribe();
    let mut wakers = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    let before = since(GapCause::ConnectionLost);
    let mut next = || match pin!(receiver.recv()).poll(&mut context) {
        Poll::Ready(Some(Item { gap: Some(gap), .. })) => gap,
        other => panic!("expected a gap, got {other:?}"),
    };
    ring.confirm(0, 1, before, &mut wakers);
    ring.turn_off(1, 1, before, before.since, &mut wakers);
    assert_eq!(next().cause, GapCause::Initial);
    ring.confirm(1, 1, before, &mut wakers);
    let gap = next();
    assert_eq!(gap.cause, GapCause::Resubscribed);
    assert_eq!(gap.since, before.since);
}

#[test]
fn connections_that_flap_while_a_handler_is_busy_are_one_gap() {
    let ring = Arc::new(Ring::new(1, Budget::default()));
    let mut receiver = ring.subscribe();
    let mut wakers = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    let first = since(GapCause::ConnectionLost);
    ring.confirm(0, 1, since(GapCause::Initial), &mut wakers);
    assert!(pin!(receiver.recv()).poll(&mut context).is_ready());
    ring.confirm(0, 2, first, &mut wakers);
    for generation in 3..1_000 {
        let before = since(GapCause::ConnectionLost);
        ring.confirm(0, generation, before, &mut wakers);
    }
    let Poll::Ready(Some(item)) = pin!(receiver.recv()).poll(&mut context) else {
        panic!("a gap is there");
    };
    assert_eq!(item.gap.unwrap().since, first.since);
    assert!(pin!(receiver.recv()).poll(&mut context).is_pending());
}

#[test]
fn one_push_is_accepted_however_large_it_is() {
    let budget = Budget {
        messages: 10,
        bytes: 100,
        ..Budget::default()
    };
    let ring = Arc::new(Ring::new(1, budget));
    let mut receiver = ring.subscribe();
    let mut wakers = Vec::new();
    ring.confirm(0, 1, since(GapCause::Initial), &mut wakers);
    ring.append(0, b"", b"small", &mut wakers);
    ring.append(0, b"", &[0; 1_000], &mut wakers);
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(item)) = pin!(receiver.recv()).poll(&mut context) else {
        panic!("a batch is there");
    };
    assert_eq!(item.missed, 1);
    let (batch, skip) = item.batch.unwrap();
    assert_eq!(batch.payload(skip).len(), 1_000);
}

#[test]
fn what_was_dropped_is_counted_once_before_and_after_its_reader_is_told() {
    let budget = Budget {
        messages: 1,
        ..Budget::default()
    };
    let ring = Arc::new(Ring::new(1, budget));
    let mut receiver = ring.subscribe();
    let mut wakers = Vec::new();
    ring.confirm(0, 1, since(GapCause::Initial), &mut wakers);
    for _ in 0..3 {
        ring.append(0, b"", b"", &mut wakers);
    }
    let meter = receiver.meter();
    assert_eq!(meter.backlog().missed, 2);
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(item)) = pin!(receiver.recv()).poll(&mut context) else {
        panic!("a batch is there");
    };
    assert_eq!(item.missed, 2);
    // Else a reader of the stats would see them in the queue until the handler's loop goes on.
    assert_eq!(meter.backlog().missed, 2);
}

/// What a mailbox of one reader should be: the newest number of each channel, in a plain list.
fn run_mailbox(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let budget = Budget {
        messages: random.usize(1..=8),
        overflow: Overflow::Latest,
        ..Budget::default()
    };
    let ring = Arc::new(Ring::new(2, budget));
    let mut receiver = ring.subscribe();
    let mut wakers = Vec::new();
    for name in 0..2 {
        ring.confirm(name, 1, since(GapCause::Initial), &mut wakers);
    }
    let mut slots: Vec<((u32, u8), u32)> = Vec::new();
    let (mut received, mut superseded, mut dropped, mut unread_drops) = (0, 0, 0, 0);
    let (mut delivered, mut is_told) = (0, false);
    for number in 0..random.u32(1..200) {
        if random.u32(0..10) > 0 {
            let key = (random.u32(0..2), random.u8(0..8));
            let payload = [number.to_be_bytes().to_vec(), vec![0; random.usize(0..50)]];
            ring.append(key.0, &[key.1], &payload.concat(), &mut wakers);
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
        let Poll::Ready(Some(Item { gap, missed, batch })) = polled else {
            assert!(slots.is_empty() && is_told, "what is there is given");
            continue;
        };
        assert_eq!(missed, std::mem::take(&mut unread_drops), "drops are exact");
        assert_eq!(
            gap.is_some(),
            missed > 0 || !is_told,
            "what is superseded is no gap"
        );
        is_told = true;
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
                "the newest, in order of coming"
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
        "nothing is lost untold"
    );
}

#[test]
fn a_mailbox_agrees_with_a_plain_list_over_ten_thousand_random_schedules() {
    for seed in 0..10_000 {
        let outcome = std::panic::catch_unwind(|| run_mailbox(seed));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}

#[test]
fn a_push_that_is_left_out_last_is_told_without_a_message_behind_it() {
    let budget = Budget {
        messages: 1,
        overflow: Overflow::DropNewest,
        ..Budget::default()
    };
    let ring = Arc::new(Ring::new(1, budget));
    let mut receiver = ring.subscribe();
    let mut wakers = Vec::new();
    ring.confirm(0, 1, since(GapCause::Initial), &mut wakers);
    for payload in [b"kept", b"gone", b"lost"] {
        ring.append(0, b"", payload, &mut wakers);
    }
    let mut context = Context::from_waker(Waker::noop());
    let mut next = || match pin!(receiver.recv()).poll(&mut context) {
        Poll::Ready(Some(item)) => item,
        other => panic!("something is there, not {other:?}"),
    };
    assert_eq!(next().batch.unwrap().0.len(), 1);
    let Item { gap, missed, batch } = next();
    assert_eq!(gap.unwrap().missed, Missed::Exactly(2));
    assert_eq!(missed, 2);
    assert!(batch.is_none());
}

#[test]
fn a_large_push_leaves_no_large_memory_behind() {
    const LARGE: usize = 4 * 1024 * 1024;
    let ring = Arc::new(Ring::new(1, Budget::default()));
    let mut receiver = ring.subscribe();
    let mut wakers = Vec::new();
    ring.confirm(0, 1, since(GapCause::Initial), &mut wakers);
    for payload in [&[0; LARGE][..], b"small"] {
        ring.append(0, b"", payload, &mut wakers);
        assert_eq!(ring.lock().queue.memory() > LARGE, payload.len() == LARGE);
        let batch = take(&mut receiver).expect("a batch is there");
        receiver.done(batch);
    }
}

fn take(receiver: &mut Receiver) -> Option<Arc<Batch>> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(receiver.recv()).poll(&mut context) {
        Poll::Ready(Some(Item { batch, .. })) => batch.map(|(batch, _)| batch),
        _ => None,
    }
}

/// Fills a ring of the default budget beside a stuck handler, which holds the batch it is at:
/// messages of 100 bytes that come in a burst, and then so many that another handler takes one by
/// one. Returns how many messages wait for the stuck one, and how much memory they hold.
fn memory_of_a_full_ring(burst: usize, one_by_one: usize) -> (usize, usize) {
    let ring = Arc::new(Ring::new(1, Budget::default()));
    let mut stuck = ring.subscribe();
    let mut other = ring.subscribe();
    let mut wakers = Vec::new();
    let append = |wakers: &mut Vec<Waker>| {
        ring.append(0, b"", &[b'x'; 100], wakers);
        wakers.clear();
    };
    ring.confirm(0, 1, since(GapCause::Initial), &mut wakers);
    append(&mut wakers);
    let at_work = take(&mut stuck).expect("a batch is there");
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
    (messages, ring.lock().queue.memory() + at_work.capacity())
}

#[test]
fn a_full_ring_of_small_messages_holds_less_than_four_times_their_size() {
    let full = Budget::default().messages;
    for (burst, one_by_one) in [
        (full, 0),
        (2 * full, 0),
        (0, 2 * full),
        // Memory of large batches is not kept for small ones.
        (full, full),
        (full, full / 2),
    ] {
        let (messages, bytes) = memory_of_a_full_ring(burst, one_by_one);
        assert_eq!(messages, full, "the ring is full");
        let times = bytes as f64 / (messages * 100) as f64;
        println!("{burst} at once, {one_by_one} one by one: {times:.2} times their size");
        // Four times is what is asked for; the allocator takes something for each batch as well.
        assert!(
            times < 3.0,
            "{times:.2} times the size of {messages} messages"
        );
    }
}
