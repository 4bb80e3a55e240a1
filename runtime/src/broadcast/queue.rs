//! The batches of a broadcast channel.
//!
//! This file appends and releases batches. `read` has what readers receive, `readers` which batches they
//! need, `overflow` what is dropped when the budget is exceeded, `shed` what is dropped when all channels
//! together exceed the memory limit.

mod overflow;
mod read;
mod readers;
mod shed;

pub(super) use read::Position;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use super::budget::{Budget, Held, Overflow};
use super::fence::Fence;
use super::latest::LatestQueue;
use crate::push::Batch;
use readers::Lent;

/// A batch is sealed when it holds this many bytes. Only its last push may exceed the limit.
const MAX_BATCH_BYTES: usize = 32 * 1024;

/// How much memory a batch takes besides its page, with its place in the list.
const BATCH_BYTES: usize = Batch::SHELL_BYTES + 2 * size_of::<Arc<Batch>>();

/// The capacity, in batches, of a list that is not worth shrinking.
const SMALL_LIST: usize = 64;

/// A queue of batches: the sealed ones, and the open tail.
///
/// Pushes are numbered from 0, including those that are dropped, so what a reader has missed is a
/// difference of two numbers. The tail grows until a reader receives it or it is full.
#[derive(Debug)]
pub(super) struct Queue {
    budget: Budget,
    /// How many pushes the budget allows if no reader's pace allows fewer.
    most_messages: usize,
    fence: Arc<Fence>,
    sealed: VecDeque<Arc<Batch>>,
    /// How much memory the sealed batches hold.
    sealed_memory: usize,
    /// The number of the first sealed batch. The number of the tail is this plus the number of
    /// sealed batches.
    base: u64,
    tail: Arc<Batch>,
    /// For each sealed batch, how many readers receive it next.
    readers: VecDeque<u32>,
    /// How many readers receive the tail next.
    tail_readers: u32,
    /// The batches that have left the queue while readers use them.
    lent: Lent,
    /// With [`Overflow::Latest`], the pushes that become the tail when a reader asks.
    latest: Option<Box<LatestQueue>>,
    /// The sequence number of the oldest push that is still here, if there is one.
    oldest: u64,
    /// How many pushes are here and not dropped.
    held: usize,
    /// How many bytes they count for in the budget.
    held_bytes: usize,
    /// A released batch whose memory is reused for the next tail.
    spare: Option<Arc<Batch>>,
}

impl Queue {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            most_messages: budget.messages,
            fence: Arc::default(),
            sealed: VecDeque::new(),
            sealed_memory: 0,
            base: 0,
            tail: Arc::new(Batch::new()),
            readers: VecDeque::new(),
            tail_readers: 0,
            lent: Lent::default(),
            latest: (budget.overflow == Overflow::Latest).then(Box::default),
            oldest: 0,
            held: 0,
            held_bytes: 0,
            spare: None,
        }
    }

    pub(super) fn follow(&mut self, fence: Arc<Fence>) {
        self.fence = fence;
    }

    /// Holds as many pushes as the slowest pace of a reader allows, which is `furthest`: never more
    /// than the budget of the channel.
    pub(super) fn follow_pace(&mut self, furthest: u64) {
        let furthest = usize::try_from(furthest).unwrap_or(usize::MAX);
        self.budget.messages = furthest.min(self.most_messages);
        self.keep_within_budget();
    }

    /// Appends a push and drops what exceeds the budget. Returns the current time if this push
    /// opened a batch: only then is the clock read. Also returns by how many bytes the memory has
    /// grown, without what was dropped for it.
    #[inline]
    pub(super) fn append(
        &mut self,
        subscription: u32,
        channel: &[u8],
        payload: &[u8],
    ) -> (Option<SystemTime>, usize) {
        if let Some(latest) = &mut self.latest {
            let before = latest.memory();
            let (more, fewer) = latest.put(subscription, channel, payload, &self.fence);
            self.held_bytes = self.held_bytes + more - fewer;
            self.held += usize::from(fewer == 0);
            let grown = latest.memory().saturating_sub(before);
            let opened = latest.opened().filter(|_| latest.len() == 1);
            self.keep_within_budget();
            return (opened, grown);
        }
        if self.budget.overflow == Overflow::DropNewest
            && self.is_full_for(channel.len() + payload.len())
        {
            self.drop_newest();
            return (None, 0);
        }
        if self.tail.len() >= self.max_batch_len() || self.tail.bytes().len() >= MAX_BATCH_BYTES {
            self.seal(self.tail.segment);
        }
        let tail = Arc::get_mut(&mut self.tail).expect("open batch is not shared");
        let (opens, before) = (tail.is_empty(), tail.capacity());
        if opens {
            tail.fence = self.fence.time();
        }
        self.held_bytes += tail.append(subscription, channel, payload);
        self.held += 1;
        let mut grown = tail.capacity() - before;
        let mut opened = None;
        if opens {
            opened = Some(tail.opened);
            grown += BATCH_BYTES;
        }
        self.keep_within_budget();
        (opened, grown)
    }

    /// Returns whether a push of `bytes` exceeds the budget. An empty queue accepts any push.
    pub(super) fn is_full_for(&self, bytes: usize) -> bool {
        let weight = bytes + Batch::ENTRY_BYTES;
        self.held > 0
            && (self.held >= self.budget.messages || self.held_bytes + weight > self.budget.bytes)
    }

    /// Returns whether at most `eighths` eighths of the budget are in use.
    pub(super) fn is_within(&self, eighths: usize) -> bool {
        self.held <= self.budget.messages / 8 * eighths
            && self.held_bytes <= self.budget.bytes / 8 * eighths
    }

    /// Returns whether a newer push replaces an older one. The link does not wait for room then.
    pub(super) fn keeps_latest(&self) -> bool {
        self.latest.is_some()
    }

    /// Returns how much memory the pushes hold, without those that readers have received.
    pub(super) fn held(&self) -> Held {
        let latest = self.latest.as_ref().and_then(|latest| latest.opened());
        let opened = self.sealed.front().unwrap_or(&self.tail).opened;
        Held {
            waiting: self.memory(),
            in_hand: 0,
            messages: self.held,
            since: (self.held > 0).then(|| latest.unwrap_or(opened)),
        }
    }

    /// Begins a segment: pushes that are appended from now on belong to it.
    pub(super) fn begin_segment(&mut self, segment: u64) {
        self.seal(segment);
    }

    /// Returns the segment of the oldest push that is here, or the current one.
    pub(super) fn oldest_segment(&self) -> u64 {
        self.sealed.front().unwrap_or(&self.tail).segment
    }

    /// Returns whether nothing has been appended in `segment`.
    pub(super) fn ends_before(&self, segment: u64) -> bool {
        let last = match self.sealed.back() {
            Some(last) if self.tail_is_empty() => last,
            _ => &self.tail,
        };
        last.segment < segment || (self.sealed.is_empty() && self.tail_is_empty())
    }

    /// Returns the sequence number after the newest push.
    pub(super) fn end(&self) -> u64 {
        self.tail.end() + self.latest.as_ref().map_or(0, |latest| latest.len() as u64)
    }

    /// Returns how many pushes have no number because they replaced an older one.
    pub(super) fn superseded(&self) -> u64 {
        self.latest.as_ref().map_or(0, |latest| latest.superseded())
    }

    /// Frees spare memory, unless it is small. An idle queue should not hold it.
    pub(super) fn release_spare(&mut self) {
        self.spare
            .take_if(|spare| spare.capacity() > Batch::SMALL_CAPACITY);
    }

    /// Returns how many bytes of memory the queue holds, used or not. The empty tail that every
    /// queue has is not counted.
    pub(super) fn memory(&self) -> usize {
        let spare = self.spare.as_ref().map_or(0, |spare| spare.memory());
        let latest = self.latest.as_ref().map_or(0, |latest| latest.memory());
        let list = self.sealed.capacity() * size_of::<Arc<Batch>>()
            + self.readers.capacity() * size_of::<u32>();
        self.sealed_memory + list + self.tail.capacity() + spare + latest
    }

    /// Counts the memory of the sealed batches again.
    #[cfg(test)]
    pub(super) fn recount(&self) -> (usize, usize) {
        let batches = self.sealed.iter().map(|batch| batch.memory());
        (self.sealed_memory, batches.sum())
    }

    /// Returns how many bytes the pushes count for in the budget.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    fn max_batch_len(&self) -> usize {
        // The memory of a dropped push is released with its whole batch, so a batch is a small part
        // of the budget.
        (self.budget.messages / 16).clamp(1, 1024)
    }

    /// Releases the oldest sealed batch. Returns false if there is none.
    fn pop_front(&mut self) -> bool {
        let Some(front) = self.sealed.pop_front() else {
            return false;
        };
        let rest = front.index_of(self.oldest)..front.len();
        self.held -= rest.len();
        self.held_bytes -= front.weight_of(rest);
        self.oldest = front.end();
        self.base += 1;
        self.sealed_memory -= front.memory();
        self.recycle(front);
        // Readers that have not received it receive the next one.
        let readers = self.readers.pop_front().unwrap_or(0);
        *self.readers.front_mut().unwrap_or(&mut self.tail_readers) += readers;
        let capacity = self.sealed.capacity();
        if capacity > SMALL_LIST && self.sealed.len() <= capacity / 8 {
            self.sealed.shrink_to(2 * self.sealed.len());
            self.readers.shrink_to(2 * self.sealed.len());
        }
        true
    }

    /// Seals the tail with everything that waits for it, and opens a new one in `segment`.
    fn seal(&mut self, segment: u64) {
        while self
            .latest
            .as_ref()
            .is_some_and(|latest| !latest.is_empty())
        {
            // As with any other policy, a batch is full at some size.
            if self.tail.bytes().len() >= MAX_BATCH_BYTES {
                self.seal_tail(self.tail.segment);
            }
            self.move_latest_to_tail();
        }
        self.seal_tail(segment);
    }

    /// Moves the first push of the latest queue to the tail.
    fn move_latest_to_tail(&mut self) {
        if let Some(latest) = &mut self.latest {
            let tail = Arc::get_mut(&mut self.tail).expect("open batch is not shared");
            let (added, removed) = latest.move_first_into(tail);
            self.held_bytes = self.held_bytes + added - removed;
        }
    }

    /// Seals the tail, unless it is empty, and opens a new one in `segment`.
    fn seal_tail(&mut self, segment: u64) {
        let first = self.tail.end();
        // One large push does not mean that the next one is large too.
        let expected = self.tail.expects_next().min(2 * MAX_BATCH_BYTES);
        if !self.tail.is_empty() {
            self.sealed_memory += self.tail.memory();
            let next = self.spare.take().unwrap_or_else(|| Arc::new(Batch::new()));
            self.sealed
                .push_back(std::mem::replace(&mut self.tail, next));
            self.readers
                .push_back(std::mem::take(&mut self.tail_readers));
        }
        Arc::get_mut(&mut self.tail)
            .expect("empty batch is not shared")
            .reopen(first, segment, expected);
    }

    pub(super) fn tail_number(&self) -> u64 {
        self.base + self.sealed.len() as u64
    }

    /// Returns a batch by its number; the tail only if there is something to read in it.
    fn batch(&self, number: u64) -> Option<&Arc<Batch>> {
        let index = usize::try_from(number - self.base).expect("queue index fits in usize");
        match self.sealed.get(index) {
            Some(batch) => Some(batch),
            None if index == self.sealed.len() && !self.tail_is_empty() => Some(&self.tail),
            None => None,
        }
    }

    fn tail_is_empty(&self) -> bool {
        self.tail.is_empty() && self.latest.as_ref().is_none_or(|latest| latest.is_empty())
    }

    /// Returns how many pushes at the front of the tail were dropped.
    fn dropped_of_tail(&self) -> u64 {
        self.tail.index_of(self.oldest) as u64
    }
}
