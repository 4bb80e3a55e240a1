//! What a reader receives next: a gap, a batch, or both.

use std::sync::Arc;
use std::time::SystemTime;

use super::ChannelState;
use crate::broadcast::concerned::Loss;
use crate::broadcast::queue::Position;
use crate::broadcast::readers::{Beginning, Reader};
use crate::gap::{Gap, GapCause, Missed};
use crate::push::Batch;
use crate::util::{Key, clock};

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
    /// Boxed, because it is rare.
    pub(crate) gap: Option<Box<Loss>>,
    /// What the reader knows once the gap is reported.
    pub(crate) known: Known,
    /// How many pushes were dropped before the batch. The gap includes them.
    pub(crate) missed: u64,
    /// How many pushes were skipped for newer ones before the batch.
    pub(crate) skipped: u64,
    /// Whether a link that has waited for the channel was woken.
    pub(crate) woke_link: bool,
    /// If there is a batch, how many pushes at its front were dropped. The batch is in the hand of the
    /// [`Receiver`](super::Receiver).
    pub(crate) batch: Option<usize>,
}

impl ChannelState {
    /// Returns whether every name of a reader's beginning is confirmed or off.
    pub(in crate::broadcast) fn has_begun(&self, reader: Key) -> bool {
        match self.readers[reader].begins_with() {
            Some(first) => self.segments.current() >= first && self.confirmations.are_settled(),
            None => true,
        }
    }

    /// Returns what a reader receives next, if there is anything. Its batch is put `in_hand`.
    #[inline]
    pub(in crate::broadcast) fn next(
        &mut self,
        key: Key,
        in_hand: &mut Option<Arc<Batch>>,
    ) -> Option<Received> {
        let reader = &self.readers[key];
        let begins_with = reader.begins_with();
        let current = self.segments.current();
        let mut position = self.queue.caught_up(reader.position, reader.pace.limit());
        let next = self.queue.peek(position);
        let segment = match next {
            // A reader may have begun with the segment after the one in which the push has arrived.
            Some(next) => next.segment.max(begins_with.unwrap_or(reader.reported)),
            None => current,
        };
        let is_news = begins_with.is_some() || segment != reader.reported;
        if is_news {
            let must_hold = segment == current && !self.confirmations.are_settled() && !self.closed;
            if must_hold || begins_with.is_some_and(|first| current < first) {
                return None;
            }
        }
        let (passed, skipped) = reader.split(position.push - reader.position.push);
        let dropped = match next {
            Some(next) => next.missed,
            None => self.queue.end().saturating_sub(position.push),
        };
        let missed = passed + dropped;
        if begins_with.is_some() && missed > 0 {
            // Nothing is missed in the initial gap, so the loss is a gap of its own, the next one.
            return Some(self.begin_alone(key, segment));
        }
        let has_gap = is_news || missed > 0;
        if next.is_none() && !has_gap {
            return None;
        }
        let gap = has_gap.then(|| self.gap(key, segment, missed));
        let batch = self.queue.read(&mut position);
        if batch.is_none() {
            self.queue.skip_to_end(&mut position);
        }
        self.move_reader(key, position, segment);
        let has_others = self.readers.are_several();
        let reader = &mut self.readers[key];
        reader.missed += missed;
        reader.skipped += skipped;
        let known = Known {
            segment,
            missed: reader.missed,
        };
        let batch = batch.map(|(batch, skip)| {
            reader.fence = batch.fence;
            reader.opened = batch.opened;
            if has_others {
                batch.share();
            }
            *in_hand = Some(batch);
            skip
        });
        Some(Received {
            gap,
            known,
            missed,
            skipped,
            woke_link: false,
            batch,
        })
    }

    /// Reports the initial gap of a reader, and nothing after it.
    #[cold]
    fn begin_alone(&mut self, key: Key, segment: u64) -> Received {
        let gap = self.gap(key, segment, 0);
        let Reader {
            position, missed, ..
        } = self.readers[key];
        self.move_reader(key, position, segment);
        Received {
            gap: Some(gap),
            known: Known { segment, missed },
            missed: 0,
            skipped: 0,
            woke_link: false,
            batch: None,
        }
    }

    /// Returns the gap before what a reader receives next, which is of `segment`. It has `missed` this
    /// many pushes.
    #[cold]
    fn gap(&self, key: Key, segment: u64, missed: u64) -> Box<Loss> {
        let reader = &self.readers[key];
        let since = reader.fence.into();
        if reader.begins_with().is_some() {
            let live = self.segments.live(segment).unwrap_or(since);
            let none = Missed::Exactly(0);
            let gap = Gap::new(GapCause::Initial, none, since, live.max(since));
            return Box::new(Loss::of_all(gap));
        }
        let lag = (missed > 0).then(|| {
            let missed = Missed::Exactly(missed);
            Gap::new(GapCause::Lagged, missed, since, self.lag_until(reader))
        });
        Box::new(match lag {
            Some(lag) if segment == reader.reported => Loss::of_all(lag),
            lag => self.segments.gap(reader.reported, segment, lag),
        })
    }

    /// Returns a time by which everything that a reader has missed now had arrived.
    fn lag_until(&self, reader: &Reader) -> SystemTime {
        let position = reader.position;
        let is_caught_up = self.queue.caught_up(position, reader.pace.limit()) != position;
        let opened = self.queue.opened(position).filter(|_| !is_caught_up);
        opened.unwrap_or_else(clock::wall)
    }

    /// Moves a reader to a position in a segment, of which it knows now, and releases what no reader
    /// needs any more.
    #[inline]
    fn move_reader(&mut self, key: Key, position: Position, segment: u64) {
        let reader = &mut self.readers[key];
        let from = std::mem::replace(&mut reader.position, position);
        let reported = std::mem::replace(&mut reader.reported, segment);
        reader.beginning = Beginning::Reported;
        self.queue.advance(from, position);
        if reported != segment {
            self.segments.advance(reported, segment);
        }
    }
}
