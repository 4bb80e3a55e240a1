//! The batches of a broadcast channel.
//!
//! This file appends and releases batches. `tail` opens and seals them, `read` has what readers receive,
//! `readers` which batches they need, `overflow` what is dropped when the budget is exceeded, `shed` what
//! is dropped when all channels together exceed the memory limit.

mod overflow;
mod read;
mod readers;
mod shed;
mod tail;

pub(super) use read::Position;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use super::budget::{Budget, Held, Overflow};
use super::common::Common;
use super::crowd::Crowd;
use super::latest::LatestQueue;
use crate::push::{Batch, Decoded};
use crate::util::shrink;
use readers::Lent;

/// A batch is sealed when it holds this many bytes. Only its last push may exceed the limit.
pub(super) const MAX_BATCH_BYTES: usize = 32 * 1024;

/// How much memory a batch takes besides its page, with its place in the list.
const BATCH_BYTES: usize = Batch::SHELL_BYTES + 2 * size_of::<Sealed>();

/// A queue of batches: the sealed ones, and the open tail.
///
/// Pushes are numbered from 0, including those that are dropped, so what a reader has missed is a
/// difference of two numbers. The tail grows until a reader receives it or it is full.
///
/// Most queues are empty most of the time. So an empty one has no batch, and what is rare is boxed.
#[derive(Debug)]
pub(super) struct Queue {
    budget: Budget,
    /// How many pushes the budget allows if no reader's pace allows fewer.
    most_messages: usize,
    common: Arc<Common>,
    sealed: VecDeque<Sealed>,
    /// How much memory the sealed batches hold.
    sealed_memory: usize,
    /// The number of the first sealed batch. The number of the tail is this plus the number of
    /// sealed batches.
    base: u64,
    /// The open batch, if there is a push in it.
    tail: Option<Arc<Batch>>,
    /// How many readers receive the tail next.
    tail_readers: u32,
    /// The sequence number after the newest push that has one.
    numbered: u64,
    /// The segment of the pushes that are appended next.
    segment: u64,
    /// How many bytes the next batch is expected to need.
    expected: u32,
    /// The batches that have left the queue while readers use them.
    lent: Option<Box<Lent>>,
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
    /// What readers had decoded from batches that are released. A reader drops it without the lock.
    discarded: Vec<Decoded>,
}

/// A batch that does not change any more.
#[derive(Debug)]
struct Sealed {
    batch: Arc<Batch>,
    /// How many readers receive it next.
    readers: u32,
}

impl Queue {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            most_messages: budget.messages,
            common: Arc::default(),
            sealed: VecDeque::new(),
            sealed_memory: 0,
            base: 0,
            tail: None,
            tail_readers: 0,
            numbered: 0,
            segment: 0,
            expected: 0,
            lent: None,
            latest: (budget.overflow == Overflow::Latest).then(Box::default),
            oldest: 0,
            held: 0,
            held_bytes: 0,
            spare: None,
            discarded: Vec::new(),
        }
    }

    pub(super) fn follow(&mut self, common: Arc<Common>) {
        self.common = common;
    }

    #[inline]
    pub(super) fn crowd(&self) -> &Crowd {
        &self.common.crowd
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
            let (more, fewer) = latest.put(subscription, channel, payload, &self.common.fence);
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
        let most = self.max_batch_len();
        if let Some(tail) = &self.tail
            && (tail.len() >= most || tail.bytes().len() >= MAX_BATCH_BYTES)
        {
            self.seal_tail();
        }
        let opens = self.tail.is_none();
        let tail = self.open_tail();
        let before = tail.capacity();
        let weight = tail.append(subscription, channel, payload);
        let mut grown = tail.capacity() - before;
        let mut opened = None;
        if opens {
            opened = Some(tail.opened);
            grown += BATCH_BYTES;
        }
        self.held_bytes += weight;
        self.held += 1;
        self.numbered += 1;
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
        let opened = self.front().map(|front| front.opened);
        Held {
            waiting: self.memory(),
            in_hand: 0,
            messages: self.held,
            since: latest.or(opened).filter(|_| self.held > 0),
        }
    }

    /// Begins a segment: pushes that are appended from now on belong to it.
    pub(super) fn begin_segment(&mut self, segment: u64) {
        self.seal();
        self.segment = segment;
    }

    /// Returns the segment of the oldest push that is here, or the current one.
    pub(super) fn oldest_segment(&self) -> u64 {
        self.front().map_or(self.segment, |front| front.segment)
    }

    /// Returns whether nothing has been appended in `segment`.
    pub(super) fn ends_before(&self, segment: u64) -> bool {
        let last = self.sealed.back();
        match last {
            _ if self.has_open() => self.segment < segment,
            Some(last) => last.batch.segment < segment,
            None => true,
        }
    }

    /// Returns the sequence number after the newest push.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.numbered + self.latest.as_ref().map_or(0, |latest| latest.len() as u64)
    }

    /// Returns how many pushes have no number because they replaced an older one.
    pub(super) fn superseded(&self) -> u64 {
        self.latest.as_ref().map_or(0, |latest| latest.superseded())
    }

    /// Frees spare memory, unless it is small.
    pub(super) fn release_spare(&mut self) {
        self.spare
            .take_if(|spare| spare.capacity() > Batch::SMALL_CAPACITY);
    }

    /// Returns how many bytes of memory the queue holds, used or not.
    pub(super) fn memory(&self) -> usize {
        let batches = [&self.tail, &self.spare].into_iter().flatten();
        let open: usize = batches.map(|batch| batch.memory()).sum();
        let latest = self.latest.as_ref().map_or(0, |latest| latest.memory());
        let list = self.sealed.capacity() * size_of::<Sealed>();
        self.sealed_memory + list + open + latest
    }

    /// Counts the memory of the sealed batches again.
    #[cfg(test)]
    pub(super) fn recount(&self) -> (usize, usize) {
        let batches = self.sealed.iter().map(|sealed| sealed.batch.memory());
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
        let Some(Sealed { batch, readers }) = self.sealed.pop_front() else {
            return false;
        };
        let rest = batch.index_of(self.oldest)..batch.len();
        self.held -= rest.len();
        self.held_bytes -= batch.weight_of(rest);
        self.oldest = batch.end();
        self.base += 1;
        self.sealed_memory -= batch.memory();
        self.recycle(batch);
        // Readers that have not received it receive the next one.
        match self.sealed.front_mut() {
            Some(next) => next.readers += readers,
            None => self.tail_readers += readers,
        }
        shrink(&mut self.sealed);
        true
    }

    /// Returns the oldest batch.
    fn front(&self) -> Option<&Batch> {
        let sealed = self.sealed.front().map(|sealed| &*sealed.batch);
        sealed.or(self.tail.as_deref())
    }
}
