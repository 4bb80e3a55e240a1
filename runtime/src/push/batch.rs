use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::SystemTime;

use super::decoded::Decoded;
use super::page::Page;
use crate::util::{Timestamp, clock};

/// Consecutive pushes of one broadcast channel, in one buffer.
///
/// A payload is copied in once, however many handlers read it. The original is freed on the thread
/// that allocated it: freeing it on a handler's thread costs more than the copy (the locks of
/// glibc's arenas).
#[derive(Debug)]
pub(crate) struct Batch {
    /// The sequence number of the first push. The others follow without a hole; between two batches
    /// there may be one.
    pub(crate) first: u64,
    /// The segment of the pushes: within a segment, nothing was lost on the connection.
    pub(crate) segment: u64,
    /// When the first push arrived.
    pub(crate) opened: SystemTime,
    /// A time before the first push was published: see [`Fence`](crate::broadcast).
    pub(crate) fence: Timestamp,
    /// Whether pushes before the first one were dropped after the batch was opened.
    pub(crate) is_cut: bool,
    page: Page,
    /// How many bytes the batch is expected to need. The first push allocates that much.
    expected: usize,
    /// How many readers have received the batch and not given it back. It changes under the lock of the
    /// broadcast channel only.
    hands: AtomicU32,
    /// Whether several readers receive the batch.
    is_shared: AtomicBool,
    /// What one reader has decoded for the others.
    decoded: Decoded,
}

impl Batch {
    /// How many bytes a push counts for in a budget, in addition to its channel name and payload.
    pub(crate) const ENTRY_BYTES: usize = Page::ENTRY_BYTES;
    /// A capacity that is not worth freeing.
    pub(crate) const SMALL_CAPACITY: usize = 2 * 1024;
    /// How many bytes of memory a batch takes besides its page: its own, and the counts of its
    /// `Arc`.
    pub(crate) const SHELL_BYTES: usize = size_of::<Self>() + 2 * size_of::<usize>();

    pub(crate) fn new() -> Self {
        Self {
            first: 0,
            segment: 0,
            opened: SystemTime::UNIX_EPOCH,
            fence: Timestamp::MIN,
            is_cut: false,
            page: Page::default(),
            expected: 0,
            hands: AtomicU32::new(0),
            is_shared: AtomicBool::new(false),
            decoded: Decoded::default(),
        }
    }

    /// Counts a reader that has received the batch. The caller has locked the broadcast channel.
    #[inline]
    pub(crate) fn hand_out(&self) {
        self.hands.store(self.hands.load(Relaxed) + 1, Relaxed);
    }

    /// Counts that reader no more: it does not need the batch any longer. The caller has locked the
    /// broadcast channel.
    ///
    /// Its user may have kept a payload, which keeps the batch in memory. That is the user's memory.
    #[inline]
    pub(crate) fn hand_back(&self) {
        self.hands.store(self.hands.load(Relaxed) - 1, Relaxed);
    }

    /// Records that several readers receive the batch, so that they decode its pushes once.
    #[inline]
    pub(crate) fn share(&self) {
        self.is_shared.store(true, Relaxed);
    }

    /// Returns what readers have decoded for each other, if there are several.
    #[inline]
    pub(crate) fn decoded(&self) -> Option<&Decoded> {
        self.is_shared.load(Relaxed).then_some(&self.decoded)
    }

    /// Takes what readers have decoded, if they have decoded anything. To be dropped without a lock.
    pub(crate) fn take_decoded(&mut self) -> Option<Decoded> {
        self.decoded.take()
    }

    /// Returns whether a reader has received the batch and not given it back.
    pub(crate) fn is_handed_out(&self) -> bool {
        self.hands.load(Relaxed) > 0
    }

    /// Empties the batch so that it can be reused, and expects it to grow to `expected` bytes. Its
    /// memory is kept, unless it is far larger.
    pub(crate) fn reopen(&mut self, first: u64, segment: u64, expected: usize) {
        self.page.clear();
        if self.page.capacity() > Self::SMALL_CAPACITY.max(4 * expected) {
            self.page = Page::default();
        }
        self.first = first;
        self.segment = segment;
        self.is_cut = false;
        *self.is_shared.get_mut() = false;
        debug_assert!(self.decoded.take().is_none(), "values of other pushes");
        self.expected = expected;
    }

    /// Returns how many bytes the next batch is expected to need: as many as this one, or a little
    /// less than this one was expected to need. The last batch of a burst is often small.
    pub(crate) fn expects_next(&self) -> usize {
        let used = self.page.used();
        match self.len() {
            0 => self.expected,
            1 => used.max(self.expected - self.expected / 16),
            // The next one may end in a larger push.
            _ => (used + used / 8).max(self.expected - self.expected / 16),
        }
    }

    /// Returns how many bytes of memory the page holds, used or not.
    pub(crate) fn capacity(&self) -> usize {
        self.page.capacity()
    }

    /// Returns how many bytes of memory the batch holds.
    pub(crate) fn memory(&self) -> usize {
        self.capacity() + Self::SHELL_BYTES
    }

    /// Returns a copy that begins with the push at `index`, in a page of `room` bytes or as many as
    /// it needs.
    pub(crate) fn shrunk(&self, index: usize, room: usize) -> Self {
        let mut rest = Self::new();
        let first = self.first + index as u64;
        rest.reopen(
            first,
            self.segment,
            room.max(self.weight_of(index..self.len())),
        );
        for index in index..self.len() {
            let payload = &self.bytes()[self.payload(index)];
            rest.append(self.page.subscription(index), self.channel(index), payload);
        }
        (rest.opened, rest.fence) = (self.opened, self.fence);
        rest.is_cut = self.is_cut || index > 0;
        rest.expected = 0;
        rest
    }

    /// Appends a push and returns how many bytes it counts for in a budget.
    pub(crate) fn append(&mut self, subscription: u32, channel: &[u8], payload: &[u8]) -> usize {
        if self.is_empty() {
            self.opened = clock::wall();
            let bytes = channel.len() + payload.len() + Self::ENTRY_BYTES;
            self.page.open(bytes.max(self.expected));
        }
        self.page.append(subscription, channel, payload)
    }

    /// Appends the pushes of a page, the first of which arrived at a time.
    pub(crate) fn extend_from(&mut self, page: &Page, opened: SystemTime) {
        if self.is_empty() {
            self.opened = opened;
            self.page.open(page.used().max(self.expected));
        }
        self.page.extend_from(page);
    }

    /// Exchanges the page of an empty batch for one whose first push arrived at a time.
    pub(crate) fn exchange(&mut self, page: Page, opened: SystemTime) -> Page {
        debug_assert!(self.is_empty(), "its pushes would be lost");
        self.opened = opened;
        std::mem::replace(&mut self.page, page)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.page.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.page.is_empty()
    }

    /// Returns the channel names and payloads.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.page.texts()
    }

    /// Returns the sequence number after the last push.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.len() as u64
    }

    /// Returns the index of the first push with this sequence number or a higher one.
    pub(crate) fn index_of(&self, number: u64) -> usize {
        let index = number.saturating_sub(self.first);
        usize::try_from(index).map_or(self.len(), |index| index.min(self.len()))
    }

    /// Returns the index of the subscription through which a push arrived.
    #[inline]
    pub(crate) fn subscription(&self, index: usize) -> usize {
        self.page.subscription(index) as usize
    }

    /// Returns the stored channel name. It is empty if the subscription's name is the channel.
    #[inline]
    pub(crate) fn channel(&self, index: usize) -> &[u8] {
        self.page.channel(index)
    }

    /// Returns the range of a payload in [`bytes`](Self::bytes).
    #[inline]
    pub(crate) fn payload(&self, index: usize) -> Range<usize> {
        self.page.payload(index)
    }

    /// Returns how many bytes some of the pushes count for in a budget.
    pub(crate) fn weight_of(&self, pushes: Range<usize>) -> usize {
        self.page.used_by(pushes)
    }
}
