use crate::util::clock;
use std::time::SystemTime;

/// Which of a ring's subscriptions are live on the current connection.
#[derive(Debug)]
pub(super) struct Confirmations {
    generation: u64,
    /// When the last push before this generation was heard.
    since: SystemTime,
    /// Since when a name has been off that the generations before left without confirmation.
    off_since: Option<SystemTime>,
    /// Whether one of them has been confirmed in this generation.
    live: bool,
    states: Vec<NameState>,
    unsettled: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameState {
    /// Neither confirmed nor denied on this connection.
    Pending,
    Confirmed,
    /// Denied, or ended by the server, and nothing heard by it since then.
    Off(SystemTime),
}

/// What a confirmation means to the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// The first one on this connection: a new episode, with a break since then.
    First(SystemTime),
    /// A name that had been off is live again: a new episode, with a break since then.
    Again(SystemTime),
    /// One more name of the episode that has begun.
    More,
}

impl Confirmations {
    pub(super) fn new(count: usize) -> Self {
        Self {
            generation: 0,
            since: clock::wall(),
            off_since: None,
            live: false,
            states: vec![NameState::Pending; count],
            unsettled: count,
        }
    }

    /// Enters a generation, before which the last push was heard at `since`.
    pub(super) fn enter(&mut self, generation: u64, since: SystemTime) {
        if self.generation == generation {
            return;
        }
        // A name that was never live in the generation that ended has been off for longer.
        let off = self.states.iter().filter_map(|state| match state {
            NameState::Confirmed => None,
            NameState::Pending => Some(self.since),
            NameState::Off(since) => Some(*since),
        });
        *self = Self {
            generation,
            since,
            off_since: off.chain(self.off_since).min(),
            ..Self::new(self.states.len())
        };
    }

    pub(super) fn confirm(&mut self, index: usize) -> Confirmed {
        let before = self.set(index, NameState::Confirmed);
        if !std::mem::replace(&mut self.live, true) {
            let since = self
                .off_since
                .take()
                .map_or(self.since, |off| off.min(self.since));
            return Confirmed::First(since);
        }
        match before {
            NameState::Off(since) => Confirmed::Again(since),
            NameState::Pending | NameState::Confirmed => Confirmed::More,
        }
    }

    /// Notes that a name is denied, or was ended by the server, and that nothing has come by it
    /// since `since`.
    pub(super) fn turn_off(&mut self, index: usize, since: SystemTime) {
        if !matches!(self.states[index], NameState::Off(_)) {
            self.set(index, NameState::Off(since));
        }
    }

    /// Whether each name is confirmed or denied.
    pub(super) fn are_settled(&self) -> bool {
        self.unsettled == 0
    }

    fn set(&mut self, index: usize, state: NameState) -> NameState {
        let before = std::mem::replace(&mut self.states[index], state);
        if before == NameState::Pending {
            self.unsettled -= 1;
        }
        before
    }
}
