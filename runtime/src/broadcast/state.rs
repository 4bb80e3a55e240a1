use std::sync::Arc;
use std::task::Waker;
use std::time::SystemTime;

use super::confirmations::Confirmations;
use super::queue::{Position, Queue};
use super::segments::{GapStart, Segments};
use crate::gap::{Gap, GapCause, Missed};
use crate::push::Batch;
use crate::util::clock;

/// What an append did, beside appending.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Appended {
    /// The time, if this push made the ring read the clock.
    pub(crate) opened: Option<SystemTime>,
    /// Whether more than a quarter of the budget is in use: readers should not be kept waiting.
    pub(crate) is_filling: bool,
}

/// What a reader has before it, for the stats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// The sequence number behind the newest push.
    pub(crate) end: u64,
    /// How many pushes were replaced by newer ones; they have no number.
    pub(crate) superseded: u64,
    /// How many were dropped before the reader could have them, whether it has come to where they
    /// were or not.
    pub(crate) missed: u64,
}

/// What a receiver is given: a gap, a batch, or a gap and the batch behind it.
///
/// They come together so that a handler which needs long for each gap still gets messages.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) gap: Option<Gap>,
    /// How many pushes the ring has dropped before the batch: the gap says it.
    #[cfg(test)]
    pub(crate) missed: u64,
    /// The batch, and how many pushes at its front are dropped ones.
    pub(crate) batch: Option<(Arc<Batch>, usize)>,
}

/// What a ring guards: the queue, what is known of the wire, and where each reader stands.
#[derive(Debug)]
pub(super) struct ChannelState {
    pub(super) queue: Queue,
    pub(super) segments: Segments,
    pub(super) confirmations: Confirmations,
    pub(super) readers: Vec<Reader>,
    pub(super) closed: bool,
    pub(super) wait: Wait,
}

/// What a link that can wait for room needs to know.
#[derive(Debug, Default)]
pub(super) struct Wait {
    /// To be woken when there is room again.
    pub(super) feeder: Option<Waker>,
    /// How many batches readers have taken: a sign that they are at work.
    pub(super) taken: u64,
    /// Nobody took one for too long: not to be waited for before half of the ring is free.
    pub(super) is_abandoned: bool,
}

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) position: Position,
    /// How many pushes it has passed that were dropped before it came to them.
    pub(super) missed: u64,
    /// The last episode whose beginning this reader was told.
    pub(super) reported: u64,
    /// When the last batch it was given was opened.
    pub(super) heard: SystemTime,
    pub(super) waker: Option<Waker>,
    /// What lay before it when it left; it counts for nothing any more.
    pub(super) left: Option<Backlog>,
}

impl ChannelState {
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
        let opened = self.queue.append(index, channel, payload);
        self.wake(wakers);
        Appended {
            opened,
            is_filling: !self.queue.is_within(2),
        }
    }

    pub(super) fn should_wait_for(&self, bytes: usize) -> bool {
        let may_wait = !self.wait.is_abandoned && !self.closed && !self.queue.keeps_latest();
        may_wait && self.queue.is_full_for(bytes)
    }

    /// What the reader is to be given, if there is something.
    pub(super) fn next(&mut self, reader: usize) -> Option<Received> {
        let Reader {
            mut position,
            reported,
            heard,
            ..
        } = self.readers[reader];
        let ahead = self.queue.peek(position);
        let segment = match &ahead {
            Some(ahead) => ahead.segment,
            None => self.segments.current(),
        };
        let must_hold =
            segment == self.segments.current() && !self.confirmations.are_settled() && !self.closed;
        if segment != reported && must_hold {
            return None;
        }
        let missed = match &ahead {
            Some(ahead) => ahead.missed,
            None => self.queue.missed(position),
        };
        let gap = if segment != reported {
            Some(self.segments.gap(reported, segment, missed))
        } else {
            (missed > 0).then(|| Gap {
                cause: GapCause::Lagged,
                missed: Missed::Exactly(missed),
                since: heard,
                until: ahead.map_or_else(clock::wall, |ahead| ahead.opened),
            })
        };
        let batch = self.queue.take(&mut position);
        if batch.is_none() {
            self.queue.pass(&mut position);
        }
        if gap.is_none() && batch.is_none() {
            return None;
        }
        let reader = &mut self.readers[reader];
        let was_last = self.queue.is_first(reader.position.batch);
        let was_told = std::mem::replace(&mut reader.reported, segment);
        reader.position = position;
        reader.missed += missed;
        if let Some((batch, _)) = &batch {
            reader.heard = batch.opened;
        }
        // Only a reader that was behind the others can have freed something.
        if was_last || was_told != segment {
            self.release();
        }
        Some(Received {
            gap,
            #[cfg(test)]
            missed,
            batch,
        })
    }

    /// What lies before a reader, or lay before it when it left.
    pub(super) fn backlog(&self, reader: usize) -> Backlog {
        let reader = &self.readers[reader];
        reader.left.unwrap_or_else(|| Backlog {
            end: self.queue.end(),
            superseded: self.queue.superseded(),
            missed: reader.missed + self.queue.missing(reader.position),
        })
    }

    /// Notes that a batch was taken, and hands out the feeder if there is room for it now.
    pub(super) fn take_feeder(&mut self) -> Option<Waker> {
        self.wait.taken += 1;
        if self.wait.is_abandoned && self.queue.is_within(4) {
            self.wait.is_abandoned = false;
        }
        self.wait.feeder.take_if(|_| self.queue.is_within(7))
    }

    pub(super) fn begin_segment(&mut self, before: GapStart) {
        let current = self.segments.current();
        let unseen = self.queue.ends_before(current)
            && self.readers.iter().all(|reader| reader.reported < current);
        let segment = self.segments.begin(before, unseen);
        self.queue.begin_segment(segment);
    }

    pub(super) fn settled(&mut self, wakers: &mut Vec<Waker>) {
        if self.confirmations.are_settled() {
            self.segments.settle();
            self.wake(wakers);
        }
    }

    pub(super) fn wake(&mut self, wakers: &mut Vec<Waker>) {
        wakers.extend(self.readers.iter_mut().filter_map(|r| r.waker.take()));
    }

    /// Forgets what every reader has been given and told.
    pub(super) fn release(&mut self) {
        let here = || self.readers.iter().filter(|reader| reader.left.is_none());
        let batch = here().map(|reader| reader.position.batch).min();
        let reported = here().map(|reader| reader.reported).min();
        self.queue.release_before(batch.unwrap_or(u64::MAX));
        self.segments.forget(reported.unwrap_or(u64::MAX));
    }
}
