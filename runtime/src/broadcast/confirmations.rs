//! The state of each subscription of a broadcast channel on the current connection.
//!
//! The dispatcher stores that a name is confirmed too (`dispatch::SubscriptionState`), but a reader
//! must know whether its names are settled without taking the dispatcher's lock, and each broadcast
//! channel must know since when one of its names was off.

use std::time::SystemTime;

use crate::util::{Few, Timestamp, clock};

/// Which subscriptions of a broadcast channel are live on the current connection.
#[derive(Debug)]
pub(super) struct Confirmations {
    generation: u64,
    /// When the last push before this generation arrived.
    since: Timestamp,
    /// Since when a name has been off that was not confirmed when an earlier generation ended.
    off_since: Option<Timestamp>,
    states: Few<NameState>,
    /// How many names are pending.
    unsettled: u32,
    /// Whether a name has been confirmed in this generation.
    live: bool,
}

/// The state of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameState {
    /// Neither confirmed nor denied on this connection.
    Pending,
    Confirmed,
    /// Denied or ended by the server. No push has arrived through it since then.
    Off(Timestamp),
}

/// What a confirmation means for the broadcast channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// The first one on this connection: a segment begins, after a gap since this time.
    First(SystemTime),
    /// A name that was off is live again: a segment begins, after a gap since this time.
    Again(SystemTime),
    /// One more name of the segment that has begun.
    More,
}

impl Confirmations {
    pub(super) fn new(count: usize) -> Self {
        Self {
            generation: 0,
            since: clock::wall().into(),
            off_since: None,
            states: std::iter::repeat_n(NameState::Pending, count).collect(),
            unsettled: u32::try_from(count).expect("no list has 2^32 subscriptions"),
            live: false,
        }
    }

    /// Returns the generation that was entered last.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Enters a generation. The last push before it arrived at `since`.
    pub(super) fn enter(&mut self, generation: u64, since: SystemTime) {
        if self.generation == generation {
            return;
        }
        // A name that was never live in the generation that ended was off even before it.
        let off = self.states.iter().filter_map(|state| match state {
            NameState::Confirmed => None,
            NameState::Pending => Some(self.since),
            NameState::Off(since) => Some(*since),
        });
        *self = Self {
            generation,
            since: since.into(),
            off_since: off.chain(self.off_since).min(),
            ..Self::new(self.states.len())
        };
    }

    /// Records that the name at `index` is confirmed.
    pub(super) fn confirm(&mut self, index: usize) -> Confirmed {
        let before = self.set(index, NameState::Confirmed);
        if !std::mem::replace(&mut self.live, true) {
            let since = self
                .off_since
                .take()
                .map_or(self.since, |off| off.min(self.since));
            return Confirmed::First(since.into());
        }
        match before {
            NameState::Off(since) => Confirmed::Again(since.into()),
            NameState::Pending | NameState::Confirmed => Confirmed::More,
        }
    }

    /// Records that the name at `index` was denied or ended by the server, and that no push has
    /// arrived through it since `since`.
    pub(super) fn turn_off(&mut self, index: usize, since: SystemTime) {
        if !matches!(self.states[index], NameState::Off(_)) {
            self.set(index, NameState::Off(since.into()));
        }
    }

    /// Records that any name may have been off since then.
    pub(super) fn doubt(&mut self, since: SystemTime) {
        for state in &mut *self.states {
            if *state == NameState::Confirmed {
                *state = NameState::Off(since.into());
            }
        }
    }

    /// Returns whether every name is settled: confirmed, denied or ended.
    #[inline]
    pub(super) fn are_settled(&self) -> bool {
        self.unsettled == 0
    }

    /// Returns whether every name is confirmed in a generation.
    pub(super) fn are_confirmed_in(&self, generation: u64) -> bool {
        let confirmed = |state: &NameState| *state == NameState::Confirmed;
        self.generation == generation && self.states.iter().all(confirmed)
    }

    /// Sets the state of a name, and returns the previous one.
    fn set(&mut self, index: usize, state: NameState) -> NameState {
        let before = std::mem::replace(&mut self.states[index], state);
        if before == NameState::Pending {
            self.unsettled -= 1;
        }
        before
    }
}
