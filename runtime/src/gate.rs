use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::sync::watch;

/// Where a handler's loop waits while it is paused.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Whether it is not open: what the loop asks before each delivery.
    shut: AtomicBool,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Paused,
    /// The subscriber ends: what waits behind a paused handler is not delivered.
    Over,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            shut: AtomicBool::new(false),
            state: watch::Sender::new(State::Open),
        }
    }
}

impl Gate {
    pub(crate) fn pause(&self) {
        self.change(State::Open, State::Paused);
    }

    pub(crate) fn resume(&self) {
        self.change(State::Paused, State::Open);
    }

    /// Ends a pause for good.
    pub(crate) fn end_pause(&self) {
        self.change(State::Paused, State::Over);
    }

    pub(crate) fn is_paused(&self) -> bool {
        *self.state.borrow() == State::Paused
    }

    /// Waits while it is paused, and says whether to go on.
    #[inline]
    pub(crate) async fn is_open_or_opens(&self) -> bool {
        !self.shut.load(Relaxed) || self.opens().await
    }

    async fn opens(&self) -> bool {
        let mut state = self.state.subscribe();
        let end = state.wait_for(|state| *state != State::Paused).await;
        end.is_ok_and(|state| *state == State::Open)
    }

    fn change(&self, from: State, to: State) {
        self.state.send_if_modified(|state| {
            let changes = *state == from;
            if changes {
                *state = to;
                self.shut.store(to != State::Open, Relaxed);
            }
            changes
        });
    }
}
