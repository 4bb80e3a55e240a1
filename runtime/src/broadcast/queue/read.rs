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
#[derive(Debug, PartialEq, Eq)]
pub(in crate::broadcast) struct NextBatch {
    /// How many pushes were dropped between the reader's position and the batch.
    pub(in crate::broadcast) missed: u64,
    pub(in crate::broadcast) segment: u64,
    /// When the batch was opened, if all that was dropped before it had arrived by then.
    pub(in crate::broadcast) opened: Option<SystemTime>,
}

impl Queue {
    /// Describes the next batch of a reader at `position`.
    pub(in crate::broadcast) fn peek(&self, position: Position) -> Option<NextBatch> {
        let batch = self.batch(position.batch.max(self.base))?;
        // Pushes of the batch itself may have been dropped, and those of a mailbox at any time before
        // they became a batch.
        let is_complete = self.latest.is_none() && self.oldest <= batch.first && !batch.is_cut;
        Some(NextBatch {
            missed: self.missed(position),
            segment: batch.segment,
            opened: is_complete.then_some(batch.opened),
        })
    }

    /// Returns the next batch and how many pushes at its front were dropped, and advances the
    /// position.
    pub(in crate::broadcast) fn read(
        &mut self,
        position: &mut Position,
    ) -> Option<(Arc<Batch>, usize)> {
        let number = position.batch.max(self.base);
        self.batch(number)?;
        if number == self.tail_number() {
            self.move_latest_to_tail();
            self.seal_tail(self.tail.segment);
        }
        let batch = Arc::clone(self.batch(number)?);
        let from = position.push.max(self.oldest).max(batch.first);
        let skip = usize::try_from(from - batch.first).expect("batch index fits in usize");
        *position = Position {
            batch: number + 1,
            push: batch.end(),
        };
        Some((batch, skip))
    }

    /// Advances a position past the pushes that were dropped at the end.
    pub(in crate::broadcast) fn skip_to_end(&self, position: &mut Position) {
        position.push = position.push.max(self.end());
    }

    /// Returns how many pushes were dropped between `position` and the next push that is here, or
    /// the end.
    pub(in crate::broadcast) fn missed(&self, position: Position) -> u64 {
        let next = match self.batch(position.batch.max(self.base)) {
            Some(batch) => batch.first.max(self.oldest),
            None => self.end(),
        };
        next.saturating_sub(position.push)
    }

    /// Returns how many pushes were dropped between `position` and the end.
    pub(in crate::broadcast) fn missing(&self, position: Position) -> u64 {
        let first = usize::try_from(position.batch.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let sealed = self.sealed.iter().skip(first);
        let here = sealed.map(|batch| batch.len() - batch.index_of(self.oldest));
        let open = self.end() - self.tail.first;
        let ahead = here.sum::<usize>() as u64 + open - self.dropped_of_tail();
        (self.end() - position.push.min(self.end())).saturating_sub(ahead)
    }
}
