//! Batches that the dispatcher fills without the lock of their channel.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::SystemTime;

use super::fence::Fence;
use super::queue::MAX_BATCH_BYTES;
use crate::push::Page;
use crate::util::Timestamp;

/// What the dispatcher knows of a channel without its lock.
///
/// It changes under the dispatcher's lock only, each time that pushes are appended. The room stays: nobody
/// else appends, and readers only make more room.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// How many pushes the next batch may have.
    pushes: AtomicU32,
    /// How many bytes the channel has room for.
    bytes: AtomicUsize,
    /// The place in the dispatcher's list of channels that have received something, plus one. Zero stands for
    /// none.
    touched_at: AtomicU32,
    /// How many pushes the last intake had for the channel.
    last: AtomicU32,
}

/// For how many pushes and bytes there is room.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    pub(super) pushes: usize,
    pub(super) bytes: usize,
}

/// A batch that is not in its channel yet. The dispatcher fills it, and hands it over.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    pub(super) page: Page,
    pub(super) opened: SystemTime,
    /// See [`Fence`].
    pub(super) fence: Timestamp,
    /// How many more pushes there is room for, in the channel and in the batch.
    pushes: usize,
    /// How many more bytes there is room for in the channel.
    bytes: usize,
}

impl Outlook {
    pub(super) fn set_room(&self, room: Room) {
        let pushes = u32::try_from(room.pushes).unwrap_or(u32::MAX);
        self.pushes.store(pushes, Relaxed);
        self.bytes.store(room.bytes, Relaxed);
    }

    fn room(&self) -> Room {
        Room {
            pushes: self.pushes.load(Relaxed) as usize,
            bytes: self.bytes.load(Relaxed),
        }
    }

    #[inline]
    pub(super) fn touched_at(&self) -> Option<usize> {
        (self.touched_at.load(Relaxed) as usize).checked_sub(1)
    }

    pub(super) fn touch(&self, place: usize) {
        let place = u32::try_from(place + 1).expect("fewer than 2^32 channels are touched");
        self.touched_at.store(place, Relaxed);
    }

    pub(super) fn untouch(&self, received: u32) {
        self.touched_at.store(0, Relaxed);
        self.last.store(received, Relaxed);
    }

    pub(super) fn last(&self) -> u32 {
        self.last.load(Relaxed)
    }

    /// Opens a batch for a first push of `bytes`, if there is room for it. Takes the memory of a `spare` page.
    pub(super) fn open(
        &self,
        bytes: usize,
        now: SystemTime,
        fence: &Fence,
        spare: impl FnOnce() -> Option<Page>,
    ) -> Option<OpenBatch> {
        let room = self.room();
        if room.pushes == 0 || room.bytes < bytes + Page::ENTRY_BYTES {
            return None;
        }
        Some(OpenBatch {
            page: spare().unwrap_or_default(),
            opened: now,
            fence: fence.timestamp(),
            pushes: room.pushes,
            bytes: room.bytes,
        })
    }
}

impl OpenBatch {
    /// Appends a push. Returns false if there is no room for it.
    #[inline]
    pub(crate) fn append(&mut self, subscription: u32, channel: &[u8], payload: &[u8]) -> bool {
        let has_room = self.has_room(channel.len() + payload.len());
        if has_room {
            self.bytes -= self.page.append(subscription, channel, payload);
            self.pushes -= 1;
        }
        has_room
    }

    pub(crate) fn len(&self) -> usize {
        self.page.len()
    }

    /// Makes room for a push of `bytes`. Returns by how many bytes the memory has grown, or `None` if the channel
    /// or the batch is full.
    pub(crate) fn make_room(&mut self, bytes: usize) -> Option<usize> {
        let before = self.page.capacity();
        self.is_open_for(bytes).then(|| {
            self.page.reserve(bytes + Page::ENTRY_BYTES);
            self.page.capacity() - before
        })
    }

    #[inline]
    fn has_room(&self, bytes: usize) -> bool {
        self.is_open_for(bytes) && bytes + Page::ENTRY_BYTES <= self.page.free()
    }

    #[inline]
    fn is_open_for(&self, bytes: usize) -> bool {
        let fits = bytes + Page::ENTRY_BYTES <= self.bytes;
        fits && self.pushes > 0 && self.page.texts().len() < MAX_BATCH_BYTES
    }
}
