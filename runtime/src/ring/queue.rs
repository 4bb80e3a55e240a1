use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use crate::batch::Batch;
use crate::handler::Budget;

/// A growing queue of batches, and what must go when it outgrows its budget.
///
/// Pushes are numbered from 0 without a hole, so what a reader missed is a difference of two
/// numbers. The tail batch is open: it grows until a reader takes it or it is full.
#[derive(Debug)]
pub(super) struct Queue {
    budget: Budget,
    sealed: VecDeque<Arc<Batch>>,
    /// The number of the first sealed batch; the tail's is this and the count of sealed ones.
    base: u64,
    tail: Arc<Batch>,
    /// The sequence number of the oldest push that is still here.
    oldest: u64,
    held_bytes: usize,
    spare: Option<Arc<Batch>>,
}

/// Where a reader stands: the next batch and the next push it will be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) batch: u64,
    pub(super) push: u64,
}

/// What lies before a reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    /// How many pushes were dropped between the reader and the batch.
    pub(super) missed: u64,
    pub(super) episode: u64,
    pub(super) opened: SystemTime,
}

impl Queue {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            sealed: VecDeque::new(),
            base: 0,
            tail: Arc::new(Batch::new()),
            oldest: 0,
            held_bytes: 0,
            spare: None,
        }
    }

    /// Appends a push and drops the oldest ones that the budget has no room for. Returns the time,
    /// if this push made it read the clock.
    pub(super) fn append(
        &mut self,
        subscription: u32,
        channel: &[u8],
        payload: &[u8],
    ) -> Option<SystemTime> {
        if self.tail.len() >= self.most_in_batch() || self.tail.bytes().len() >= MOST_BYTES_IN_BATCH
        {
            self.seal(self.tail.episode);
        }
        let tail = Arc::get_mut(&mut self.tail).expect("an open batch has been given to nobody");
        let opens = tail.is_empty();
        self.held_bytes += tail.append(subscription, channel, payload);
        let opened = opens.then_some(tail.opened);
        while self.is_over_budget() {
            self.drop_oldest();
        }
        opened
    }

    /// Whether a push of `bytes` would push another one out.
    pub(super) fn is_full_for(&self, bytes: usize) -> bool {
        let held = self.end() - self.oldest;
        let weight = bytes + Batch::ENTRY_BYTES;
        held > 0
            && (held >= self.budget.messages as u64 || self.held_bytes + weight > self.budget.bytes)
    }

    /// Whether no more than `eighths` of the budget is in use.
    pub(super) fn is_within(&self, eighths: usize) -> bool {
        let held = usize::try_from(self.end() - self.oldest).unwrap_or(usize::MAX);
        held <= self.budget.messages / 8 * eighths
            && self.held_bytes <= self.budget.bytes / 8 * eighths
    }

    /// Lets what is appended from now on belong to `episode`.
    pub(super) fn begin_episode(&mut self, episode: u64) {
        self.seal(episode);
    }

    /// Whether nothing has been appended in `episode`.
    pub(super) fn ends_before(&self, episode: u64) -> bool {
        let last = match self.sealed.back() {
            Some(last) if self.tail.is_empty() => last,
            _ => &self.tail,
        };
        last.is_empty() || last.episode < episode
    }

    /// What lies before a reader at `position`.
    pub(super) fn peek(&self, position: Position) -> Option<Ahead> {
        let batch = self.batch(position.batch.max(self.base))?;
        Some(Ahead {
            missed: self.missed(position),
            episode: batch.episode,
            opened: batch.opened,
        })
    }

    /// How many pushes were dropped before a reader at `position` could have them.
    pub(super) fn missed(&self, position: Position) -> u64 {
        self.oldest.saturating_sub(position.push)
    }

    /// Gives the next batch to a reader, and how many pushes at its front have been dropped.
    pub(super) fn take(&mut self, position: &mut Position) -> Option<(Arc<Batch>, usize)> {
        let number = position.batch.max(self.base);
        let batch = Arc::clone(self.batch(number)?);
        if number == self.tail_number() {
            self.seal(batch.episode);
        }
        let from = position.push.max(self.oldest).max(batch.first);
        let skip = usize::try_from(from - batch.first).expect("an index of a batch");
        *position = Position {
            batch: number + 1,
            push: batch.end(),
        };
        Some((batch, skip))
    }

    /// Whether no batch lies before this one.
    pub(super) fn is_first(&self, batch: u64) -> bool {
        batch <= self.base
    }

    /// Lets go of the batches that every reader has taken: all before number `batch`.
    pub(super) fn release_before(&mut self, batch: u64) {
        while self.base < batch && self.pop_front() {}
    }

    /// Takes back a batch that a reader is done with, to use its memory again.
    pub(super) fn recycle(&mut self, mut batch: Arc<Batch>) {
        let is_large = batch.capacity() > 4 * MOST_BYTES_IN_BATCH;
        if !is_large && Arc::get_mut(&mut batch).is_some() {
            self.spare = Some(batch);
        }
    }

    /// Gives back memory that an idle queue should not hold.
    pub(super) fn rest(&mut self) {
        const LITTLE: usize = 2 * 1024;
        self.spare.take_if(|spare| spare.capacity() > LITTLE);
    }

    /// The sequence number behind the newest push.
    pub(super) fn end(&self) -> u64 {
        self.tail.end()
    }

    fn most_in_batch(&self) -> usize {
        // A dropped push leaves its memory only with its whole batch, so a batch is a small part
        // of the budget.
        (self.budget.messages / 16).clamp(1, 1024)
    }

    fn is_over_budget(&self) -> bool {
        let held = self.end() - self.oldest;
        held > 1 && (held > self.budget.messages as u64 || self.held_bytes > self.budget.bytes)
    }

    fn drop_oldest(&mut self) {
        let front = self.sealed.front().unwrap_or(&self.tail);
        let index = usize::try_from(self.oldest - front.first).expect("an index of a batch");
        self.held_bytes -= front.weight_of(index..index + 1);
        self.oldest += 1;
        if self.oldest == front.end() {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) -> bool {
        let Some(front) = self.sealed.pop_front() else {
            return false;
        };
        let dropped = usize::try_from(self.oldest - front.first).expect("an index of a batch");
        self.held_bytes -= front.weight_of(dropped..front.len());
        self.oldest = front.end();
        self.base += 1;
        self.recycle(front);
        true
    }

    /// Closes the tail, if there is something in it, and opens another.
    fn seal(&mut self, episode: u64) {
        let first = self.tail.end();
        if !self.tail.is_empty() {
            let next = self.spare.take().unwrap_or_else(|| Arc::new(Batch::new()));
            self.sealed
                .push_back(std::mem::replace(&mut self.tail, next));
        }
        Arc::get_mut(&mut self.tail)
            .expect("an empty batch has been given to nobody")
            .reopen(first, episode);
    }

    fn tail_number(&self) -> u64 {
        self.base + self.sealed.len() as u64
    }

    fn batch(&self, number: u64) -> Option<&Arc<Batch>> {
        let index = usize::try_from(number - self.base).expect("an index of the queue");
        match self.sealed.get(index) {
            Some(batch) => Some(batch),
            None if index == self.sealed.len() && !self.tail.is_empty() => Some(&self.tail),
            None => None,
        }
    }
}

/// A batch is closed once it holds this much, one push more at the most.
const MOST_BYTES_IN_BATCH: usize = 32 * 1024;
