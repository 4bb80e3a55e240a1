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
    pub(crate) episode: u64,
    /// When the first push came in.
    pub(crate) opened: SystemTime,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

/// Where a push lies in the buffer: it starts where the one before it ends.
#[derive(Debug)]
struct Entry {
    /// Which of the ring's subscriptions it came by.
    subscription: u32,
    payload: usize,
    end: usize,
}

impl Batch {
    /// What an entry is counted for in a budget, beside its bytes.
    pub(crate) const ENTRY_BYTES: usize = size_of::<Entry>();

    pub(crate) fn new() -> Self {
        Self {
            first: 0,
            episode: 0,
            opened: SystemTime::UNIX_EPOCH,
            bytes: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Empties the batch for another use; it keeps its memory.
    pub(crate) fn reopen(&mut self, first: u64, episode: u64) {
        self.first = first;
        self.episode = episode;
        self.bytes.clear();
        self.entries.clear();
    }

    /// How many bytes of memory it holds, used or not.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * Self::ENTRY_BYTES
    }

    /// Appends a push and returns how many bytes it is counted for.
    pub(crate) fn append(&mut self, subscription: u32, channel: &[u8], payload: &[u8]) -> usize {
        if self.entries.is_empty() {
            self.opened = SystemTime::now();
        }
        self.bytes.extend_from_slice(channel);
        let at = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        self.entries.push(Entry {
            subscription,
            payload: at,
            end: self.bytes.len(),
        });
        channel.len() + payload.len() + Self::ENTRY_BYTES
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The channel names and payloads that it holds.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The sequence number behind the last push.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Where the push of a sequence number is, or the first one behind it.
    pub(crate) fn index_of(&self, number: u64) -> usize {
        let index = number.saturating_sub(self.first);
        usize::try_from(index).map_or(self.len(), |index| index.min(self.len()))
    }

    #[inline]
    pub(crate) fn subscription(&self, index: usize) -> usize {
        self.entries[index].subscription as usize
    }

    /// The stored channel name; empty where the subscription's own name says it.
    #[inline]
    pub(crate) fn channel(&self, index: usize) -> &[u8] {
        &self.bytes[self.start(index)..self.entries[index].payload]
    }

    #[inline]
    pub(crate) fn payload(&self, index: usize) -> Range<usize> {
        self.entries[index].payload..self.entries[index].end
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
            Some(before) => self.entries[before].end,
            None => 0,
        }
    }
}
