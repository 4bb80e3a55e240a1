//! What readers receive from a queue, and what they have missed.

use std::sync::Arc;
use std::time::SystemTime;

use super::Queue;
use crate::push::Batch;

/// The next batch and the next push that a reader receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::broadcast) struct Position {
    pub(in crate::broadcast) batch: u64,
    pub(in crate::broadcast) push: u64,
}

/// A description of the next batch of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broadcast) struct NextBatch {
    /// How many pushes were dropped between the reader's position and the batch.
    pub(in crate::broadcast) missed: u64,
    pub(in crate::broadcast) segment: u64,
}

impl Queue {
    /// Describes the next batch of a reader at `position`.
    #[inline]
    pub(in crate::broadcast) fn peek(&self, position: Position) -> Option<NextBatch> {
        let (first, segment) = match self.batch(position) {
            Some(batch) => (batch.first, batch.segment),
            // The pushes of a mailbox become a batch when they are read.
            None if self.has_open() => (self.numbered, self.segment),
            None => return None,
        };
        Some(NextBatch {
            missed: first.max(self.oldest).saturating_sub(position.push),
            segment,
        })
    }

    /// Returns when the next batch of a reader was opened, if all that was dropped before it had arrived
    /// by then.
    pub(in crate::broadcast) fn opened(&self, position: Position) -> Option<SystemTime> {
        // Pushes of the batch itself may have been dropped, and those of a mailbox at any time before
        // they became a batch.
        let batch = self.batch(position)?;
        let is_complete = self.latest.is_none() && self.oldest <= batch.first && !batch.is_cut;
        is_complete.then_some(batch.opened)
    }

    /// Returns when the oldest batch that a reader has not received was opened.
    pub(in crate::broadcast) fn oldest(&self, position: Position) -> Option<SystemTime> {
        let opened = self.batch(position).map(|batch| batch.opened);
        opened.or_else(|| self.latest.as_ref()?.opened())
    }

    /// Hands out the next batch, with how many pushes at its front were dropped, and advances the
    /// position.
    #[inline]
    pub(in crate::broadcast) fn read(
        &mut self,
        position: &mut Position,
    ) -> Option<(Arc<Batch>, usize)> {
        let number = position.batch.max(self.base);
        if number == self.tail_number() {
            self.move_latest_to_tail();
            self.seal_tail();
        }
        let batch = &self.sealed.get(self.index(number))?.batch;
        let from = position.push.max(self.oldest).max(batch.first);
        let skip = usize::try_from(from - batch.first).expect("batch index fits in usize");
        *position = Position {
            batch: number + 1,
            push: batch.end(),
        };
        // Before it may leave the queue, which counts it from then on.
        batch.hand_out();
        Some((Arc::clone(batch), skip))
    }

    /// Returns whether what comes next at a position is in the open tail.
    pub(in crate::broadcast) fn is_at_tail(&self, position: Position) -> bool {
        self.tail.is_some() && position.batch.max(self.base) == self.tail_number()
    }

    /// Returns how many pushes are in the open tail.
    pub(in crate::broadcast) fn tail_len(&self) -> u64 {
        self.tail.as_ref().map_or(0, |tail| tail.len() as u64)
    }

    /// Advances a position past the pushes that were dropped at the end.
    pub(in crate::broadcast) fn skip_to_end(&self, position: &mut Position) {
        position.push = position.push.max(self.end());
    }

    /// Returns how many pushes were dropped between `position` and the end.
    pub(in crate::broadcast) fn missing(&self, position: Position) -> u64 {
        let first = self.index(position.batch.max(self.base));
        let sealed = self.sealed.iter().skip(first).map(|sealed| &sealed.batch);
        let batches = sealed.chain(&self.tail);
        let here: usize = batches
            .map(|batch| batch.len() - batch.index_of(self.oldest))
            .sum();
        let waiting = self.end() - self.numbered;
        (self.end() - position.push.min(self.end())).saturating_sub(here as u64 + waiting)
    }

    /// Returns the next batch of a reader, if there is one.
    #[inline]
    fn batch(&self, position: Position) -> Option<&Batch> {
        match self.sealed.get(self.index(position.batch.max(self.base))) {
            Some(sealed) => Some(&sealed.batch),
            None => self.tail.as_deref(),
        }
    }

    /// Returns the place of a batch in the list of sealed ones, by its number.
    #[inline]
    fn index(&self, number: u64) -> usize {
        usize::try_from(number - self.base).expect("queue index fits in usize")
    }
}
