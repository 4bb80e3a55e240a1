use std::collections::VecDeque;
use std::time::SystemTime;

use crate::gap::{Gap, GapCause, Missed};
use crate::util::clock;

/// What is known of a break in the stream when the stream begins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GapStart {
    pub(crate) cause: GapCause,
    pub(crate) missed: Missed,
    /// When the last push before it was known to have arrived.
    pub(crate) since: SystemTime,
}

/// The episodes of a ring: within one, the wire loses nothing; between two lies a gap.
///
/// Episode 0 is the time before the first confirmation. The log keeps what some reader has yet to
/// be told.
#[derive(Debug, Default)]
pub(super) struct Segments {
    log: VecDeque<Segment>,
    current: u64,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    before: GapStart,
    /// When its first subscription was confirmed, later when the last one was.
    live: SystemTime,
}

impl Segments {
    pub(super) fn current(&self) -> u64 {
        self.current
    }

    /// Begins an episode behind a break. One that nobody has seen anything of (`unseen`) is made
    /// one with it: a connection that flaps while a handler is busy is one gap.
    pub(super) fn begin(&mut self, before: GapStart, unseen: bool) -> u64 {
        let mut before = before;
        if unseen && let Some(last) = self.log.pop_back() {
            before = merge(&last.before, &before);
        }
        self.current += 1;
        self.log.push_back(Segment {
            number: self.current,
            before,
            live: clock::wall(),
        });
        self.current
    }

    /// Says that every subscription of the current episode is confirmed or denied.
    pub(super) fn settle(&mut self) {
        if let Some(last) = self.log.back_mut() {
            last.live = clock::wall();
        }
    }

    /// The gap between the episodes `told` and `next`, with `lagged` pushes dropped beside it.
    pub(super) fn gap(&self, reported: u64, next: u64, lagged: u64) -> Gap {
        let mut between = self
            .log
            .iter()
            .filter(|segment| segment.number > reported && segment.number <= next);
        let first = between.next().expect("an episode that was not told yet");
        let (before, live) = between.fold((first.before, first.live), |(before, _), segment| {
            (merge(&before, &segment.before), segment.live)
        });
        let missed = match (before.missed, lagged) {
            (missed, 0) => missed,
            (Missed::Exactly(n), lagged) => Missed::Exactly(n + lagged),
            (_, lagged) => Missed::AtLeast(lagged),
        };
        Gap {
            cause: before.cause,
            missed,
            since: before.since,
            until: live,
        }
    }

    /// Forgets what every reader has been told: all up to `told`.
    pub(super) fn forget(&mut self, reported: u64) {
        while self
            .log
            .front()
            .is_some_and(|segment| segment.number <= reported && segment.number < self.current)
        {
            self.log.pop_front();
        }
    }
}

/// Two breaks with nothing heard between them are one.
fn merge(first: &GapStart, second: &GapStart) -> GapStart {
    let missed = match (first.missed, second.missed) {
        (Missed::Exactly(0), missed) => missed,
        (Missed::Exactly(a), Missed::Exactly(b)) => Missed::Exactly(a + b),
        (Missed::AtMost(a), Missed::AtMost(b)) => Missed::AtMost(a + b),
        _ => Missed::Unknown,
    };
    let cause = match (first.cause, second.cause) {
        // What was never told to begin has nothing to lose.
        (GapCause::Initial, _) => return *first,
        (GapCause::ConnectionLost, _) => GapCause::ConnectionLost,
        (_, cause) => cause,
    };
    GapStart {
        cause,
        missed,
        since: first.since,
    }
}
