//! The open batch of a queue.

use std::sync::Arc;

use super::{MAX_BATCH_BYTES, Queue, Sealed};
use crate::push::Batch;

impl Queue {
    /// Seals everything that is here. The next push opens a batch.
    pub(super) fn seal(&mut self) {
        while self.move_latest_to_tail() {
            // As with any other policy, a batch is full at some size.
            if let Some(tail) = &self.tail
                && tail.bytes().len() >= MAX_BATCH_BYTES
            {
                self.seal_tail();
            }
        }
        self.seal_tail();
    }

    /// Moves the first push of the latest queue to the tail. Returns false if there is none.
    pub(super) fn move_latest_to_tail(&mut self) -> bool {
        let Some(mut latest) = self.latest.take_if(|latest| !latest.is_empty()) else {
            return false;
        };
        let (added, removed) = latest.move_first_into(self.open_tail());
        self.latest = Some(latest);
        self.held_bytes = self.held_bytes + added - removed;
        self.numbered += 1;
        true
    }

    /// Seals the tail, if there is one.
    pub(super) fn seal_tail(&mut self) {
        if let Some(batch) = self.tail.take() {
            // One large push does not mean that the next one is large too.
            self.expected = batch.expects_next().min(2 * MAX_BATCH_BYTES);
            self.sealed_memory += batch.memory();
            let readers = std::mem::take(&mut self.tail_readers);
            self.sealed.push_back(Sealed { batch, readers });
        }
    }

    /// Returns the number of the batch that is open, or is opened next.
    pub(super) fn tail_number(&self) -> u64 {
        self.base + self.sealed.len() as u64
    }

    /// Returns the tail. If there is none, opens one.
    #[inline]
    pub(super) fn open_tail(&mut self) -> &mut Batch {
        let is_new = self.tail.is_none();
        let tail = self.tail.get_or_insert_with(|| {
            let spare = self.spare.take();
            spare.unwrap_or_else(|| Arc::new(Batch::new()))
        });
        let tail = Arc::get_mut(tail).expect("open batch is not shared");
        if is_new {
            tail.reopen(self.numbered, self.segment, self.expected);
            tail.fence = self.fence.timestamp();
        }
        tail
    }

    /// Returns whether a push is here that is not in a sealed batch.
    pub(super) fn has_open(&self) -> bool {
        self.tail.is_some()
            || self
                .latest
                .as_ref()
                .is_some_and(|latest| !latest.is_empty())
    }
}
