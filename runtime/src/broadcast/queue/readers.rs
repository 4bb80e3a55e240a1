//! Which batches readers have yet to receive, and the memory of those that they have received.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::{MAX_BATCH_BYTES, Position, Queue, Sealed};
use crate::push::{Batch, Decoded};

impl Queue {
    /// Returns the position of a reader that receives everything from now on. A batch begins there.
    pub(in crate::broadcast) fn end_position(&mut self) -> Position {
        self.seal_tail();
        Position {
            batch: self.tail_number(),
            push: self.end(),
        }
    }

    /// Counts a reader at a position.
    pub(in crate::broadcast) fn enter(&mut self, position: Position) {
        *self.readers_at(position) += 1;
    }

    /// Counts a reader at a position no more. Releases the batches that nobody has yet to receive.
    pub(in crate::broadcast) fn leave(&mut self, position: Position) {
        *self.readers_at(position) -= 1;
        self.release();
    }

    /// Counts a reader at another position.
    #[inline]
    pub(in crate::broadcast) fn advance(&mut self, from: Position, to: Position) {
        if from.batch.max(self.base) != to.batch.max(self.base) {
            let left = self.readers_at(from);
            *left -= 1;
            let is_last = *left == 0;
            *self.readers_at(to) += 1;
            if is_last {
                self.release();
            }
        }
    }

    /// Returns the position that is at most `limit` pushes behind the end, and not before
    /// `position`.
    #[inline]
    pub(in crate::broadcast) fn caught_up(&self, position: Position, limit: u64) -> Position {
        let end = self.end();
        if end.saturating_sub(position.push) <= limit {
            return position;
        }
        let push = end - limit;
        let passed = |sealed: &Sealed| sealed.batch.end() <= push;
        Position {
            batch: self.base + self.sealed.partition_point(passed) as u64,
            push,
        }
    }

    /// Takes back a batch that a reader has received, to reuse its memory.
    pub(in crate::broadcast) fn take_back(&mut self, batch: Arc<Batch>) {
        batch.hand_back();
        let first = self.front().map_or(self.numbered, |front| front.first);
        // Otherwise the other readers have yet to receive it.
        if batch.first < first && Arc::strong_count(&batch) == 1 {
            if let Some(lent) = &mut self.lent {
                lent.remove(batch.first);
            }
            self.recycle(batch);
        } else {
            // Other readers or workers may use it, or a user may have kept a payload.
            self.let_go(batch);
        }
    }

    /// Returns how much memory the batches hold that readers have received and still use.
    pub(in crate::broadcast) fn lent_memory(&self) -> usize {
        self.lent.as_ref().map_or(0, |lent| lent.memory())
    }

    /// Keeps the memory of a released batch, or counts it while readers use it.
    pub(super) fn recycle(&mut self, mut batch: Arc<Batch>) {
        let Some(unshared) = Arc::get_mut(&mut batch) else {
            if batch.is_handed_out() {
                self.lent.get_or_insert_default().add(&batch);
            }
            return self.let_go(batch);
        };
        self.discarded.extend(unshared.take_decoded());
        if batch.capacity() <= 4 * MAX_BATCH_BYTES {
            self.spare = Some(batch);
        }
    }

    /// Lets go of a batch that others have too. If they have let go of it just now, its values are kept
    /// for [`discarded`](Self::discarded).
    fn let_go(&mut self, batch: Arc<Batch>) {
        if let Some(mut batch) = Arc::into_inner(batch) {
            self.discarded.extend(batch.take_decoded());
        }
    }

    /// Returns the values of released batches. Their destructors are user code, so the caller drops them
    /// when the channel is unlocked.
    #[inline]
    pub(in crate::broadcast) fn discarded(&mut self) -> Vec<Decoded> {
        std::mem::take(&mut self.discarded)
    }

    /// Releases the batches that every reader has received.
    fn release(&mut self) {
        while self
            .sealed
            .front()
            .is_some_and(|sealed| sealed.readers == 0)
        {
            self.pop_front();
        }
    }

    /// Returns the number of readers whose next batch is that of a position.
    #[inline]
    fn readers_at(&mut self, position: Position) -> &mut u32 {
        let index = position.batch.saturating_sub(self.base);
        let index = usize::try_from(index).expect("queue index fits in usize");
        match self.sealed.get_mut(index) {
            Some(sealed) => &mut sealed.readers,
            None => &mut self.tail_readers,
        }
    }
}

/// The batches that have left the queue while readers use them, in their order.
///
/// The readers keep them in memory. Here they are only counted.
#[derive(Debug, Default)]
pub(super) struct Lent {
    batches: VecDeque<LentBatch>,
    /// With this many batches, those that nobody uses any more are looked for.
    sweep_at: usize,
}

#[derive(Debug)]
struct LentBatch {
    first: u64,
    memory: usize,
    batch: Weak<Batch>,
}

impl LentBatch {
    fn is_used(&self) -> bool {
        self.batch
            .upgrade()
            .is_some_and(|batch| batch.is_handed_out())
    }
}

impl Lent {
    /// The number of batches that are not worth looking through.
    const FEW: usize = 16;

    fn add(&mut self, batch: &Arc<Batch>) {
        self.end_unused();
        if self.batches.len() >= self.sweep_at {
            self.batches.retain(LentBatch::is_used);
            self.sweep_at = Self::FEW.max(2 * self.batches.len());
        }
        self.batches.push_back(LentBatch {
            first: batch.first,
            memory: batch.memory(),
            batch: Arc::downgrade(batch),
        });
    }

    /// Forgets the first batches, as far as nobody uses them any more. Returns whether none is left.
    pub(super) fn end_unused(&mut self) -> bool {
        while self.batches.front().is_some_and(|first| !first.is_used()) {
            self.batches.pop_front();
        }
        self.batches.is_empty()
    }

    fn remove(&mut self, first: u64) {
        if let Ok(at) = self.batches.binary_search_by_key(&first, |lent| lent.first) {
            self.batches.remove(at);
        }
    }

    fn memory(&self) -> usize {
        let used = self.batches.iter().filter(|lent| lent.is_used());
        used.map(|lent| lent.memory).sum()
    }
}
