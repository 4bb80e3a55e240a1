use crate::util::clock;
use std::ops::Range;
use std::time::SystemTime;

/// Consecutive pushes of one ring, in one buffer.
///
/// Payloads are copied in once, however many handlers read them, and are freed where they were
/// allocated; a payload that moves from the connection's thread to be freed on a handler's costs
/// more than its copy (glibc's arena locks).
#[derive(Debug)]
pub(crate) struct Batch {
    /// The sequence number of the first push; the others follow without a hole. Between two batches
    /// there may be one.
    pub(crate) first: u64,
    /// The episode the pushes belong to: within one, nothing was missed on the wire.
    pub(crate) segment: u64,
    /// When the first push came in.
    pub(crate) opened: SystemTime,
    /// Channel names and payloads from the front; from the back, one before the other, where each
    /// push lies. One allocation holds both, whatever there is more of.
    page: Vec<u8>,
    /// How far the page is filled from the front.
    filled: usize,
    len: usize,
    /// How much room the first push makes for those behind it.
    expected: usize,
}

/// Where a push lies in the page: it starts where the one before it ends.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Which of the ring's subscriptions it came by.
    subscription: u32,
    payload: u32,
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
    /// What an entry is counted for in a budget, beside its bytes.
    pub(crate) const ENTRY_BYTES: usize = size_of::<Entry>();
    /// What is not worth giving back.
    pub(crate) const LITTLE: usize = 2 * 1024;

    pub(crate) fn new() -> Self {
        Self {
            first: 0,
            segment: 0,
            opened: SystemTime::UNIX_EPOCH,
            page: Vec::new(),
            filled: 0,
            len: 0,
            expected: 0,
        }
    }

    /// Empties the batch for another use, in which it is expected to grow to so many bytes. It
    /// keeps its memory, unless that is far more.
    pub(crate) fn reopen(&mut self, first: u64, segment: u64, expected: usize) {
        if self.page.len() > Self::LITTLE.max(4 * expected) {
            self.page = Vec::new();
        }
        self.first = first;
        self.segment = segment;
        self.filled = 0;
        self.len = 0;
        self.expected = expected;
    }

    /// How large the batch behind this one is expected to be: as large, or nearly what this one was
    /// expected to be. The last batch of a burst is often a small one.
    pub(crate) fn expects_next(&self) -> usize {
        let used = self.filled + self.slots();
        match self.len {
            0 => self.expected,
            1 => used.max(self.expected - self.expected / 16),
            // The next one may end in a larger push.
            _ => (used + used / 8).max(self.expected - self.expected / 16),
        }
    }

    /// How many bytes of memory it holds, used or not.
    pub(crate) fn capacity(&self) -> usize {
        self.page.capacity()
    }

    /// Appends a push and returns how many bytes it is counted for.
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

    /// The channel names and payloads that it holds.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.page[..self.filled]
    }

    /// The sequence number behind the last push.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.len as u64
    }

    /// Where the push of a sequence number is, or the first one behind it.
    pub(crate) fn index_of(&self, number: u64) -> usize {
        let index = number.saturating_sub(self.first);
        usize::try_from(index).map_or(self.len(), |index| index.min(self.len()))
    }

    #[inline]
    pub(crate) fn subscription(&self, index: usize) -> usize {
        self.entry(index).subscription as usize
    }

    /// The stored channel name; empty where the subscription's own name says it.
    #[inline]
    pub(crate) fn channel(&self, index: usize) -> &[u8] {
        &self.page[self.start(index)..self.entry(index).payload as usize]
    }

    #[inline]
    pub(crate) fn payload(&self, index: usize) -> Range<usize> {
        let entry = self.entry(index);
        entry.payload as usize..entry.end as usize
    }

    /// What some of its pushes are counted for in a budget.
    pub(crate) fn weight_of(&self, pushes: Range<usize>) -> usize {
        let entries = pushes.len() * Self::ENTRY_BYTES;
        self.start(pushes.end) - self.start(pushes.start) + entries
    }

    /// Where the push at `index` starts, or where it would.
    #[inline]
    fn start(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            Some(before) => self.entry(before).end as usize,
            None => 0,
        }
    }

    #[inline]
    fn entry(&self, index: usize) -> Entry {
        assert!(index < self.len, "an index of the batch");
        let bytes = &self.page[self.slot(index)];
        Entry::from_bytes(bytes.try_into().expect("a slot is as large as an entry"))
    }

    /// Where the entry of the push at `index` is kept.
    #[inline]
    fn slot(&self, index: usize) -> Range<usize> {
        let end = self.page.len() - index * Self::ENTRY_BYTES;
        end - Self::ENTRY_BYTES..end
    }

    /// How many bytes the entries take.
    fn slots(&self) -> usize {
        self.len * Self::ENTRY_BYTES
    }

    /// Makes a page that has room for the first push, and for what is expected behind it.
    fn open(&mut self, bytes: usize) {
        self.opened = clock::wall();
        let least = bytes.max(self.expected);
        if self.page.len() < least {
            self.page = vec![0; least];
        }
    }

    /// Makes room for so many bytes more, at least.
    fn grow(&mut self, bytes: usize) {
        let (len, slots) = (self.page.len(), self.slots());
        let least = self.filled + slots + bytes;
        self.page.resize(least.max(2 * len), 0);
        let end = self.page.len();
        self.page.copy_within(len - slots..len, end - slots);
    }
}

fn offset(at: usize) -> u32 {
    // A batch is closed long before, and Redis takes no payload of more than 512 MiB.
    u32::try_from(at).expect("a batch is smaller than 4 GiB")
}
