//! The newest push of each channel, for [`Overflow::Latest`](super::Overflow::Latest).

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use super::fence::Fence;
use crate::push::Batch;
use crate::util::{Timestamp, clock};

/// The newest push of each channel, in the order in which the channels first appeared.
///
/// Pushes wait here before they have a number. When a reader asks, the first one is moved into the
/// tail of the [`Queue`](super::queue::Queue).
#[derive(Debug, Default)]
pub(super) struct LatestQueue {
    /// The keys of `payloads`, each with the fence when the channel's first push arrived: the pushes
    /// of later channels have arrived after it.
    order: VecDeque<Place>,
    /// The payload of each channel.
    ///
    /// Publishers choose the channel names, so the hash is keyed.
    payloads: HashMap<Key, Vec<u8>>,
    /// How much memory the keys and the payloads hold.
    bytes: usize,
    /// The key of the last push. Its memory is reused, so a look-up does not allocate.
    key: Vec<u8>,
    /// When the first push arrived after the queue was empty.
    opened: Option<SystemTime>,
    superseded: u64,
}

/// The index of a subscription, then the channel name.
type Key = Arc<[u8]>;

/// A key, and the fence when it was put.
type Place = (Key, Timestamp);

/// How many bytes of a key are the index of the subscription.
const INDEX: usize = size_of::<u32>();

/// How much memory an entry of `payloads` takes: with the byte of the hash table for it.
const ENTRY: usize = size_of::<(Key, Vec<u8>)>() + 1;

/// How much memory the counts of a key's `Arc` take.
const COUNTS: usize = 2 * size_of::<usize>();

/// The capacity of a payload that is not worth freeing when a shorter one replaces it.
const SMALL_PAYLOAD: usize = 256;

/// The capacity of a name that is not worth freeing.
const SMALL_KEY: usize = 1024;

/// The capacity, in channels, of a queue that is not worth shrinking.
const SMALL_QUEUE: usize = 64;

/// Returns how many bytes a push counts for in the budget: all that it holds.
fn weight(key: &[u8], payload: &Vec<u8>) -> usize {
    key.len() + payload.capacity() + COUNTS + ENTRY + size_of::<Place>()
}

/// Replaces a payload. Its memory is reused if the new payload needs a good part of it.
fn replace(payload: &mut Vec<u8>, by: &[u8]) {
    let is_reused =
        by.len() <= payload.capacity() && payload.capacity() <= SMALL_PAYLOAD.max(4 * by.len());
    if is_reused {
        payload.clear();
        payload.extend_from_slice(by);
    } else {
        *payload = by.to_vec();
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
        self.key.clear();
        self.key.extend_from_slice(&subscription.to_ne_bytes());
        self.key.extend_from_slice(channel);
        let change = self.put_key(payload, fence);
        if self.key.capacity() > SMALL_KEY {
            self.key = Vec::new();
        }
        self.bytes = self.bytes + change.0 - change.1;
        change
    }

    fn put_key(&mut self, payload: &[u8], fence: &Fence) -> (usize, usize) {
        if let Some(waiting) = self.payloads.get_mut(&*self.key) {
            let before = weight(&self.key, waiting);
            replace(waiting, payload);
            self.superseded += 1;
            return (weight(&self.key, waiting), before);
        }
        self.opened.get_or_insert_with(clock::wall);
        let (key, payload) = (Key::from(&*self.key), payload.to_vec());
        let weight = weight(&key, &payload);
        self.order.push_back((Arc::clone(&key), fence.timestamp()));
        self.payloads.insert(key, payload);
        (weight, 0)
    }

    /// Drops the push of the channel that has waited longest, and returns how many bytes it counted
    /// for.
    pub(super) fn drop_first(&mut self) -> usize {
        self.pop_first().map_or(0, |slot| slot.weight)
    }

    /// Moves the push of the channel that has waited longest into a batch. Returns how many bytes
    /// were added to the budget with the batch, and how many were removed from it.
    ///
    /// A reader receives one push at a time, because a push that it has received cannot be replaced
    /// any more.
    pub(super) fn move_first_into(&mut self, batch: &mut Batch) -> (usize, usize) {
        let opened = self.opened;
        let Some(slot) = self.pop_first() else {
            return (0, 0);
        };
        let (index, channel) = slot.key.split_at(INDEX);
        let subscription = u32::from_ne_bytes(index.try_into().expect("an index has four bytes"));
        if batch.is_empty() {
            batch.fence = slot.fence;
        }
        let added = batch.append(subscription, channel, &slot.payload);
        if let Some(opened) = opened {
            batch.opened = opened;
        }
        (added, slot.weight)
    }

    fn pop_first(&mut self) -> Option<Slot> {
        let (key, fence) = self.order.pop_front()?;
        let payload = self.payloads.remove(&key)?;
        let weight = weight(&key, &payload);
        self.bytes -= weight;
        if self.order.is_empty() {
            self.opened = None;
        }
        let capacity = self.order.capacity();
        if capacity > SMALL_QUEUE && self.order.len() <= capacity / 8 {
            self.shrink_to(2 * self.order.len());
        }
        Some(Slot {
            key,
            fence,
            payload,
            weight,
        })
    }

    /// Drops every push.
    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.payloads.clear();
        self.bytes = 0;
        self.opened = None;
    }

    /// Frees memory that is not in use.
    pub(super) fn trim(&mut self) {
        self.shrink_to(self.order.len());
        self.key = Vec::new();
    }

    fn shrink_to(&mut self, channels: usize) {
        self.order.shrink_to(channels);
        self.payloads.shrink_to(channels);
    }

    /// Returns how many bytes of memory the queue holds, used or not.
    pub(super) fn memory(&self) -> usize {
        // A hash table is at most seven eighths full.
        let entries = self.payloads.capacity().div_ceil(7) * 8;
        let used = self.order.len() * (ENTRY + size_of::<Place>());
        let tables = entries * ENTRY + self.order.capacity() * size_of::<Place>();
        self.bytes + tables.saturating_sub(used) + self.key.capacity()
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
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

/// A push that has left the queue.
struct Slot {
    key: Key,
    fence: Timestamp,
    payload: Vec<u8>,
    weight: usize,
}
