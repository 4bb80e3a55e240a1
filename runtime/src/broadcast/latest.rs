//! The newest push of each channel, for [`Overflow::Latest`](super::Overflow::Latest).

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use super::fence::Fence;
use crate::push::Batch;
use crate::util::clock;

/// The newest push of each channel, in the order in which the channels first appeared.
///
/// Pushes wait here before they have a number. When a reader asks, the first one is moved into the
/// tail of the [`Queue`](super::queue::Queue).
#[derive(Debug, Default)]
pub(super) struct LatestQueue {
    slots: VecDeque<Slot>,
    /// The place of each channel's slot, by subscription and channel name. Places are counted from
    /// the last time that all slots were moved, so `dropped` has to be subtracted.
    ///
    /// Publishers choose the channel names, so the hash is keyed.
    places: HashMap<u32, HashMap<Box<[u8]>, usize>>,
    /// How many slots were removed from the front since then.
    dropped: usize,
    /// When the first push arrived after the queue was empty.
    opened: Option<SystemTime>,
    superseded: u64,
}

/// The newest push of one channel.
#[derive(Debug)]
struct Slot {
    subscription: u32,
    channel: Box<[u8]>,
    payload: Vec<u8>,
    /// The fence when the channel's first push arrived. Slots that are dropped later have arrived
    /// after it.
    fence: SystemTime,
}

impl Slot {
    /// Returns how many bytes the push counts for in the budget.
    fn weight(&self) -> usize {
        self.channel.len() + self.payload.len() + Batch::ENTRY_BYTES
    }
}

impl LatestQueue {
    /// Puts a push into its channel's slot. Returns how many bytes were added to the budget, and
    /// how many were removed from it with a replaced push.
    pub(super) fn put(
        &mut self,
        subscription: u32,
        channel: &[u8],
        payload: &[u8],
        fence: &Fence,
    ) -> (usize, usize) {
        let places = self.places.entry(subscription).or_default();
        if let Some(place) = places.get(channel) {
            let slot = &mut self.slots[*place - self.dropped];
            let before = slot.weight();
            slot.payload.clear();
            slot.payload.extend_from_slice(payload);
            self.superseded += 1;
            return (slot.weight(), before);
        }
        self.opened.get_or_insert_with(clock::wall);
        places.insert(channel.into(), self.dropped + self.slots.len());
        let slot = Slot {
            subscription,
            channel: channel.into(),
            payload: payload.to_vec(),
            fence: fence.time(),
        };
        let weight = slot.weight();
        self.slots.push_back(slot);
        (weight, 0)
    }

    /// Drops the push of the channel that has waited longest, and returns how many bytes it counted
    /// for.
    pub(super) fn drop_first(&mut self) -> usize {
        let Some(slot) = self.slots.pop_front() else {
            return 0;
        };
        let weight = slot.weight();
        self.remove_place(slot);
        weight
    }

    /// Moves the push of the channel that has waited longest into a batch.
    ///
    /// A reader receives one push at a time, because a push that it has received cannot be replaced
    /// any more.
    pub(super) fn move_first_into(&mut self, batch: &mut Batch) {
        let Some(slot) = self.slots.pop_front() else {
            return;
        };
        batch.append(slot.subscription, &slot.channel, &slot.payload);
        batch.fence = slot.fence;
        if let Some(opened) = self.opened {
            batch.opened = opened;
        }
        self.remove_place(slot);
    }

    fn remove_place(&mut self, slot: Slot) {
        if let Some(places) = self.places.get_mut(&slot.subscription) {
            places.remove(&slot.channel);
        }
        self.dropped += 1;
        if self.slots.is_empty() {
            self.opened = None;
        }
    }

    /// Moves all pushes into a batch.
    pub(super) fn move_all_into(&mut self, batch: &mut Batch) {
        if let Some(first) = self.slots.front() {
            batch.fence = first.fence;
        }
        for slot in self.slots.drain(..) {
            batch.append(slot.subscription, &slot.channel, &slot.payload);
        }
        if let Some(opened) = self.opened.take() {
            batch.opened = opened;
        }
        self.places.clear();
        self.dropped = 0;
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Returns when the first push arrived after the queue was empty.
    pub(super) fn opened(&self) -> Option<SystemTime> {
        self.opened
    }

    /// Returns how many pushes were replaced by newer ones.
    pub(super) fn superseded(&self) -> u64 {
        self.superseded
    }
}
