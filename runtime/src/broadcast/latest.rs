use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use crate::push::Batch;
use crate::util::clock;

/// The newest push of each channel, in the order in which the channels first came.
///
/// It stands before the tail batch of a queue whose overflow is `latest`, and becomes that batch
/// when a reader takes it.
#[derive(Debug, Default)]
pub(super) struct LatestQueue {
    slots: VecDeque<Slot>,
    /// Where a channel's slot is, counted from the first slot since the mailbox was last emptied.
    /// Channel names are chosen by publishers, so the hash has a secret.
    places: HashMap<u32, HashMap<Box<[u8]>, usize>>,
    /// How many slots have gone from the front since then.
    dropped: usize,
    opened: Option<SystemTime>,
    superseded: u64,
}

#[derive(Debug)]
struct Slot {
    subscription: u32,
    channel: Box<[u8]>,
    payload: Vec<u8>,
}

impl Slot {
    fn weight(&self) -> usize {
        self.channel.len() + self.payload.len() + Batch::ENTRY_BYTES
    }
}

impl LatestQueue {
    /// Puts a push into its channel's slot, and returns by how many bytes more and fewer the
    /// mailbox is counted.
    pub(super) fn put(
        &mut self,
        subscription: u32,
        channel: &[u8],
        payload: &[u8],
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
        };
        let weight = slot.weight();
        self.slots.push_back(slot);
        (weight, 0)
    }

    /// Drops the channel that has waited longest, and returns what it was counted for.
    pub(super) fn drop_first(&mut self) -> usize {
        let Some(slot) = self.slots.pop_front() else {
            return 0;
        };
        let weight = slot.weight();
        self.forget(slot);
        weight
    }

    /// Moves the channel that has waited longest into a batch: what a reader has in hand can no
    /// longer be replaced, so it is given one at a time.
    pub(super) fn give_first(&mut self, batch: &mut Batch) {
        let Some(slot) = self.slots.pop_front() else {
            return;
        };
        batch.append(slot.subscription, &slot.channel, &slot.payload);
        if let Some(opened) = self.opened {
            batch.opened = opened;
        }
        self.forget(slot);
    }

    fn forget(&mut self, slot: Slot) {
        if let Some(places) = self.places.get_mut(&slot.subscription) {
            places.remove(&slot.channel);
        }
        self.dropped += 1;
        if self.slots.is_empty() {
            self.opened = None;
        }
    }

    /// Moves everything into a batch.
    pub(super) fn empty_into(&mut self, batch: &mut Batch) {
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

    /// When the first of its pushes came in.
    pub(super) fn opened(&self) -> Option<SystemTime> {
        self.opened
    }

    /// How many pushes were replaced by newer ones.
    pub(super) fn superseded(&self) -> u64 {
        self.superseded
    }
}
