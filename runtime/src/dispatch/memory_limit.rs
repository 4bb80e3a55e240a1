//! The limit on the memory of everything that waits for user code.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ptr;

use crate::broadcast::{Held, Shared};

/// Keeps the memory of all that waits for user code together below a limit.
///
/// One counter of all bytes would be a cache line that every handler writes. Instead, the holders
/// are checked each time that their memory has grown by a small part of the limit.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    limit: usize,
    /// By how many bytes memory may grow before the next check.
    allowance: usize,
}

/// A buffer of messages that wait for user code.
pub(super) trait Holder {
    fn held(&self) -> Held;

    /// Releases memory until `bytes` are released or nothing but one message is left: first what is
    /// not in use, then the oldest messages.
    fn shed(&self, bytes: usize);

    /// Drops every message that waits.
    fn empty(&self);
}

impl Holder for Shared {
    fn held(&self) -> Held {
        self.held()
    }

    fn shed(&self, bytes: usize) {
        self.shed(bytes);
    }

    fn empty(&self) {
        self.empty();
    }
}

impl MemoryLimit {
    pub(super) fn new(limit: usize) -> Self {
        let part = Self::part(limit);
        Self {
            limit,
            allowance: part,
        }
    }

    /// Records that memory has grown. Returns whether a check is due.
    pub(super) fn is_due(&mut self, grown: usize) -> bool {
        self.allowance = self.allowance.saturating_sub(grown);
        self.allowance == 0
    }

    /// Returns whether memory has to be released if this much is held. The next check is due when it has
    /// grown by a part of the limit.
    pub(super) fn is_exceeded_by(&mut self, held: usize) -> bool {
        let part = Self::part(self.limit);
        self.allowance = part;
        held > self.limit.saturating_sub(part)
    }

    /// Releases memory and drops messages, until there is room for all that may arrive before the
    /// next check.
    ///
    /// The fullest buffers lose their oldest messages first. If that is not enough, buffers lose
    /// their last message too. Only the buffer `newest` keeps it: that of the message that has just
    /// arrived. So a message that is larger than the limit is delivered, and buffers of stuck
    /// handlers do not keep messages from the others.
    pub(super) fn shed<'h>(
        &self,
        holders: impl Iterator<Item = &'h dyn Holder>,
        newest: &dyn Holder,
    ) {
        let part = Self::part(self.limit);
        let mut check = Check::new(holders, self.limit.saturating_sub(part));
        if check.excess > 0 {
            check.drop_oldest();
        }
        if check.excess > 0 {
            check.drop_last(newest);
        }
    }

    /// Returns by how many bytes memory may grow between two checks.
    fn part(limit: usize) -> usize {
        (limit / 64).max(1)
    }
}

/// One check of all buffers.
struct Check<'h> {
    buffers: Vec<(&'h dyn Holder, Held)>,
    /// How many bytes have to be released.
    excess: usize,
}

impl<'h> Check<'h> {
    fn new(holders: impl Iterator<Item = &'h dyn Holder>, goal: usize) -> Self {
        let buffers: Vec<_> = holders.map(|holder| (holder, holder.held())).collect();
        let total: usize = buffers.iter().map(|(_, held)| held.memory()).sum();
        Self {
            buffers,
            excess: total.saturating_sub(goal),
        }
    }

    /// Drops the oldest messages of the fullest buffers, but the last message of none.
    fn drop_oldest(&mut self) {
        let waiting = self.buffers.iter().map(|(_, held)| held.waiting);
        let mut fullest: BinaryHeap<_> = waiting.zip(0..).collect();
        while self.excess > 0
            && let Some((before, index)) = fullest.pop()
        {
            // In steps, so that the fullest buffer is not emptied for the others.
            let step = (before / 16).max(self.excess).min(before.div_ceil(4));
            self.change(index, |holder| holder.shed(step));
            let (_, held) = self.buffers[index];
            if held.waiting < before {
                fullest.push((held.waiting, index));
            }
        }
    }

    /// Drops even the last messages: of the largest buffers first, and of those of about the same
    /// size of the one that has waited longest.
    fn drop_last(&mut self, newest: &dyn Holder) {
        let mut fullest: Vec<_> = (0..self.buffers.len()).collect();
        fullest.retain(|&index| {
            let (holder, held) = self.buffers[index];
            held.messages > 0 && !ptr::addr_eq(holder, newest)
        });
        fullest.sort_by_key(|&index| {
            let (_, held) = self.buffers[index];
            (Reverse(held.waiting.max(1).ilog2()), held.since)
        });
        for index in fullest {
            if self.excess == 0 {
                return;
            }
            self.change(index, |holder| holder.empty());
        }
    }

    /// Changes what a buffer holds, and counts what that has released.
    fn change(&mut self, index: usize, change: impl FnOnce(&dyn Holder)) {
        let (holder, held) = &mut self.buffers[index];
        let before = held.memory();
        change(*holder);
        *held = holder.held();
        self.excess = self
            .excess
            .saturating_sub(before.saturating_sub(held.memory()));
    }
}
