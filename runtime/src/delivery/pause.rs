use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use tokio::sync::Notify;

/// Where a handler's loop waits while it is paused, and sees that it is over.
#[derive(Debug, Default)]
pub(crate) struct PauseGate {
    state: AtomicU8,
    changed: Notify,
}

const OPEN: u8 = 0;

const PAUSED: u8 = 1;

/// The subscriber ends: what is left is not delivered.
const OVER: u8 = 2;

impl PauseGate {
    pub(crate) fn pause(&self) {
        self.change(OPEN, PAUSED);
    }

    pub(crate) fn resume(&self) {
        self.change(PAUSED, OPEN);
    }

    /// Ends a pause for good.
    pub(crate) fn end_pause(&self) {
        self.change(PAUSED, OVER);
    }

    /// Lets no further delivery begin.
    pub(crate) fn end(&self) {
        self.state.store(OVER, SeqCst);
        self.changed.notify_waiters();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.load(SeqCst) == OVER
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state.load(SeqCst) == PAUSED
    }

    /// Waits while it is paused, and says whether to go on.
    #[inline]
    pub(crate) async fn wait_until_open(&self) -> bool {
        self.state.load(SeqCst) == OPEN || Box::pin(self.opens()).await
    }

    async fn opens(&self) -> bool {
        loop {
            // Before the look at the state, so that no change in between is missed.
            let changed = self.changed.notified();
            match self.state.load(SeqCst) {
                PAUSED => changed.await,
                state => return state == OPEN,
            }
        }
    }

    fn change(&self, from: u8, to: u8) {
        if self
            .state
            .compare_exchange(from, to, SeqCst, SeqCst)
            .is_ok()
        {
            self.changed.notify_waiters();
        }
    }
}
