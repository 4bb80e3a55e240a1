use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::{Feed, State};
use crate::util::MutexGuard;

/// How many pushes may come between a handler's message and its wake-up.
const MOST_UNWOKEN: u32 = 16_384;

/// On a link that brought nothing to wake for in this time, a handler is woken at once: there is
/// nothing to gather, and a turn of the scheduler would only add to its latency.
const QUIET: Duration = Duration::from_micros(100);

/// How often the scheduler gets a turn before a link that still brings pushes counts as flowing.
const TURNS: usize = 4;

/// How long, and how often, wake-ups are gathered on a flowing link.
const PAUSE: Duration = Duration::from_millis(1);

const MOST_PAUSES: usize = 3;

/// With so many messages for each handler that waits, a wake-up is worth its cost.
const MESSAGES_A_WAKING: usize = 4;

impl State {
    /// Whether there was nothing to wake for just before this. Costs no look at the clock: a push
    /// that wakes somebody has opened a batch, which reads it.
    fn was_quiet(&mut self) -> bool {
        let now = self.last_heard;
        let before = std::mem::replace(&mut self.last_waking, now);
        now.duration_since(before).is_ok_and(|pause| pause > QUIET)
    }

    fn is_worth_waking(&self) -> bool {
        self.unwoken as usize >= MESSAGES_A_WAKING * self.wakers.len()
    }
}

impl Feed {
    /// Wakes handlers a moment after their messages, for a link that brings pushes one by one.
    ///
    /// A wake-up costs about as much as a message, so it should be for many. On a [quiet](QUIET)
    /// link a handler is woken at once. Where pushes come close together, handlers are woken when
    /// the link has nothing more to bring; where they do not cease, after a few milliseconds. Never
    /// more than [`MOST_UNWOKEN`] pushes wait for it, and without this task (it has ended, in
    /// whatever way) none does.
    pub(crate) async fn keep_waking(self: Arc<Self>) {
        let _alive = Waking::begin(&self);
        loop {
            self.to_wake.notified().await;
            self.gather().await;
            self.wake(self.lock());
        }
    }

    async fn gather(&self) {
        let mut before = self.pushes_taken();
        let mut is_flowing = || {
            let now = self.pushes_taken();
            std::mem::replace(&mut before, now) != now
        };
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
            if !is_flowing() {
                return;
            }
        }
        // Turns without end would keep a core from the link and the handlers.
        for _ in 0..MOST_PAUSES {
            tokio::time::sleep(PAUSE).await;
            if !is_flowing() || self.lock().is_worth_waking() {
                return;
            }
        }
    }

    pub(super) fn wake_soon(&self, mut state: MutexGuard<'_, State>) {
        if state.wakers.is_empty() {
            state.is_urgent = false;
            return;
        }
        let is_quiet = state.unwoken == 0 && state.was_quiet();
        state.unwoken += 1;
        if is_quiet || !state.wakes_later || state.is_urgent || state.unwoken >= MOST_UNWOKEN {
            self.wake(state);
        } else if state.unwoken == 1 {
            drop(state);
            self.to_wake.notify_one();
        }
    }

    /// Unlocks, and wakes those who wait for what was appended: a waker may run code that comes
    /// back here.
    pub(super) fn wake(&self, mut state: MutexGuard<'_, State>) {
        state.unwoken = 0;
        state.is_urgent = false;
        if state.wakers.is_empty() {
            return;
        }
        let mut wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.drain(..).for_each(Waker::wake);
        let mut state = self.lock();
        if state.wakers.is_empty() {
            // The memory is used again.
            state.wakers = wakers;
        }
    }
}

/// Says that there is a task which wakes handlers, for as long as there is.
struct Waking<'f>(&'f Feed);

impl<'f> Waking<'f> {
    fn begin(feed: &'f Feed) -> Self {
        feed.lock().wakes_later = true;
        Self(feed)
    }
}

impl Drop for Waking<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.wakes_later = false;
        self.0.wake(state);
    }
}
