use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use tokio::sync::Notify;

/// Pauses a handler's loop, and ends it.
#[derive(Debug, Default)]
pub(crate) struct PauseGate {
    state: AtomicU8,
    changed: Notify,
}

const OPEN: u8 = 0;
const PAUSED: u8 = 1;
/// Shutting down: the remaining messages are not delivered.
const OVER: u8 = 2;

impl PauseGate {
    pub(crate) fn pause(&self) {
        self.change(OPEN, PAUSED);
    }

    pub(crate) fn resume(&self) {
        self.change(PAUSED, OPEN);
    }

    /// Ends the loop if it is paused. Does nothing if the gate is open.
    pub(crate) fn end_pause(&self) {
        self.change(PAUSED, OVER);
    }

    /// Ends the loop: no further delivery begins.
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

    /// Waits while the gate is paused. Returns whether the loop should continue.
    #[inline]
    pub(crate) async fn wait_until_open(&self) -> bool {
        self.state.load(SeqCst) == OPEN || Box::pin(self.opened()).await
    }

    async fn opened(&self) -> bool {
        loop {
            // Created before the state is read, so that no change in between is missed.
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
