use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::SystemTime;

use super::decoded::Decoded;
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
    /// Channel names and payloads from the front; the entries of the pushes from the back, in
    /// reverse order. One allocation holds both, whichever of them needs more room.
    page: Vec<u8>,
    /// How many bytes at the front of the page are in use.
    filled: usize,
    len: usize,
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

/// The place of a push in the page. It starts where the previous push ends.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The index of its subscription in the list of the broadcast channel.
    subscription: u32,
    /// Where the channel name ends and the payload starts.
    payload: u32,
    /// Where the payload ends.
    end: u32,
}

impl Entry {
    fn to_bytes(self) -> [u8; Batch::ENTRY_BYTES] {
        let mut bytes = [0; Batch::ENTRY_BYTES];
        bytes[..4].copy_from_slice(&self.subscription.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.payload.to_ne_bytes());
        bytes[8..].copy_from_slice(&self.end.to_ne_bytes());
        bytes
    }

    #[inline]
    fn from_bytes([s0, s1, s2, s3, p0, p1, p2, p3, e0, e1, e2, e3]: [u8; 12]) -> Self {
        Self {
            subscription: u32::from_ne_bytes([s0, s1, s2, s3]),
            payload: u32::from_ne_bytes([p0, p1, p2, p3]),
            end: u32::from_ne_bytes([e0, e1, e2, e3]),
        }
    }
}

impl Batch {
    /// How many bytes a push counts for in a budget, in addition to its channel name and payload.
    pub(crate) const ENTRY_BYTES: usize = size_of::<Entry>();
    /// A capacity that is not worth freeing.
    pub(crate) const SMALL_CAPACITY: usize = 2 * 1024;
    /// How many bytes of memory a batch takes besides its page: its own, and the counts of its
    /// `Arc`.
    pub(crate) const SHELL_BYTES: usize = size_of::<Self>() + 2 * size_of::<usize>();
    /// A page grows by no more than this beyond what it needs: a large push does not double it.
    const MAX_GROWTH: usize = 32 * 1024;

    pub(crate) fn new() -> Self {
        Self {
            first: 0,
            segment: 0,
            opened: SystemTime::UNIX_EPOCH,
            fence: Timestamp::MIN,
            is_cut: false,
            page: Vec::new(),
            filled: 0,
            len: 0,
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
        if self.page.len() > Self::SMALL_CAPACITY.max(4 * expected) {
            self.page = Vec::new();
        }
        self.first = first;
        self.segment = segment;
        self.is_cut = false;
        *self.is_shared.get_mut() = false;
        debug_assert!(self.decoded.take().is_none(), "values of other pushes");
        self.filled = 0;
        self.len = 0;
        self.expected = expected;
    }

    /// Returns how many bytes the next batch is expected to need: as many as this one, or a little
    /// less than this one was expected to need. The last batch of a burst is often small.
    pub(crate) fn expects_next(&self) -> usize {
        let used = self.filled + self.slots();
        match self.len {
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
            room.max(self.weight_of(index..self.len)),
        );
        for index in index..self.len {
            let (subscription, payload) = (self.entry(index).subscription, self.payload(index));
            rest.append(subscription, self.channel(index), &self.page[payload]);
        }
        (rest.opened, rest.fence) = (self.opened, self.fence);
        rest.is_cut = self.is_cut || index > 0;
        rest.expected = 0;
        rest
    }

    /// Appends a push and returns how many bytes it counts for in a budget.
    pub(crate) fn append(&mut self, subscription: u32, channel: &[u8], payload: &[u8]) -> usize {
        let bytes = channel.len() + payload.len() + Self::ENTRY_BYTES;
        if self.is_empty() {
            self.open(bytes);
        }
        if self.page.len() - self.filled - self.slots() < bytes {
            self.grow(bytes);
        }
        let at = self.filled + channel.len();
        let end = at + payload.len();
        if !channel.is_empty() {
            self.page[self.filled..at].copy_from_slice(channel);
        }
        self.page[at..end].copy_from_slice(payload);
        self.filled = end;
        self.len += 1;
        let entry = Entry {
            subscription,
            payload: offset(at),
            end: offset(end),
        };
        let slot = self.slot(self.len - 1);
        self.page[slot].copy_from_slice(&entry.to_bytes());
        bytes
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the channel names and payloads.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.page[..self.filled]
    }

    /// Returns the sequence number after the last push.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.len as u64
    }

    /// Returns the index of the first push with this sequence number or a higher one.
    pub(crate) fn index_of(&self, number: u64) -> usize {
        let index = number.saturating_sub(self.first);
        usize::try_from(index).map_or(self.len(), |index| index.min(self.len()))
    }

    /// Returns the index of the subscription through which a push arrived.
    #[inline]
    pub(crate) fn subscription(&self, index: usize) -> usize {
        self.entry(index).subscription as usize
    }

    /// Returns the stored channel name. It is empty if the subscription's name is the channel.
    #[inline]
    pub(crate) fn channel(&self, index: usize) -> &[u8] {
        &self.page[self.start(index)..self.entry(index).payload as usize]
    }

    /// Returns the range of a payload in [`bytes`](Self::bytes).
    #[inline]
    pub(crate) fn payload(&self, index: usize) -> Range<usize> {
        let entry = self.entry(index);
        entry.payload as usize..entry.end as usize
    }

    /// Returns how many bytes some of the pushes count for in a budget.
    pub(crate) fn weight_of(&self, pushes: Range<usize>) -> usize {
        let entries = pushes.len() * Self::ENTRY_BYTES;
        self.start(pushes.end) - self.start(pushes.start) + entries
    }

    /// Returns where the push at `index` starts, or would start.
    #[inline]
    fn start(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            Some(before) => self.entry(before).end as usize,
            None => 0,
        }
    }

    #[inline]
    fn entry(&self, index: usize) -> Entry {
        assert!(index < self.len, "batch index out of bounds");
        let bytes = &self.page[self.slot(index)];
        Entry::from_bytes(bytes.try_into().expect("a slot has the size of an entry"))
    }

    /// Returns the place of an entry in the page.
    #[inline]
    fn slot(&self, index: usize) -> Range<usize> {
        let end = self.page.len() - index * Self::ENTRY_BYTES;
        end - Self::ENTRY_BYTES..end
    }

    /// Returns how many bytes the entries need.
    fn slots(&self) -> usize {
        self.len * Self::ENTRY_BYTES
    }

    /// Makes room for the first push, and for those that are expected after it.
    fn open(&mut self, bytes: usize) {
        self.opened = clock::wall();
        let least = bytes.max(self.expected);
        if self.page.len() < least {
            self.page = vec![0; least];
        }
    }

    /// Makes room for at least `bytes` more.
    fn grow(&mut self, bytes: usize) {
        let (len, slots) = (self.page.len(), self.slots());
        let least = self.filled + slots + bytes;
        let room = least.max(len + len.min(Self::MAX_GROWTH));
        // `resize` alone would double a large page.
        self.page.reserve_exact(room - len);
        self.page.resize(room, 0);
        let end = self.page.len();
        self.page.copy_within(len - slots..len, end - slots);
    }
}

fn offset(at: usize) -> u32 {
    // A batch is sealed long before that, and Redis does not accept a payload of more than 512 MiB.
    u32::try_from(at).expect("a batch is smaller than 4 GiB")
}
