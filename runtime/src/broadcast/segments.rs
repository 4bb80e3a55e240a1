use std::collections::VecDeque;
use std::time::SystemTime;

use super::concerned::{Concerned, Loss};
use crate::gap::{Gap, GapCause, Missed};
use crate::util::{Timestamp, clock};

/// What is known about a gap when the segment after it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GapStart {
    pub(crate) cause: GapCause,
    pub(crate) missed: Missed,
    /// A time at which nothing was missing yet: see [`Fence`](super::Fence).
    pub(crate) since: SystemTime,
}

/// The segments of a broadcast channel. Within a segment, nothing is lost on the connection;
/// between two segments lies a gap.
///
/// Segment 0 is the time before the first confirmation.
#[derive(Debug)]
pub(super) struct Segments {
    current: u64,
    /// When the first subscription of the current segment was confirmed, and once all are settled, when
    /// the last one was.
    live: Timestamp,
    /// Since when subscriptions have been missing that are not settled in the current segment. They may have
    /// been missing in those before it too.
    unsettled_since: Option<Timestamp>,
    /// How many readers know of the current segment.
    up_to_date: u32,
    /// How many readers know of no segment in the log.
    behind: u32,
    /// The segments whose beginning is not reported to every reader yet. The current one is the last. It
    /// is empty, and takes no memory, when every reader knows of the current one.
    log: VecDeque<Segment>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    /// The gap before it.
    before: GapStart,
    /// Which names that gap concerns.
    concerned: Concerned,
    /// See [`Segments::live`].
    live: Timestamp,
    /// For how many readers it is the last segment that they know of. Those of the current segment are
    /// not counted here.
    readers: u32,
}

impl Segments {
    pub(super) fn new() -> Self {
        Self {
            current: 0,
            live: Timestamp::MIN,
            unsettled_since: None,
            up_to_date: 0,
            behind: 0,
            log: VecDeque::new(),
        }
    }

    /// Returns the number of the current segment.
    #[inline]
    pub(super) fn current(&self) -> u64 {
        self.current
    }

    /// Begins a segment after the gap `before` of these names, and returns its number.
    ///
    /// If the current segment `is_unread`, the gap before it is merged with this one: a connection
    /// that flaps while a handler is busy is one gap. If not all subscriptions were settled in the current
    /// segment, those that were not have missed something since the gap before it.
    pub(super) fn begin(
        &mut self,
        mut before: GapStart,
        mut concerned: Concerned,
        is_unread: bool,
        are_settled: bool,
    ) -> u64 {
        if let Some(since) = self.unsettled_since {
            before.since = before.since.min(since.into());
        }
        self.unsettled_since = (!are_settled).then(|| before.since.into());
        let up_to_date = std::mem::take(&mut self.up_to_date);
        match self.log.back_mut() {
            Some(last) if is_unread => {
                before = merge(&last.before, &before);
                concerned.merge(std::mem::replace(&mut last.concerned, Concerned::All));
                self.log.pop_back();
            }
            Some(last) => last.readers = up_to_date,
            None => self.behind = up_to_date,
        }
        self.current += 1;
        self.live = clock::wall().into();
        if self.log.is_empty() {
            self.log.reserve_exact(1);
        }
        self.log.push_back(Segment {
            number: self.current,
            before,
            concerned,
            live: self.live,
            readers: 0,
        });
        self.release();
        self.current
    }

    /// Counts a reader that joins. It knows of the current segment.
    pub(super) fn enter(&mut self) {
        self.up_to_date += 1;
    }

    /// Counts a reader no more that knows of the segments up to `reported`.
    pub(super) fn leave(&mut self, reported: u64) {
        *self.readers_at(reported) -= 1;
        self.release();
    }

    /// Counts that reader as one that knows of more segments now.
    pub(super) fn advance(&mut self, from: u64, to: u64) {
        *self.readers_at(from) -= 1;
        *self.readers_at(to) += 1;
        self.release();
    }

    /// Returns whether some reader knows of the current segment.
    pub(super) fn is_current_known(&self) -> bool {
        self.up_to_date > 0
    }

    fn readers_at(&mut self, reported: u64) -> &mut u32 {
        if reported == self.current {
            return &mut self.up_to_date;
        }
        match self.find(reported) {
            Ok(at) => &mut self.log[at].readers,
            Err(_) => &mut self.behind,
        }
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.log
            .binary_search_by_key(&number, |segment| segment.number)
    }

    /// Records that every subscription is settled in the current segment.
    pub(super) fn settle(&mut self) {
        self.live = clock::wall().into();
        self.unsettled_since = None;
        if let Some(last) = self.log.back_mut() {
            last.live = self.live;
        }
    }

    /// Returns when a segment was live, if that is still known.
    pub(super) fn live(&self, number: u64) -> Option<SystemTime> {
        if number == self.current {
            return Some(self.live.into());
        }
        let found = self.find(number).ok();
        found.map(|at| self.log[at].live.into())
    }

    /// Returns the gap between the segments `reported` and `next`, and the `lag` of the reader in
    /// the same gap.
    pub(super) fn gap(&self, reported: u64, next: u64, lag: Option<Gap>) -> Loss {
        let mut between = self
            .log
            .iter()
            .filter(|segment| segment.number > reported && segment.number <= next);
        let first = between.next().expect("unreported segment is in the log");
        let (mut before, mut live) = (first.before, first.live);
        let mut concerned = first.concerned.clone();
        for segment in between {
            before = merge(&before, &segment.before);
            concerned.merge(segment.concerned.clone());
            live = segment.live;
        }
        let mut gap = Gap::new(before.cause, before.missed, before.since, live.into());
        if let Some(lag) = lag {
            gap.missed = match (gap.missed, lag.missed) {
                (Missed::Exactly(n), Missed::Exactly(lagged)) => Missed::Exactly(n + lagged),
                (_, Missed::Exactly(lagged)) => Missed::AtLeast(lagged),
                _ => Missed::Unknown,
            };
            // The reader may have lagged long before the connection was lost, and after it too.
            gap.since = gap.since.min(lag.since);
            gap.until = gap.until.max(lag.until);
            concerned = Concerned::All;
        }
        Loss { gap, concerned }
    }

    /// Merges the segments before `oldest`, of which no push is left, with the ones after them. Those
    /// that were the last one for some reader stay: its next gap begins behind them.
    ///
    /// Without this, a stuck handler's log would grow with each gap, though the pushes between the
    /// gaps are dropped.
    pub(super) fn merge_before(&mut self, oldest: u64) {
        let mut index = 0;
        while index + 1 < self.log.len() && self.log[index].number < oldest {
            if self.log[index].readers > 0 {
                index += 1;
            } else if let Some(gone) = self.log.remove(index) {
                let next = &mut self.log[index];
                next.before = merge(&gone.before, &next.before);
                next.concerned.merge(gone.concerned);
            }
        }
        if self.log.len() < self.log.capacity() / 8 {
            self.log.shrink_to(2 * self.log.len());
        }
    }

    /// Returns how much memory the segments hold besides the current one.
    pub(super) fn memory(&self) -> usize {
        let names = self.log.iter().map(|segment| segment.concerned.memory());
        self.log.len().saturating_sub(1) * size_of::<Segment>() + names.sum::<usize>()
    }

    /// Releases the segments whose beginning is reported to every reader.
    fn release(&mut self) {
        while self.behind == 0
            && let Some(known) = self.log.pop_front()
        {
            self.behind = known.readers;
        }
        if self.log.is_empty() {
            self.log = VecDeque::new();
        }
    }
}

/// Merges two gaps between which no push was read.
fn merge(first: &GapStart, second: &GapStart) -> GapStart {
    let missed = match (first.missed, second.missed) {
        (Missed::Exactly(0), missed) => missed,
        (Missed::Exactly(a), Missed::Exactly(b)) => Missed::Exactly(a + b),
        (Missed::AtMost(a), Missed::AtMost(b)) => Missed::AtMost(a + b),
        _ => Missed::Unknown,
    };
    let cause = match (first.cause, second.cause) {
        // Readers do not know the beginning of the stream yet, so they have lost nothing.
        (GapCause::Initial, _) => return *first,
        (GapCause::ConnectionLost, _) => GapCause::ConnectionLost,
        // It may be about messages that came before ones that were received.
        (GapCause::Bus, GapCause::Moved) => GapCause::Bus,
        // The names are confirmed again because of the lag.
        (GapCause::Lagged, GapCause::Resubscribed) => GapCause::Lagged,
        (_, cause) => cause,
    };
    GapStart {
        cause,
        missed,
        // Gaps of several nodes need not begin in the order in which they end.
        since: first.since.min(second.since),
    }
}
