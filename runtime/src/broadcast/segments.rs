use std::collections::VecDeque;
use std::time::SystemTime;

use crate::gap::{Gap, GapCause, Missed};
use crate::util::clock;

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
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// The segments whose beginning is not reported to every reader yet, and the current one.
    log: VecDeque<Segment>,
    current: u64,
    /// How many readers know of no segment in the log.
    behind: usize,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    /// The gap before it.
    before: GapStart,
    /// When its first subscription was confirmed, and once all are settled, when the last one was.
    live: SystemTime,
    /// For how many readers it is the last segment that they know of.
    readers: usize,
}

impl Segments {
    /// Returns the number of the current segment.
    pub(super) fn current(&self) -> u64 {
        self.current
    }

    /// Begins a segment after the gap `before`, and returns its number.
    ///
    /// If the current segment `is_unread`, the gap before it is merged with this one: a connection
    /// that flaps while a handler is busy is one gap.
    pub(super) fn begin(&mut self, mut before: GapStart, is_unread: bool) -> u64 {
        if is_unread && let Some(last) = self.log.pop_back() {
            before = merge(&last.before, &before);
        }
        self.current += 1;
        if self.log.is_empty() {
            self.log.reserve_exact(1);
        }
        self.log.push_back(Segment {
            number: self.current,
            before,
            live: clock::wall(),
            readers: 0,
        });
        self.current
    }

    /// Counts a reader that knows of the segments up to `reported`.
    pub(super) fn enter(&mut self, reported: u64) {
        *self.readers_at(reported) += 1;
    }

    /// Counts that reader no more.
    pub(super) fn leave(&mut self, reported: u64) {
        *self.readers_at(reported) -= 1;
        self.release();
    }

    /// Counts a reader that knows of more segments now.
    pub(super) fn advance(&mut self, from: u64, to: u64) {
        *self.readers_at(from) -= 1;
        *self.readers_at(to) += 1;
        self.release();
    }

    /// Returns whether some reader knows of the current segment.
    pub(super) fn is_current_known(&self) -> bool {
        self.log.back().is_some_and(|last| last.readers > 0)
    }

    fn readers_at(&mut self, reported: u64) -> &mut usize {
        let found = self
            .log
            .binary_search_by_key(&reported, |segment| segment.number);
        match found {
            Ok(at) => &mut self.log[at].readers,
            Err(_) => &mut self.behind,
        }
    }

    /// Records that every subscription is settled in the current segment.
    pub(super) fn settle(&mut self) {
        if let Some(last) = self.log.back_mut() {
            last.live = clock::wall();
        }
    }

    /// Returns when a segment was live, if that is still known.
    pub(super) fn live(&self, number: u64) -> Option<SystemTime> {
        let found = self
            .log
            .binary_search_by_key(&number, |segment| segment.number);
        found.ok().map(|at| self.log[at].live)
    }

    /// Returns the gap between the segments `reported` and `next`, and the `lag` of the reader in
    /// the same gap.
    pub(super) fn gap(&self, reported: u64, next: u64, lag: Option<Gap>) -> Gap {
        let mut between = self
            .log
            .iter()
            .filter(|segment| segment.number > reported && segment.number <= next);
        let first = between.next().expect("unreported segment is in the log");
        let (before, live) = between.fold((first.before, first.live), |(before, _), segment| {
            (merge(&before, &segment.before), segment.live)
        });
        let gap = Gap {
            cause: before.cause,
            missed: before.missed,
            since: before.since,
            until: live,
        };
        let Some(lag) = lag else { return gap };
        Gap {
            missed: match (gap.missed, lag.missed) {
                (Missed::Exactly(n), Missed::Exactly(lagged)) => Missed::Exactly(n + lagged),
                (_, Missed::Exactly(lagged)) => Missed::AtLeast(lagged),
                _ => Missed::Unknown,
            },
            // The reader may have lagged long before the connection was lost, and after it too.
            since: gap.since.min(lag.since),
            until: gap.until.max(lag.until),
            ..gap
        }
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
            }
        }
        if self.log.len() < self.log.capacity() / 8 {
            self.log.shrink_to(2 * self.log.len());
        }
    }

    /// Returns how much memory the segments hold besides the current one.
    pub(super) fn memory(&self) -> usize {
        self.log.len().saturating_sub(1) * size_of::<Segment>()
    }

    /// Releases the segments whose beginning is reported to every reader.
    fn release(&mut self) {
        while self.behind == 0
            && self
                .log
                .front()
                .is_some_and(|segment| segment.number < self.current)
            && let Some(known) = self.log.pop_front()
        {
            self.behind = known.readers;
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
        // The names are confirmed again because of the lag.
        (GapCause::Lagged, GapCause::Resubscribed) => GapCause::Lagged,
        (_, cause) => cause,
    };
    GapStart {
        cause,
        missed,
        since: first.since,
    }
}
