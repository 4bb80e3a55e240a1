//! The readers of a broadcast channel, and the wakers of those that wait.

use std::task::Waker;
use std::time::SystemTime;

use slab::Slab;

use super::queue::Position;
use super::state::Backlog;

/// How far a reader may fall behind the end of the channel, in addition to the channel's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As far as the budget allows: what a handler's buffer holds is the budget of its channel.
    Budget,
    /// By this many pushes. What lies further behind is missed.
    Within(u64),
    /// The reader receives the newest push. Those before it are superseded.
    Latest,
}

impl Pace {
    /// By how many pushes a position may be behind the end.
    pub(super) fn limit(self) -> u64 {
        match self {
            Self::Budget => u64::MAX,
            Self::Within(pushes) => pushes.max(1),
            Self::Latest => 1,
        }
    }
}

/// The shared part of a [`Receiver`](super::Receiver).
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) pace: Pace,
    pub(super) position: Position,
    /// The position at which it has joined.
    pub(super) joined: u64,
    /// How many pushes before its position were dropped before it could receive them.
    pub(super) missed: u64,
    /// How many pushes it has skipped for newer ones.
    pub(super) skipped: u64,
    /// The last segment whose beginning was reported to this reader.
    pub(super) reported: u64,
    /// The segment with which the reader begins, until its initial gap is reported: then 0.
    pub(super) begins_with: u64,
    /// The fence of the last batch that it received: everything that it has missed since then was
    /// published later.
    pub(super) fence: SystemTime,
    /// Where its waker is.
    waits_at: Option<u32>,
    /// Its backlog when the receiver was dropped. Such a reader keeps nothing in the channel, but
    /// its meter may still be read.
    pub(super) left: Option<Box<Backlog>>,
    /// Whether a meter exists.
    pub(super) is_metered: bool,
}

impl Reader {
    pub(super) fn new(pace: Pace, position: Position, fence: SystemTime) -> Self {
        Self {
            pace,
            position,
            joined: position.push,
            missed: 0,
            skipped: 0,
            reported: 0,
            begins_with: 0,
            fence,
            waits_at: None,
            left: None,
            is_metered: false,
        }
    }
}

/// The readers, and the wakers of those that wait.
///
/// One channel may have many thousands of readers. So nothing here takes time in proportion to the
/// readers, except waking those that wait.
#[derive(Debug, Default)]
pub(super) struct Readers {
    all: Slab<Reader>,
    /// How many readers have not left.
    here: usize,
    waiting: Vec<Waiting>,
    /// How many of the readers that are here have the same limit.
    limits: Vec<(u64, usize)>,
}

#[derive(Debug)]
struct Waiting {
    reader: u32,
    waker: Waker,
}

impl Readers {
    /// Adds a reader, and returns its index.
    pub(super) fn add(&mut self, reader: Reader) -> usize {
        self.here += 1;
        let limit = reader.pace.limit();
        match self.limits.iter_mut().find(|(known, _)| *known == limit) {
            Some((_, count)) => *count += 1,
            None => {
                self.limits.reserve_exact(1);
                self.limits.push((limit, 1));
            }
        }
        if self.all.len() == self.all.capacity() {
            // Most channels have one reader and never get another. A quarter more is enough for the
            // others.
            self.all.reserve_exact(1 + self.all.len() / 4);
        }
        self.all.insert(reader)
    }

    /// Removes a reader, or keeps its backlog if it has a meter.
    pub(super) fn leave(&mut self, reader: usize, backlog: Backlog) {
        self.stop_waiting(reader);
        self.here -= 1;
        let limit = self.all[reader].pace.limit();
        if let Some(at) = self.limits.iter().position(|(known, _)| *known == limit) {
            self.limits[at].1 -= 1;
            if self.limits[at].1 == 0 {
                self.limits.swap_remove(at);
            }
        }
        if self.all[reader].is_metered {
            self.all[reader].left = Some(Box::new(backlog));
        } else {
            self.all.remove(reader);
            if self.all.is_empty() {
                self.all = Slab::new();
            }
        }
    }

    /// Returns how far behind the end a reader may be, if there is one.
    pub(super) fn furthest(&self) -> Option<u64> {
        self.limits.iter().map(|(limit, _)| *limit).max()
    }

    /// Returns whether every reader has left.
    pub(super) fn is_empty(&self) -> bool {
        self.here == 0
    }

    /// Returns the readers that have not left.
    pub(super) fn here(&self) -> impl Iterator<Item = &Reader> {
        let all = self.all.iter().map(|(_, reader)| reader);
        all.filter(|reader| reader.left.is_none())
    }

    /// Records that a reader waits.
    pub(super) fn wait(&mut self, reader: usize, waker: &Waker) {
        if let Some(at) = self.all[reader].waits_at {
            return self.waiting[at as usize].waker.clone_from(waker);
        }
        self.all[reader].waits_at = Some(index(self.waiting.len()));
        if self.waiting.is_empty() {
            self.waiting.reserve_exact(1);
        }
        self.waiting.push(Waiting {
            reader: index(reader),
            waker: waker.clone(),
        });
    }

    /// Moves the wakers of all waiting readers to `wakers`.
    #[inline]
    pub(super) fn collect_wakers(&mut self, wakers: &mut Vec<Waker>) {
        for Waiting { reader, waker } in self.waiting.drain(..) {
            self.all[reader as usize].waits_at = None;
            wakers.push(waker);
        }
    }

    fn stop_waiting(&mut self, reader: usize) {
        let Some(at) = self.all[reader].waits_at.take() else {
            return;
        };
        self.waiting.swap_remove(at as usize);
        if let Some(moved) = self.waiting.get(at as usize) {
            self.all[moved.reader as usize].waits_at = Some(at);
        }
    }
}

impl std::ops::Index<usize> for Readers {
    type Output = Reader;

    fn index(&self, reader: usize) -> &Reader {
        &self.all[reader]
    }
}

impl std::ops::IndexMut<usize> for Readers {
    fn index_mut(&mut self, reader: usize) -> &mut Reader {
        &mut self.all[reader]
    }
}

fn index(index: usize) -> u32 {
    u32::try_from(index).expect("a channel has fewer than 2^32 readers")
}
