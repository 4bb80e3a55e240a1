//! The state under the lock of a broadcast channel, and the steps of appending and receiving.

use std::sync::Arc;
use std::task::Waker;
use std::time::SystemTime;

use super::budget::Held;
use super::confirmations::Confirmations;
use super::queue::{Position, Queue};
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
    /// The sequence number after the newest push.
    pub(crate) end: u64,
    /// How many pushes were replaced by newer ones. They have no number.
    pub(crate) superseded: u64,
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
    #[cfg(test)]
    pub(crate) missed: u64,
    /// The batch, and how many pushes at its front were dropped.
    pub(crate) batch: Option<(Arc<Batch>, usize)>,
}

/// The queue, the state of the subscriptions on the connection, and the position of each reader.
#[derive(Debug)]
pub(super) struct ChannelState {
    pub(super) queue: Queue,
    pub(super) segments: Segments,
    pub(super) confirmations: Confirmations,
    pub(super) readers: Vec<Reader>,
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
}

/// The shared part of a [`Receiver`](super::Receiver).
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) position: Position,
    /// How many pushes before its position were dropped before it could receive them.
    pub(super) missed: u64,
    /// The last segment whose beginning was reported to this reader.
    pub(super) reported: u64,
    /// The fence of the last batch that it received: everything that it has missed since then was
    /// published later.
    pub(super) fence: SystemTime,
    pub(super) waker: Option<Waker>,
    /// The first push and the memory of the batch that it has received and not given back.
    pub(super) in_hand: Option<(u64, usize)>,
    /// The same of the batches before it that its workers still use.
    pub(super) in_use: Vec<(u64, usize)>,
    /// Its backlog when the receiver was dropped. Such a reader keeps nothing in the channel.
    pub(super) left: Option<Backlog>,
}

impl ChannelState {
    /// Appends a push and collects the wakers of waiting readers. Discards the push before the
    /// first confirmation and after the close.
    pub(super) fn append(
        &mut self,
        index: u32,
        channel: &[u8],
        payload: &[u8],
        wakers: &mut Vec<Waker>,
    ) -> Appended {
        if self.closed || self.segments.current() == 0 {
            return Appended::default();
        }
        let (opened, grown) = self.queue.append(index, channel, payload);
        self.collect_wakers(wakers);
        Appended {
            opened,
            grown,
            is_filling: !self.queue.is_within(2),
        }
    }

    /// Returns whether the link should wait before it appends a push of `bytes`.
    pub(super) fn should_wait_for(&self, bytes: usize) -> bool {
        let may_wait = !self.wait.is_abandoned && !self.closed && !self.queue.keeps_latest();
        may_wait && self.queue.is_full_for(bytes)
    }

    /// Returns what a reader receives next, if there is anything.
    pub(super) fn next(&mut self, reader: usize) -> Option<Received> {
        let Reader {
            mut position,
            reported,
            fence,
            ..
        } = self.readers[reader];
        let next = self.queue.peek(position);
        let segment = match &next {
            Some(next) => next.segment,
            None => self.segments.current(),
        };
        let must_hold =
            segment == self.segments.current() && !self.confirmations.are_settled() && !self.closed;
        if segment != reported && must_hold {
            return None;
        }
        let missed = match &next {
            Some(next) => next.missed,
            None => self.queue.missed(position),
        };
        let lag = (missed > 0).then(|| Gap {
            cause: GapCause::Lagged,
            missed: Missed::Exactly(missed),
            since: fence,
            until: next
                .and_then(|next| next.opened)
                .unwrap_or_else(clock::wall),
        });
        let gap = if segment == reported {
            lag
        } else if lag.is_some() && self.segments.begins_with_initial(reported) {
            // Nothing is missed in the initial gap, so the loss is a gap of its own, the next one.
            let initial = self.segments.gap(reported, segment, None);
            self.readers[reader].reported = segment;
            self.release();
            let missed = self.readers[reader].missed;
            return Some(Received {
                gap: Some(initial),
                known: Known { segment, missed },
                #[cfg(test)]
                missed: 0,
                batch: None,
            });
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
        let reader = &mut self.readers[reader];
        let was_last = self.queue.is_first(reader.position.batch);
        let previous = std::mem::replace(&mut reader.reported, segment);
        reader.position = position;
        reader.missed += missed;
        let known_missed = reader.missed;
        if let Some((batch, _)) = &batch {
            reader.fence = batch.fence;
            reader.in_hand = Some((batch.first, batch.memory()));
        }
        // Only a reader at the oldest batch, or one that enters a segment, can release anything.
        if was_last || previous != segment {
            self.release();
        }
        Some(Received {
            gap,
            known: Known {
                segment,
                missed: known_missed,
            },
            #[cfg(test)]
            missed,
            batch,
        })
    }

    /// Returns how much memory the pushes hold. A batch that several readers have counts once.
    pub(super) fn held(&self) -> Held {
        let in_hand = self.readers.iter().flat_map(|reader| {
            let in_use = reader.in_use.iter().copied();
            in_use.chain(reader.in_hand)
        });
        let mut in_hand: Vec<_> = in_hand
            .filter(|(first, _)| self.queue.is_released(*first))
            .collect();
        in_hand.sort_unstable();
        in_hand.dedup();
        let held = self.queue.held();
        Held {
            waiting: held.waiting + self.segments.memory(),
            in_hand: in_hand.iter().map(|(_, memory)| memory).sum(),
            ..held
        }
    }

    /// Returns the backlog of a reader; after its receiver was dropped, the backlog at that time.
    pub(super) fn backlog(&self, reader: usize) -> Backlog {
        let reader = &self.readers[reader];
        reader.left.unwrap_or_else(|| Backlog {
            end: self.queue.end(),
            superseded: self.queue.superseded(),
            missed: reader.missed + self.queue.missing(reader.position),
        })
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
        let is_unread = self.queue.ends_before(current)
            && self.readers.iter().all(|reader| reader.reported < current);
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
        let Self {
            queue,
            segments,
            readers,
            ..
        } = self;
        segments.merge_before(queue.oldest_segment(), |segment| {
            readers.iter().any(|reader| reader.reported == segment)
        });
    }

    /// Wakes the readers if every subscription is settled: a gap is no longer held back.
    pub(super) fn wake_if_settled(&mut self, wakers: &mut Vec<Waker>) {
        if self.confirmations.are_settled() {
            self.segments.settle();
            self.collect_wakers(wakers);
        }
    }

    /// Moves the wakers of all waiting readers to `wakers`.
    pub(super) fn collect_wakers(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.readers.iter_mut().filter_map(|r| r.waker.take()));
    }

    /// Releases the batches and the segments that no reader needs any more.
    #[inline]
    pub(super) fn release(&mut self) {
        let here = || self.readers.iter().filter(|reader| reader.left.is_none());
        let batch = here().map(|reader| reader.position.batch).min();
        let reported = here().map(|reader| reader.reported).min();
        self.queue.release_before(batch.unwrap_or(u64::MAX));
        self.segments.release(reported.unwrap_or(u64::MAX));
    }
}
