//! Batches that the dispatcher fills without the lock of their channel.

use std::sync::atomic::{AtomicU8, AtomicU16, Ordering::Relaxed};
use std::time::SystemTime;

use super::fence::Fence;
use super::queue::MAX_BATCH_BYTES;
use crate::push::Page;
use crate::util::Timestamp;

/// What the dispatcher knows of a channel without its lock.
///
/// It changes under the dispatcher's lock only, each time that pushes are appended. The room stays: nobody
/// else appends, and readers only make more room. There may be many channels, so it is small.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// How many pushes the next batch may have.
    pushes: AtomicU16,
    /// How many times [`UNIT`] bytes the channel has room for.
    units: AtomicU16,
    /// The place in the dispatcher's list of channels that have received something, plus one. Zero stands for
    /// none.
    touched_at: AtomicU16,
    /// How many pushes the last intake had for the channel.
    last: AtomicU8,
}

/// Room is known in units of so many bytes.
const UNIT: usize = 128;

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
        self.pushes.store(at_most_u16(room.pushes), Relaxed);
        self.units.store(at_most_u16(room.bytes / UNIT), Relaxed);
    }

    fn room(&self) -> Room {
        Room {
            pushes: self.pushes.load(Relaxed).into(),
            bytes: usize::from(self.units.load(Relaxed)) * UNIT,
        }
    }

    /// Returns the place of the channel in the dispatcher's list of those that have received something.
    #[inline]
    pub(crate) fn touched_at(&self) -> Option<usize> {
        usize::from(self.touched_at.load(Relaxed)).checked_sub(1)
    }

    /// Sets that place, unless it is too far behind in the list. Returns whether it was set.
    pub(crate) fn touch(&self, place: usize) -> bool {
        let place = u16::try_from(place + 1);
        place.is_ok_and(|place| {
            self.touched_at.store(place, Relaxed);
            true
        })
    }

    /// Removes the channel from that list, with how many pushes it has received.
    pub(crate) fn untouch(&self, received: u32) {
        self.touched_at.store(0, Relaxed);
        let received = u8::try_from(received).unwrap_or(u8::MAX);
        self.last.store(received, Relaxed);
    }

    /// Returns how many pushes it had received when it was last removed from the list.
    pub(crate) fn last_received(&self) -> u32 {
        self.last.load(Relaxed).into()
    }

    /// Opens a batch that the dispatcher fills without the lock of the channel, for a first push of `bytes`, and then
    /// [hands over](super::Shared::hand_over). Nothing else may be appended meanwhile. Takes the memory of a `spare`
    /// page. Returns `None` if there may be no room, or the push has to be appended alone for another reason.
    pub(crate) fn open(
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
    /// Appends a push if there is room for it. Returns whether it was appended.
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

fn at_most_u16(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
