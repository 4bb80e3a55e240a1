//! The readers of a broadcast channel, and the wakers of those that wait.

use std::task::Waker;
use std::time::SystemTime;

use super::crowd::Crowd;
use super::queue::Position;
use super::state::Backlog;
use crate::util::{Few, Key, Slots, Timestamp};

/// How far a reader may fall behind the end of the channel, in addition to the channel's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As far as the budget allows: what a handler's buffer holds is the budget of its channel.
    Budget,
    /// By this many pushes. What lies further behind is missed.
    Within(u32),
    /// The reader receives the newest push. Those before it are superseded.
    Latest,
}

impl Pace {
    /// By how many pushes a position may be behind the end.
    #[inline]
    pub(super) fn limit(self) -> u64 {
        match self {
            Self::Budget => u64::MAX,
            Self::Within(pushes) => pushes.max(1).into(),
            Self::Latest => 1,
        }
    }
}

/// The shared part of a [`Receiver`](super::Receiver).
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) pace: Pace,
    pub(super) position: Position,
    /// The push at which it has joined.
    pub(super) joined: u64,
    /// How many pushes before its position were dropped before it could receive them.
    pub(super) missed: u64,
    /// How many pushes it has skipped for newer ones.
    pub(super) skipped: u64,
    /// The last segment whose beginning was reported to this reader. Until its initial gap is reported,
    /// the segment in which it has joined.
    pub(super) reported: u64,
    pub(super) beginning: Beginning,
    /// The fence of the last batch that it received: everything that it has missed since then was
    /// published later.
    pub(super) fence: Timestamp,
    /// When that batch was opened. Not a [`Timestamp`], whose conversion costs more than its memory.
    pub(super) opened: SystemTime,
    /// The place of its waker, if it waits.
    waits_at: u32,
    /// What its pushes are counted under.
    pub(super) label: u16,
    /// Whether a meter exists.
    pub(super) is_metered: bool,
    /// Its backlog when the receiver was dropped. Such a reader keeps nothing in the channel, but
    /// its meter may still be read.
    pub(super) left: Option<Box<Backlog>>,
}

/// Where a reader begins: with an initial gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// In the segment in which it has joined.
    Joined,
    /// In the segment after that, because the channel was not live.
    Next,
    /// The initial gap is reported.
    Reported,
}

impl Reader {
    const NO_LABEL: u16 = u16::MAX;

    pub(super) fn new(pace: Pace, position: Position, segment: u64, fence: Timestamp) -> Self {
        Self {
            pace,
            position,
            joined: position.push,
            missed: 0,
            skipped: 0,
            reported: segment,
            beginning: Beginning::Next,
            fence,
            opened: SystemTime::UNIX_EPOCH,
            waits_at: 0,
            label: Self::NO_LABEL,
            is_metered: false,
            left: None,
        }
    }

    /// Returns the segment with which the reader begins, until its initial gap is reported.
    #[inline]
    pub(super) fn begins_with(&self) -> Option<u64> {
        match self.beginning {
            Beginning::Joined => Some(self.reported),
            Beginning::Next => Some(self.reported + 1),
            Beginning::Reported => None,
        }
    }

    /// Splits the pushes that it has passed without receiving them: into those that it has missed, and
    /// those that it has skipped for newer ones.
    #[inline]
    pub(super) fn split(&self, passed: u64) -> (u64, u64) {
        match self.pace {
            Pace::Latest => (0, passed),
            Pace::Budget | Pace::Within(_) => (passed, 0),
        }
    }
}

/// The readers, and the wakers of those that wait.
///
/// One channel may have many thousands of readers. So nothing here takes time in proportion to the
/// readers, except moving the wakers of those that wait.
#[derive(Debug, Default)]
pub(super) struct Readers {
    all: Slots<Reader>,
    waiting: Few<Waiting>,
    /// The distinct limits of the readers that are here.
    limits: Few<Limit>,
    /// How many readers have not left.
    here: u32,
}

#[derive(Debug)]
struct Waiting {
    reader: Key,
    waker: Waker,
}

#[derive(Debug)]
struct Limit {
    pushes: u64,
    /// How many readers have it.
    readers: u32,
}

impl Readers {
    /// Adds a reader, and returns its key.
    pub(super) fn add(&mut self, reader: Reader) -> Key {
        self.here += 1;
        let pushes = reader.pace.limit();
        match self.limits.iter_mut().find(|limit| limit.pushes == pushes) {
            Some(limit) => limit.readers += 1,
            None => self.limits.push(Limit { pushes, readers: 1 }),
        }
        self.all.insert(reader)
    }

    /// Removes a reader, or keeps its backlog if it has a meter. Returns its waker, which the caller drops
    /// without the lock.
    #[must_use]
    pub(super) fn leave(&mut self, reader: Key, backlog: Backlog) -> Option<Waker> {
        let waker = self.stop_waiting(reader);
        self.here -= 1;
        self.waiting.shrink(self.here as usize);
        let pushes = self.all[reader].pace.limit();
        if let Some(at) = self.limits.iter().position(|limit| limit.pushes == pushes) {
            self.limits[at].readers -= 1;
            if self.limits[at].readers == 0 {
                self.limits.swap_remove(at);
            }
        }
        if self.all[reader].is_metered {
            self.all[reader].left = Some(Box::new(backlog));
        } else {
            self.all.remove(reader);
        }
        waker
    }

    /// Returns how far behind the end a reader may be, if there is one.
    pub(super) fn furthest(&self) -> Option<u64> {
        self.limits.iter().map(|limit| limit.pushes).max()
    }

    /// Returns how far behind the end every reader may be.
    pub(super) fn nearest(&self) -> u64 {
        let limits = self.limits.iter().map(|limit| limit.pushes);
        limits.min().unwrap_or_default()
    }

    /// Returns whether every reader has left.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.here == 0
    }

    /// Returns whether there is more than one.
    #[inline]
    pub(super) fn are_several(&self) -> bool {
        self.here > 1
    }

    /// Returns whether they are so many that they are woken a part at a time.
    #[inline]
    pub(super) fn are_crowd(&self) -> bool {
        self.here as usize > Crowd::MORE_THAN
    }

    /// Returns whether so many of them wait.
    #[inline]
    pub(super) fn are_many_waiting(&self) -> bool {
        self.waiting.len() > Crowd::MORE_THAN
    }

    /// Returns the readers that have not left.
    pub(super) fn here(&self) -> impl Iterator<Item = &Reader> {
        self.all.iter().filter(|reader| reader.left.is_none())
    }

    /// Records that a reader waits. Returns the waker that is replaced: dropping it may run any code, so
    /// the caller does so without the lock.
    #[must_use]
    pub(super) fn wait(&mut self, reader: Key, waker: &Waker) -> Option<Waker> {
        if let Some(waiting) = self.waiting(reader) {
            let is_other = !waiting.waker.will_wake(waker);
            return is_other.then(|| std::mem::replace(&mut waiting.waker, waker.clone()));
        }
        self.all[reader].waits_at = place(self.waiting.len());
        self.waiting.push(Waiting {
            reader,
            waker: waker.clone(),
        });
        None
    }

    /// Moves the wakers of all waiting readers to `wakers`.
    ///
    /// This does not touch the readers: whether one waits is seen by who is at its place.
    #[inline]
    pub(super) fn collect_wakers(&mut self, wakers: &mut Vec<Waker>) {
        if !self.waiting.is_empty() {
            self.move_wakers(wakers);
        }
    }

    fn move_wakers(&mut self, wakers: &mut Vec<Waker>) {
        wakers.reserve(self.waiting.len());
        self.waiting.take_each(|waiting| wakers.push(waiting.waker));
    }

    fn stop_waiting(&mut self, reader: Key) -> Option<Waker> {
        self.waiting(reader)?;
        let at = self.all[reader].waits_at;
        let Waiting { waker, .. } = self.waiting.swap_remove(at as usize);
        if let Some(moved) = self.waiting.get(at as usize) {
            self.all[moved.reader].waits_at = at;
        }
        Some(waker)
    }

    /// Returns the entry of a reader that waits.
    fn waiting(&mut self, reader: Key) -> Option<&mut Waiting> {
        let at = self.all[reader].waits_at;
        let waiting = self.waiting.get_mut(at as usize);
        waiting.filter(|waiting| waiting.reader == reader)
    }
}

impl std::ops::Index<Key> for Readers {
    type Output = Reader;

    #[inline]
    fn index(&self, reader: Key) -> &Reader {
        &self.all[reader]
    }
}

impl std::ops::IndexMut<Key> for Readers {
    #[inline]
    fn index_mut(&mut self, reader: Key) -> &mut Reader {
        &mut self.all[reader]
    }
}

fn place(index: usize) -> u32 {
    u32::try_from(index).expect("a channel has fewer than 2^32 readers")
}
