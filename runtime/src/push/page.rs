use std::ops::Range;

/// The bytes of consecutive pushes: channel names and payloads from the front, and from the back, in reverse
/// order, the entries that say where each of them is. One allocation holds both, whichever of them needs more
/// room.
#[derive(Debug, Default)]
pub(crate) struct Page {
    bytes: Vec<u8>,
    /// How many bytes at the front are in use.
    filled: usize,
    len: usize,
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
    fn to_bytes(self) -> [u8; Page::ENTRY_BYTES] {
        let mut bytes = [0; Page::ENTRY_BYTES];
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

impl Page {
    /// How many bytes a push takes in addition to its channel name and payload.
    pub(crate) const ENTRY_BYTES: usize = size_of::<Entry>();
    /// A page grows by no more than this beyond what it needs: a large push does not double it.
    const MAX_GROWTH: usize = 32 * 1024;

    /// Forgets the pushes. The memory is kept.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.len = 0;
    }

    /// Returns how many bytes of memory the page holds, used or not.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns how many bytes can be appended before the page grows.
    #[inline]
    pub(crate) fn free(&self) -> usize {
        self.bytes.len() - self.used()
    }

    /// Returns how many bytes the pushes take.
    #[inline]
    pub(crate) fn used(&self) -> usize {
        self.filled + self.len * Self::ENTRY_BYTES
    }

    /// Makes room in an empty page.
    pub(super) fn open(&mut self, bytes: usize) {
        debug_assert_eq!(self.len, 0, "the entries would be lost");
        if self.bytes.len() < bytes {
            self.bytes = vec![0; bytes];
        }
    }

    /// Appends a push and returns how many bytes it takes.
    #[inline]
    pub(crate) fn append(&mut self, subscription: u32, channel: &[u8], payload: &[u8]) -> usize {
        let bytes = channel.len() + payload.len() + Self::ENTRY_BYTES;
        self.reserve(bytes);
        let at = self.filled + channel.len();
        let end = at + payload.len();
        if !channel.is_empty() {
            self.bytes[self.filled..at].copy_from_slice(channel);
        }
        self.bytes[at..end].copy_from_slice(payload);
        self.filled = end;
        self.len += 1;
        let entry = Entry {
            subscription,
            payload: offset(at),
            end: offset(end),
        };
        let slot = self.slot(self.len - 1);
        self.bytes[slot].copy_from_slice(&entry.to_bytes());
        bytes
    }

    /// Appends the pushes of another page.
    pub(crate) fn extend_from(&mut self, other: &Self) {
        self.reserve(other.used());
        let from = self.filled;
        self.filled += other.filled;
        self.bytes[from..self.filled].copy_from_slice(other.texts());
        for index in 0..other.len {
            let entry = other.entry(index);
            let entry = Entry {
                subscription: entry.subscription,
                payload: entry.payload + offset(from),
                end: entry.end + offset(from),
            };
            self.len += 1;
            let slot = self.slot(self.len - 1);
            self.bytes[slot].copy_from_slice(&entry.to_bytes());
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the channel names and payloads.
    #[inline]
    pub(crate) fn texts(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Returns the index of the subscription through which a push arrived.
    #[inline]
    pub(super) fn subscription(&self, index: usize) -> u32 {
        self.entry(index).subscription
    }

    /// Returns the stored channel name.
    #[inline]
    pub(super) fn channel(&self, index: usize) -> &[u8] {
        &self.bytes[self.start(index)..self.entry(index).payload as usize]
    }

    /// Returns the range of a payload in [`texts`](Self::texts).
    #[inline]
    pub(super) fn payload(&self, index: usize) -> Range<usize> {
        let entry = self.entry(index);
        entry.payload as usize..entry.end as usize
    }

    /// Returns how many bytes some of the pushes take.
    pub(super) fn used_by(&self, pushes: Range<usize>) -> usize {
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
        let bytes = &self.bytes[self.slot(index)];
        Entry::from_bytes(bytes.try_into().expect("a slot has the size of an entry"))
    }

    /// Returns the place of an entry.
    #[inline]
    fn slot(&self, index: usize) -> Range<usize> {
        let end = self.bytes.len() - index * Self::ENTRY_BYTES;
        end - Self::ENTRY_BYTES..end
    }

    /// Makes room for at least `bytes` more.
    #[inline]
    pub(crate) fn reserve(&mut self, bytes: usize) {
        if self.free() < bytes {
            self.grow(bytes);
        }
    }

    #[cold]
    fn grow(&mut self, bytes: usize) {
        let (len, slots) = (self.bytes.len(), self.len * Self::ENTRY_BYTES);
        let least = self.used() + bytes;
        let room = least.max(len + len.min(Self::MAX_GROWTH));
        // `resize` alone would double a large page.
        self.bytes.reserve_exact(room - len);
        self.bytes.resize(room, 0);
        let end = self.bytes.len();
        self.bytes.copy_within(len - slots..len, end - slots);
    }
}

fn offset(at: usize) -> u32 {
    // A batch is sealed long before that, and Redis does not accept a payload of more than 512 MiB.
    u32::try_from(at).expect("a batch is smaller than 4 GiB")
}
