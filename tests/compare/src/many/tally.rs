//! The counters of a crowd of readers, for one trial after another.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::lanes::Mark;
use crate::usage;

pub(crate) struct Tally {
    seats: Box<[Seat]>,
    /// A message that was sent before this time is of an earlier trial, and does not count.
    since_ns: AtomicU64,
    /// How many messages each reader should receive.
    expected: AtomicU64,
    /// Readers that have not received them all.
    unfinished: AtomicUsize,
    /// How many deliveries the peer reports as lost.
    lost: AtomicU64,
    /// How long the last message was on the way to the last of the readers.
    last_took_ns: AtomicU64,
    first_sent_ns: AtomicU64,
    last_sent_ns: AtomicU64,
    first: Mutex<Option<Mark>>,
    last: Mutex<Option<Mark>>,
}

/// The counter of one reader. It is on a cache line of its own, so that readers on two cores do not
/// slow each other down.
#[repr(align(128))]
#[derive(Default)]
struct Seat(AtomicU64);

impl Tally {
    pub(crate) fn new(readers: usize) -> Self {
        Self {
            seats: (0..readers).map(|_| Seat::default()).collect(),
            // Nothing counts before the first trial.
            since_ns: AtomicU64::new(u64::MAX),
            expected: AtomicU64::new(0),
            unfinished: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            last_took_ns: AtomicU64::new(0),
            first_sent_ns: AtomicU64::new(u64::MAX),
            last_sent_ns: AtomicU64::new(0),
            first: Mutex::new(None),
            last: Mutex::new(None),
        }
    }

    /// Begins a trial of this many messages to each reader, while nothing is published.
    pub(super) fn begin(&self, messages: u64) {
        for seat in &self.seats {
            seat.0.store(0, Relaxed);
        }
        self.expected.store(messages, Relaxed);
        self.unfinished.store(self.seats.len(), Relaxed);
        self.lost.store(0, Relaxed);
        self.last_took_ns.store(0, Relaxed);
        self.first_sent_ns.store(u64::MAX, Relaxed);
        self.last_sent_ns.store(0, Relaxed);
        *lock(&self.first) = None;
        *lock(&self.last) = None;
        self.since_ns.store(usage::monotonic_ns(), Relaxed);
    }

    /// Counts a message of one reader, sent at `at`.
    pub(crate) fn take(&self, reader: usize, at: u64) {
        if at < self.since_ns.load(Relaxed) {
            return;
        }
        let seat = &self.seats[reader].0;
        // Only this reader's task counts here.
        let count = seat.load(Relaxed) + 1;
        seat.store(count, Relaxed);
        if count == 1 {
            lock(&self.first).get_or_insert_with(Mark::now);
            self.first_sent_ns.fetch_min(at, Relaxed);
        }
        if count == self.expected.load(Relaxed) {
            let took = usage::monotonic_ns().saturating_sub(at);
            self.last_took_ns.fetch_max(took, Relaxed);
            self.last_sent_ns.fetch_max(at, Relaxed);
            if self.unfinished.fetch_sub(1, Relaxed) == 1 {
                *lock(&self.last) = Some(Mark::now());
            }
        }
    }

    pub(crate) fn add_lost(&self, count: u64) {
        self.lost.fetch_add(count, Relaxed);
    }

    pub(super) fn is_complete(&self) -> bool {
        self.unfinished.load(Relaxed) == 0
    }

    pub(super) fn handled(&self) -> u64 {
        self.seats.iter().map(|seat| seat.0.load(Relaxed)).sum()
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    pub(super) fn expected(&self) -> u64 {
        self.expected.load(Relaxed) * self.seats.len() as u64
    }

    pub(super) fn last_took_ns(&self) -> u64 {
        self.last_took_ns.load(Relaxed)
    }

    /// The time from sending the first message to sending the last.
    pub(super) fn sent_ns(&self) -> u64 {
        let first = self.first_sent_ns.load(Relaxed);
        self.last_sent_ns.load(Relaxed).saturating_sub(first)
    }

    pub(super) fn first(&self) -> Option<Mark> {
        *lock(&self.first)
    }

    /// The mark of the last delivery, if none was lost.
    pub(super) fn last(&self) -> Option<Mark> {
        *lock(&self.last)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_complete_when_each_reader_has_each_message_of_it() {
        let tally = Tally::new(2);
        tally.take(0, usage::monotonic_ns());
        assert_eq!(tally.handled(), 0);

        let before = usage::monotonic_ns();
        tally.begin(2);
        tally.take(0, before - 1);
        let now = usage::monotonic_ns();
        for reader in [0, 1] {
            assert!(!tally.is_complete());
            tally.take(reader, now);
            tally.take(reader, now + 5);
        }
        assert!(tally.is_complete());
        assert_eq!((tally.handled(), tally.expected()), (4, 4));
        assert_eq!(tally.sent_ns(), 5);
        assert!(tally.first().is_some() && tally.last().is_some());
    }
}
