//! The state under the lock of a broadcast channel.
//!
//! This file appends, and adds and removes readers. `receive` has what a reader receives next, `backlog`
//! what it has not received, `crowded` what it has to wait for while many readers are woken.

mod backlog;
mod crowded;
mod receive;

pub(crate) use backlog::{Backlog, Entered, Rest};
pub(super) use crowded::CrowdState;
pub(crate) use receive::{Known, Received};

use std::task::Waker;
use std::time::SystemTime;

use super::budget::Held;
use super::concerned::Concerned;
use super::confirmations::Confirmations;
use super::open::{OpenBatch, Room};
use super::queue::Queue;
use super::readers::{Beginning, Pace, Reader, Readers};
use super::segments::{GapStart, Segments};
use crate::push::Page;
use crate::util::{Key, clock};

/// The result of an append.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Appended {
    /// The current time, if this push opened a batch: only then is the clock read.
    pub(crate) opened: Option<SystemTime>,
    /// By how many bytes the memory of the channel has grown, without what was dropped for it.
    pub(crate) grown: usize,
    /// Whether more than a quarter of the budget is in use: then readers should be woken soon.
    pub(crate) is_filling: bool,
}

/// The queue, the state of the subscriptions on the connection, and the position of each reader.
#[derive(Debug)]
pub(super) struct ChannelState {
    pub(super) queue: Queue,
    pub(super) segments: Segments,
    pub(super) confirmations: Confirmations,
    pub(super) readers: Readers,
    /// `None` if the link never waits for the channel.
    pub(super) wait: Option<Box<Wait>>,
    pub(super) closed: bool,
    pub(super) crowd: CrowdState,
}

/// The state of a link that waits for room.
#[derive(Debug, Default)]
pub(super) struct Wait {
    /// Wakes the link when there is room again.
    pub(super) link: Option<Waker>,
    /// Grows with each batch that a reader receives: a sign of progress.
    pub(super) taken: u64,
    /// Whether the link stopped waiting because no reader made progress. It waits again after half
    /// of the budget was free.
    pub(super) is_abandoned: bool,
}

impl ChannelState {
    /// Appends a push and collects the wakers of waiting readers. Discards the push before the
    /// first confirmation and after the close, and without a reader.
    pub(super) fn append(
        &mut self,
        index: u32,
        channel: &[u8],
        payload: &[u8],
        wakers: &mut Vec<Waker>,
    ) -> Appended {
        if self.closed || self.segments.current() == 0 || self.readers.is_empty() {
            return Appended::default();
        }
        self.note_crowd();
        let (opened, grown) = self.queue.append(index, channel, payload);
        self.collect_wakers_of_appended(wakers);
        Appended {
            opened,
            grown,
            is_filling: !self.queue.is_within(2),
        }
    }

    /// Returns what a batch that is filled beside the channel has room for. Pushes that would be discarded are not
    /// gathered.
    #[inline]
    pub(super) fn room(&self) -> Room {
        if self.closed || self.segments.current() == 0 || self.readers.is_empty() {
            return Room::default();
        }
        self.queue.room()
    }

    /// Appends the pushes of an open batch, as [`append`](Self::append) does. Returns by how many bytes the memory
    /// has grown, and a page that is not needed here.
    pub(super) fn hand_over(&mut self, open: OpenBatch, wakers: &mut Vec<Waker>) -> (usize, Page) {
        if self.closed || self.readers.is_empty() || open.page.is_empty() {
            return (0, open.page);
        }
        self.note_crowd();
        let handed_over = self.queue.hand_over(open);
        self.collect_wakers_of_appended(wakers);
        handed_over
    }

    /// Returns whether the link should wait before it appends a push of `bytes`.
    pub(super) fn should_wait_for(&self, bytes: usize) -> bool {
        let wait = self.wait.as_ref();
        let may_wait = wait.is_some_and(|wait| !wait.is_abandoned) && !self.closed;
        may_wait && !self.queue.keeps_latest() && self.queue.is_full_for(bytes)
    }

    /// Adds a reader. It receives what is appended from now on.
    ///
    /// If the channel `is_live`, the current segment is the reader's first. Otherwise the next one is,
    /// which begins with a confirmation.
    pub(super) fn add_reader(&mut self, pace: Pace, is_live: bool) -> Key {
        let position = self.queue.end_position();
        self.queue.enter(position);
        self.segments.enter();
        let current = self.segments.current();
        let mut reader = Reader::new(pace, position, current, clock::wall().into());
        // While a name of several nodes is missing on one of them, no segment begins with its confirmation.
        let is_nearly_live = current > 0 && !self.confirmations.are_settled();
        if is_live || is_nearly_live {
            reader.beginning = Beginning::Joined;
        }
        let reader = self.readers.add(reader);
        self.follow_paces();
        reader
    }

    /// Removes a reader. Returns its waker, which the caller drops without the lock.
    #[must_use]
    pub(super) fn remove_reader(&mut self, reader: Key) -> Option<Waker> {
        let backlog = self.backlog(reader);
        let Reader {
            position, reported, ..
        } = self.readers[reader];
        let waker = self.readers.leave(reader, backlog);
        self.queue.leave(position);
        self.segments.leave(reported);
        self.follow_paces();
        if self.readers.is_empty() {
            self.empty();
        }
        waker
    }

    /// Keeps as many pushes as the slowest pace of a reader allows.
    fn follow_paces(&mut self) {
        if let Some(furthest) = self.readers.furthest() {
            self.queue.follow_pace(furthest);
        }
    }

    /// Returns how much memory the pushes hold. A batch that several readers have counts once.
    pub(super) fn held(&self) -> Held {
        let held = self.queue.held();
        Held {
            waiting: held.waiting + self.segments.memory(),
            in_hand: self.queue.lent_memory(),
            ..held
        }
    }

    /// Records that a reader made progress. Returns the waker of the link if there is room now.
    #[inline]
    pub(super) fn note_progress(&mut self) -> Option<Waker> {
        let wait = self.wait.as_mut()?;
        wait.taken += 1;
        if wait.is_abandoned && self.queue.is_within(4) {
            wait.is_abandoned = false;
        }
        wait.link.take_if(|_| self.queue.is_within(7))
    }

    /// Begins a segment after the gap `before`, which concerns these names.
    pub(super) fn begin_segment(&mut self, before: GapStart, mut concerned: Concerned) {
        let current = self.segments.current();
        let is_unread = self.queue.ends_before(current) && !self.segments.is_current_known();
        let are_settled = self.confirmations.are_settled();
        if !are_settled {
            // The readers may have received the gap that they were to be told in.
            concerned.merge(self.confirmations.pending());
        }
        let segment = self
            .segments
            .begin(before, concerned, is_unread, are_settled);
        self.queue.begin_segment(segment);
        self.merge_segments();
    }

    /// Begins a segment in the middle of a connection.
    pub(super) fn interrupt(
        &mut self,
        before: GapStart,
        concerned: Concerned,
        wakers: &mut Vec<Waker>,
    ) {
        if self.segments.current() > 0 {
            self.begin_segment(before, concerned);
            self.readers.collect_wakers(wakers);
        }
    }

    /// Releases memory until `bytes` are released or nothing but one push is left.
    pub(super) fn shed(&mut self, bytes: usize) {
        self.queue.shed(bytes);
        self.merge_segments();
    }

    /// Drops every push that waits.
    pub(super) fn empty(&mut self) {
        self.queue.empty();
        self.merge_segments();
    }

    /// Merges the segments of which no push is left.
    fn merge_segments(&mut self) {
        self.segments.merge_before(self.queue.oldest_segment());
    }

    /// Wakes the readers if every subscription is settled: a gap is no longer held back.
    pub(super) fn wake_if_settled(&mut self, wakers: &mut Vec<Waker>) {
        if self.confirmations.are_settled() {
            self.segments.settle();
            self.readers.collect_wakers(wakers);
        }
    }
}
