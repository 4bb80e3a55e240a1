use std::time::SystemTime;

/// Which of a ring's subscriptions are live on the current connection.
#[derive(Debug)]
pub(super) struct Names {
    generation: u64,
    /// When the last push before this generation was heard.
    since: SystemTime,
    /// Since when a name has been off that the generations before left without confirmation.
    off_since: Option<SystemTime>,
    /// Whether one of them has been confirmed in this generation.
    live: bool,
    states: Vec<State>,
    unsettled: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Neither confirmed nor denied yet.
    Open,
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

impl Names {
    pub(super) fn new(count: usize) -> Self {
        Self {
            generation: 0,
            since: SystemTime::now(),
            off_since: None,
            live: false,
            states: vec![State::Open; count],
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
            State::Confirmed => None,
            State::Open => Some(self.since),
            State::Off(since) => Some(*since),
        });
        *self = Self {
            generation,
            since,
            off_since: off.chain(self.off_since).min(),
            ..Self::new(self.states.len())
        };
    }

    pub(super) fn confirm(&mut self, index: usize) -> Confirmed {
        let before = self.set(index, State::Confirmed);
        if !std::mem::replace(&mut self.live, true) {
            let since = self
                .off_since
                .take()
                .map_or(self.since, |off| off.min(self.since));
            return Confirmed::First(since);
        }
        match before {
            State::Off(since) => Confirmed::Again(since),
            State::Open | State::Confirmed => Confirmed::More,
        }
    }

    /// Notes that a name is denied, or was ended by the server, and that nothing has come by it
    /// since `since`.
    pub(super) fn turn_off(&mut self, index: usize, since: SystemTime) {
        if !matches!(self.states[index], State::Off(_)) {
            self.set(index, State::Off(since));
        }
    }

    /// Whether each name is confirmed or denied.
    pub(super) fn are_settled(&self) -> bool {
        self.unsettled == 0
    }

    fn set(&mut self, index: usize, state: State) -> State {
        let before = std::mem::replace(&mut self.states[index], state);
        if before == State::Open {
            self.unsettled -= 1;
        }
        before
    }
}
