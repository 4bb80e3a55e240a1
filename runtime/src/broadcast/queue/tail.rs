//! The open batch of a queue.

use std::sync::Arc;

use super::{BATCH_BYTES, MAX_BATCH_BYTES, Queue, Sealed};
use crate::broadcast::open::{OpenBatch, Room};
use crate::push::{Batch, Page};

/// Pushes of so many bytes are copied to the tail, where they need no page of their own.
const SMALL: usize = MAX_BATCH_BYTES / 4;

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
            let expected = batch.expects_next().min(2 * MAX_BATCH_BYTES);
            self.expected = u32::try_from(expected).unwrap_or(u32::MAX);
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
            tail.reopen(self.numbered, self.segment, self.expected as usize);
            tail.fence = self.common.fence.timestamp();
        }
        tail
    }

    /// Returns what a batch that is filled beside the queue has room for: nothing if pushes have to come one by
    /// one.
    #[inline]
    pub(in crate::broadcast) fn room(&self) -> Room {
        if self.keeps_latest() {
            return Room::default();
        }
        let pushes = self.budget.messages.saturating_sub(self.held);
        Room {
            pushes: pushes.min(self.max_batch_len()),
            bytes: self.budget.bytes.saturating_sub(self.held_bytes),
        }
    }

    /// Appends the pushes of a batch that was filled beside the queue. Returns by how many bytes the memory has
    /// grown, and a page that is not needed here.
    ///
    /// A few pushes are copied. The page of many takes the place of a tail.
    pub(in crate::broadcast) fn hand_over(&mut self, open: OpenBatch) -> (usize, Page) {
        let OpenBatch {
            page,
            opened,
            fence,
            ..
        } = open;
        let (len, weight) = (page.len(), page.used());
        // A page that is far larger than its pushes would hold more memory than they count for.
        let is_small = weight <= SMALL || page.capacity() > 3 * weight;
        if let Some(tail) = &self.tail
            && (!is_small
                || tail.len() + len > self.max_batch_len()
                || tail.bytes().len() >= MAX_BATCH_BYTES)
        {
            self.seal_tail();
        }
        let is_new = self.tail.is_none();
        let tail = self.open_tail();
        let before = tail.capacity();
        if is_new {
            tail.fence = fence;
        }
        let spare = if is_small {
            tail.extend_from(&page, opened);
            page
        } else {
            tail.exchange(page, opened)
        };
        let grown = tail.capacity().saturating_sub(before) + usize::from(is_new) * BATCH_BYTES;
        self.held_bytes += weight;
        self.held += len;
        self.numbered += len as u64;
        self.keep_within_budget();
        (grown, spare)
    }

    /// Returns whether a push is here that is not in a sealed batch.
    pub(in crate::broadcast) fn has_open(&self) -> bool {
        self.tail.is_some()
            || self
                .latest
                .as_ref()
                .is_some_and(|latest| !latest.is_empty())
    }
}
