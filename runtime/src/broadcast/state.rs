//! The state under the lock of a broadcast channel, and the steps of appending and receiving.

use std::sync::Arc;
use std::task::Waker;
use std::time::SystemTime;

use super::budget::Held;
use super::confirmations::Confirmations;
use super::queue::{Position, Queue};
use super::readers::{Pace, Reader, Readers};
use super::segments::{GapStart, Segments};
use crate::gap::{Gap, GapCause, Missed};
use crate::push::Batch;
use crate::util::clock;

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

/// The backlog of one reader, for the statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// How many pushes have a number and were appended since the reader has joined.
    pub(crate) end: u64,
    /// How many pushes were replaced by newer ones before they had a number.
    pub(crate) superseded: u64,
    /// How many pushes with a number were skipped for newer ones, including those that the reader has
    /// not reached yet.
    pub(crate) skipped: u64,
    /// How many pushes were dropped before the reader could receive them, including those that it
    /// has not reached yet.
    pub(crate) missed: u64,
}

/// Which losses a reader knows of, or how many there are to know of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The segment whose beginning was reported.
    pub(crate) segment: u64,
    /// How many pushes were dropped before the reader could receive them.
    pub(crate) missed: u64,
}

/// A gap, a batch, or a gap and the batch after it.
///
/// Both come together so that a handler which needs long for each gap still receives messages.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) gap: Option<Gap>,
    /// What the reader knows once the gap is reported.
    pub(crate) known: Known,
    /// How many pushes were dropped before the batch. The gap includes them.
    pub(crate) missed: u64,
    /// How many pushes were skipped for newer ones before the batch.
    pub(crate) skipped: u64,
    /// The batch, and how many pushes at its front were dropped.
    pub(crate) batch: Option<(Arc<Batch>, usize)>,
}

/// The queue, the state of the subscriptions on the connection, and the position of each reader.
#[derive(Debug)]
pub(super) struct ChannelState {
    pub(super) queue: Queue,
    pub(super) segments: Segments,
    pub(super) confirmations: Confirmations,
    pub(super) readers: Readers,
    pub(super) closed: bool,
    pub(super) wait: Wait,
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
    /// Whether the link never waits for the channel.
    pub(super) is_never: bool,
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
        let (opened, grown) = self.queue.append(index, channel, payload);
        self.readers.collect_wakers(wakers);
        Appended {
            opened,
            grown,
            is_filling: !self.queue.is_within(2),
        }
    }

    /// Returns whether the link should wait before it appends a push of `bytes`.
    pub(super) fn should_wait_for(&self, bytes: usize) -> bool {
        let must_not = self.wait.is_never || self.wait.is_abandoned || self.closed;
        let may_wait = !must_not && !self.queue.keeps_latest();
        may_wait && self.queue.is_full_for(bytes)
    }

    /// Adds a reader. It receives what is appended from now on.
    ///
    /// If the channel `is_live`, the current segment is the reader's first. Otherwise the next one is,
    /// which begins with a confirmation.
    pub(super) fn add_reader(&mut self, pace: Pace, is_live: bool) -> usize {
        let position = self.queue.end_position();
        let current = self.segments.current();
        self.queue.enter(position);
        self.segments.enter(current);
        let mut reader = Reader::new(pace, position, clock::wall());
        reader.reported = current;
        reader.begins_with = if is_live { current } else { current + 1 };
        let reader = self.readers.add(reader);
        self.follow_paces();
        reader
    }

    /// Removes a reader.
    pub(super) fn remove_reader(&mut self, reader: usize) {
        let backlog = self.backlog(reader);
        let Reader {
            position, reported, ..
        } = self.readers[reader];
        self.readers.leave(reader, backlog);
        self.queue.leave(position);
        self.segments.leave(reported);
        self.follow_paces();
        if self.readers.is_empty() {
            self.empty();
        }
    }

    /// Keeps as many pushes as the slowest pace of a reader allows.
    fn follow_paces(&mut self) {
        if let Some(furthest) = self.readers.furthest() {
            self.queue.follow_pace(furthest);
        }
    }

    /// Returns whether every name of a reader's beginning is confirmed or off.
    pub(super) fn has_begun(&self, reader: usize) -> bool {
        let begins_with = self.readers[reader].begins_with;
        begins_with == 0
            || (self.segments.current() >= begins_with && self.confirmations.are_settled())
    }

    /// Returns what a reader receives next, if there is anything.
    pub(super) fn next(&mut self, reader: usize) -> Option<Received> {
        let Reader {
            pace,
            position: before,
            reported,
            begins_with,
            fence,
            ..
        } = self.readers[reader];
        let current = self.segments.current();
        let mut position = self.queue.caught_up(before, pace.limit());
        let next = self.queue.peek(position);
        let segment = match &next {
            Some(next) => next.segment.max(begins_with),
            None => current,
        };
        let is_new = begins_with > 0;
        let must_hold = segment == current && !self.confirmations.are_settled() && !self.closed;
        if (segment != reported || is_new) && (must_hold || current < begins_with) {
            return None;
        }
        let behind = position.push - before.push;
        let (mut missed, skipped) = match pace {
            Pace::Latest => (0, behind),
            Pace::Budget | Pace::Within(_) => (behind, 0),
        };
        missed += match &next {
            Some(next) => next.missed,
            None => self.queue.missed(position),
        };
        let lag = (missed > 0).then(|| Gap {
            cause: GapCause::Lagged,
            missed: Missed::Exactly(missed),
            since: fence,
            until: next
                .filter(|_| behind == 0)
                .and_then(|next| next.opened)
                .unwrap_or_else(clock::wall),
        });
        let gap = if is_new {
            let initial = self.initial(segment, fence);
            if lag.is_some() {
                // Nothing is missed in the initial gap, so the loss is a gap of its own, the next one.
                self.move_reader(reader, before, segment);
                return Some(Received {
                    gap: Some(initial),
                    known: Known {
                        segment,
                        missed: self.readers[reader].missed,
                    },
                    missed: 0,
                    skipped: 0,
                    batch: None,
                });
            }
            Some(initial)
        } else if segment == reported {
            lag
        } else {
            Some(self.segments.gap(reported, segment, lag))
        };
        let batch = self.queue.read(&mut position);
        if batch.is_none() {
            self.queue.skip_to_end(&mut position);
        }
        if gap.is_none() && batch.is_none() {
            return None;
        }
        if let Some((batch, _)) = &batch {
            // Before it may leave the queue, which counts it from then on.
            batch.hand_out();
        }
        self.move_reader(reader, position, segment);
        let reader = &mut self.readers[reader];
        reader.missed += missed;
        reader.skipped += skipped;
        if let Some((batch, _)) = &batch {
            reader.fence = batch.fence;
        }
        Some(Received {
            gap,
            known: Known {
                segment,
                missed: reader.missed,
            },
            missed,
            skipped,
            batch,
        })
    }
    /// Returns the gap with which a reader begins that has joined at `since`.
    fn initial(&self, segment: u64, since: SystemTime) -> Gap {
        let live = self.segments.live(segment).unwrap_or(since);
        Gap {
            cause: GapCause::Initial,
            missed: Missed::Exactly(0),
            since,
            until: live.max(since),
        }
    }

    /// Moves a reader to a position in a segment, of which it knows now, and releases what no reader
    /// needs any more.
    fn move_reader(&mut self, reader: usize, position: Position, segment: u64) {
        let reader = &mut self.readers[reader];
        let from = std::mem::replace(&mut reader.position, position);
        let reported = std::mem::replace(&mut reader.reported, segment);
        reader.begins_with = 0;
        self.queue.advance(from, position);
        if reported != segment {
            self.segments.advance(reported, segment);
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

    /// Returns the backlog of a reader; after its receiver was dropped, the backlog at that time.
    pub(super) fn backlog(&self, reader: usize) -> Backlog {
        let reader = &self.readers[reader];
        if let Some(left) = &reader.left {
            return **left;
        }
        let position = self.queue.caught_up(reader.position, reader.pace.limit());
        let behind = position.push - reader.position.push;
        let (missed, skipped) = match reader.pace {
            Pace::Latest => (0, behind),
            Pace::Budget | Pace::Within(_) => (behind, 0),
        };
        Backlog {
            end: self.queue.end() - reader.joined,
            superseded: self.queue.superseded(),
            skipped: reader.skipped + skipped,
            missed: reader.missed + missed + self.queue.missing(position),
        }
    }

    /// Returns which losses there are for a reader to know of.
    pub(super) fn losses(&self, reader: usize) -> Known {
        Known {
            segment: self.segments.current(),
            missed: self.backlog(reader).missed,
        }
    }

    /// Records that a reader made progress. Returns the waker of the link if there is room now.
    pub(super) fn note_progress(&mut self) -> Option<Waker> {
        self.wait.taken += 1;
        if self.wait.is_abandoned && self.queue.is_within(4) {
            self.wait.is_abandoned = false;
        }
        self.wait.link.take_if(|_| self.queue.is_within(7))
    }

    /// Begins a segment after the gap `before`.
    pub(super) fn begin_segment(&mut self, before: GapStart) {
        let current = self.segments.current();
        let is_unread = self.queue.ends_before(current) && !self.segments.is_current_known();
        let segment = self.segments.begin(before, is_unread);
        self.queue.begin_segment(segment);
        self.merge_segments();
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
