//! What a reader has missed, by the numbers of the pushes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use super::budget::{Budget, Overflow};
use super::latest::LatestQueue;
use crate::push::Batch;

/// A growing queue of batches, and what must go when it outgrows its budget.
///
/// Pushes are numbered from 0, dropped ones too, so what a reader missed is a difference of two
/// numbers. The tail batch is open: it grows until a reader takes it or it is full.
#[derive(Debug)]
pub(super) struct Queue {
    budget: Budget,
    sealed: VecDeque<Arc<Batch>>,
    /// The number of the first sealed batch; the tail's is this and the count of sealed ones.
    base: u64,
    tail: Arc<Batch>,
    /// What the tail is made of when a reader takes it, where only the newest of a channel counts.
    latest: Option<Box<LatestQueue>>,
    /// The sequence number of the oldest push that is still here, if there is one.
    oldest: u64,
    held: usize,
    held_bytes: usize,
    spare: Option<Arc<Batch>>,
}

/// Where a reader stands: the next batch and the next push it will be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) batch: u64,
    pub(super) push: u64,
}

impl Queue {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            sealed: VecDeque::new(),
            base: 0,
            tail: Arc::new(Batch::new()),
            latest: (budget.overflow == Overflow::Latest).then(Box::default),
            oldest: 0,
            held: 0,
            held_bytes: 0,
            spare: None,
        }
    }

    /// Appends a push and drops what the budget has no room for. Returns the time, if this push
    /// made it read the clock.
    #[inline]
    pub(super) fn append(
        &mut self,
        subscription: u32,
        channel: &[u8],
        payload: &[u8],
    ) -> Option<SystemTime> {
        if let Some(latest) = &mut self.latest {
            let (more, fewer) = latest.put(subscription, channel, payload);
            self.held_bytes = self.held_bytes + more - fewer;
            self.held += usize::from(fewer == 0);
            let opened = latest.opened().filter(|_| latest.len() == 1);
            self.keep_within_budget();
            return opened;
        }
        if self.budget.overflow == Overflow::DropNewest
            && self.is_full_for(channel.len() + payload.len())
        {
            self.skip();
            return None;
        }
        if self.tail.len() >= self.most_in_batch() || self.tail.bytes().len() >= MOST_BYTES_IN_BATCH
        {
            self.seal(self.tail.segment);
        }
        let tail = Arc::get_mut(&mut self.tail).expect("an open batch has been given to nobody");
        let opens = tail.is_empty();
        self.held_bytes += tail.append(subscription, channel, payload);
        self.held += 1;
        let opened = opens.then_some(tail.opened);
        self.keep_within_budget();
        opened
    }

    /// Whether there is no room for a push of `bytes`. One push always has room.
    pub(super) fn is_full_for(&self, bytes: usize) -> bool {
        let weight = bytes + Batch::ENTRY_BYTES;
        self.held > 0
            && (self.held >= self.budget.messages || self.held_bytes + weight > self.budget.bytes)
    }

    /// Drops the oldest pushes until it has shed so many bytes, or one push is left.
    pub(super) fn shed(&mut self, bytes: usize) {
        let goal = self.held_bytes.saturating_sub(bytes);
        while self.held > 1 && self.held_bytes > goal {
            self.drop_oldest();
        }
    }

    /// Whether a newer push takes the place of an older one: room is then nothing to wait for.
    pub(super) fn keeps_latest(&self) -> bool {
        self.latest.is_some()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether no more than `eighths` of the budget is in use.
    pub(super) fn is_within(&self, eighths: usize) -> bool {
        self.held <= self.budget.messages / 8 * eighths
            && self.held_bytes <= self.budget.bytes / 8 * eighths
    }

    /// Lets what is appended from now on belong to `episode`.
    pub(super) fn begin_segment(&mut self, segment: u64) {
        self.seal(segment);
    }

    /// Whether nothing has been appended in `episode`.
    pub(super) fn ends_before(&self, segment: u64) -> bool {
        let last = match self.sealed.back() {
            Some(last) if self.tail_is_empty() => last,
            _ => &self.tail,
        };
        last.segment < segment || (self.sealed.is_empty() && self.tail_is_empty())
    }

    /// Gives the next batch to a reader, and how many pushes at its front have been dropped.
    pub(super) fn take(&mut self, position: &mut Position) -> Option<(Arc<Batch>, usize)> {
        let number = position.batch.max(self.base);
        self.batch(number)?;
        if number == self.tail_number() {
            if let Some(latest) = &mut self.latest {
                let tail = Arc::get_mut(&mut self.tail);
                latest.give_first(tail.expect("an open batch has been given to nobody"));
            }
            self.seal_tail(self.tail.segment);
        }
        let batch = Arc::clone(self.batch(number)?);
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
        self.spare.take_if(|spare| spare.capacity() > Batch::LITTLE);
    }

    /// The sequence number behind the newest push.
    pub(super) fn end(&self) -> u64 {
        self.tail.end() + self.latest.as_ref().map_or(0, |latest| latest.len() as u64)
    }

    /// How many bytes of memory it holds, used or not.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let shell = size_of::<Batch>() + 2 * size_of::<usize>();
        let batches = self.sealed.iter().chain([&self.tail]).chain(&self.spare);
        let held: usize = batches.map(|batch| batch.capacity() + shell).sum();
        held + self.sealed.capacity() * size_of::<Arc<Batch>>()
    }

    fn most_in_batch(&self) -> usize {
        // A dropped push leaves its memory only with its whole batch, so a batch is a small part
        // of the budget.
        (self.budget.messages / 16).clamp(1, 1024)
    }

    fn keep_within_budget(&mut self) {
        while self.held > 1
            && (self.held > self.budget.messages || self.held_bytes > self.budget.bytes)
        {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let front = self.sealed.front().unwrap_or(&self.tail);
        self.held -= 1;
        if front.is_empty() {
            // The oldest one is still in the mailbox, which the tail will be made of.
            let weight = self.latest.as_mut().map_or(0, |latest| latest.drop_first());
            self.held_bytes -= weight;
            self.move_tail();
            return;
        }
        let index = front.index_of(self.oldest);
        self.held_bytes -= front.weight_of(index..index + 1);
        self.oldest = front.first + index as u64 + 1;
        if self.oldest == front.end() {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) -> bool {
        let Some(front) = self.sealed.pop_front() else {
            return false;
        };
        let rest = front.index_of(self.oldest)..front.len();
        self.held -= rest.len();
        self.held_bytes -= front.weight_of(rest);
        self.oldest = front.end();
        self.base += 1;
        self.recycle(front);
        true
    }

    /// Leaves out a number: that push is dropped, and counted by everyone who has yet to pass it.
    fn skip(&mut self) {
        self.seal(self.tail.segment);
        self.move_tail();
    }

    /// Lets an empty tail begin one number later.
    fn move_tail(&mut self) {
        let tail = Arc::get_mut(&mut self.tail).expect("an open batch has been given to nobody");
        debug_assert!(tail.is_empty(), "only an empty batch has no numbers yet");
        tail.first += 1;
    }

    /// Closes the tail, if there is something in it, and opens another.
    fn seal(&mut self, segment: u64) {
        if let Some(latest) = &mut self.latest {
            let tail = Arc::get_mut(&mut self.tail);
            latest.empty_into(tail.expect("an open batch has been given to nobody"));
        }
        self.seal_tail(segment);
    }

    fn seal_tail(&mut self, segment: u64) {
        let first = self.tail.end();
        // A large push says nothing of the next one.
        let expected = self.tail.expects_next().min(2 * MOST_BYTES_IN_BATCH);
        if !self.tail.is_empty() {
            let next = self.spare.take().unwrap_or_else(|| Arc::new(Batch::new()));
            self.sealed
                .push_back(std::mem::replace(&mut self.tail, next));
        }
        Arc::get_mut(&mut self.tail)
            .expect("an empty batch has been given to nobody")
            .reopen(first, segment, expected);
    }

    fn tail_number(&self) -> u64 {
        self.base + self.sealed.len() as u64
    }

    fn batch(&self, number: u64) -> Option<&Arc<Batch>> {
        let index = usize::try_from(number - self.base).expect("an index of the queue");
        match self.sealed.get(index) {
            Some(batch) => Some(batch),
            None if index == self.sealed.len() && !self.tail_is_empty() => Some(&self.tail),
            None => None,
        }
    }

    fn tail_is_empty(&self) -> bool {
        self.tail.is_empty() && self.latest.as_ref().is_none_or(|latest| latest.is_empty())
    }
}

/// A batch is closed once it holds this much, one push more at the most.
const MOST_BYTES_IN_BATCH: usize = 32 * 1024;

/// What lies before a reader.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ahead {
    /// How many pushes were dropped between the reader and the batch.
    pub(super) missed: u64,
    pub(super) segment: u64,
    pub(super) opened: SystemTime,
}

impl Queue {
    /// What lies before a reader at `position`.
    pub(super) fn peek(&self, position: Position) -> Option<Ahead> {
        let batch = self.batch(position.batch.max(self.base))?;
        let latest = self.latest.as_ref().filter(|_| batch.is_empty());
        Some(Ahead {
            missed: self.missed(position),
            segment: batch.segment,
            opened: latest
                .and_then(|latest| latest.opened())
                .unwrap_or(batch.opened),
        })
    }

    /// How many pushes were dropped before a reader at `position` could have them: those up to the
    /// next one that is here, or up to the end.
    pub(super) fn missed(&self, position: Position) -> u64 {
        let next = match self.batch(position.batch.max(self.base)) {
            Some(batch) => batch.first.max(self.oldest),
            None => self.end(),
        };
        next.saturating_sub(position.push)
    }

    /// How many pushes are dropped of all that a reader at `position` has yet to pass.
    pub(super) fn missing(&self, position: Position) -> u64 {
        let first = usize::try_from(position.batch.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let sealed = self.sealed.iter().skip(first);
        let here = sealed.map(|batch| batch.len() - batch.index_of(self.oldest));
        let open = self.end() - self.tail.first;
        let ahead = here.sum::<usize>() as u64 + open - self.dropped_of_tail();
        (self.end() - position.push.min(self.end())).saturating_sub(ahead)
    }

    /// How many pushes at the front of the tail are dropped.
    fn dropped_of_tail(&self) -> u64 {
        self.tail.index_of(self.oldest) as u64
    }

    /// Lets a reader pass what was dropped at the end.
    pub(super) fn pass(&self, position: &mut Position) {
        position.push = position.push.max(self.end());
    }

    /// How many pushes have no number because they took the place of an older one.
    pub(super) fn superseded(&self) -> u64 {
        self.latest.as_ref().map_or(0, |latest| latest.superseded())
    }
}
