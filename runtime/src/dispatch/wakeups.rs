use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use super::{DispatchState, Dispatcher};
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

/// Handlers to wake for what was appended.
///
/// What appends to a broadcast channel hands the wakers of waiting readers up to here, through each
/// function on the way, because a waker may run code that comes back: it must be called without a
/// lock.
#[derive(Debug)]
pub(super) struct Wakeups {
    /// Kept from push to push, so that waking costs no allocation.
    pub(super) wakers: Vec<Waker>,
    /// Whether a buffer fills up: then waking is not delayed.
    pub(super) is_urgent: bool,
    /// How many pushes have come since a handler is to be woken.
    delayed_for: u32,
    /// Whether a task runs that wakes after a moment.
    has_task: bool,
    /// When a handler was last to be woken.
    last: SystemTime,
}

impl Wakeups {
    pub(super) fn new(now: SystemTime) -> Self {
        Self {
            wakers: Vec::new(),
            is_urgent: false,
            delayed_for: 0,
            has_task: false,
            last: now,
        }
    }

    /// Whether there was nothing to wake for just before `now`.
    fn was_quiet(&mut self, now: SystemTime) -> bool {
        let before = std::mem::replace(&mut self.last, now);
        now.duration_since(before).is_ok_and(|pause| pause > QUIET)
    }

    fn is_worth_waking(&self) -> bool {
        self.delayed_for as usize >= MESSAGES_A_WAKING * self.wakers.len()
    }
}

impl Dispatcher {
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
            if !is_flowing() || self.lock().wakeups.is_worth_waking() {
                return;
            }
        }
    }

    /// Unlocks, and wakes at once or has the task wake after a moment.
    pub(super) fn wake_soon(&self, mut state: MutexGuard<'_, DispatchState>) {
        // No look at the clock: a push that wakes a handler has opened a batch, which reads it.
        let now = state.last_heard;
        let wakeups = &mut state.wakeups;
        if wakeups.wakers.is_empty() {
            wakeups.is_urgent = false;
            return;
        }
        let is_quiet = wakeups.delayed_for == 0 && wakeups.was_quiet(now);
        wakeups.delayed_for += 1;
        let is_late = wakeups.delayed_for >= MOST_UNWOKEN;
        if is_quiet || is_late || wakeups.is_urgent || !wakeups.has_task {
            self.wake(state);
        } else if wakeups.delayed_for == 1 {
            drop(state);
            self.to_wake.notify_one();
        }
    }

    /// Unlocks, and wakes those who wait for what was appended.
    pub(super) fn wake(&self, mut state: MutexGuard<'_, DispatchState>) {
        let wakeups = &mut state.wakeups;
        wakeups.delayed_for = 0;
        wakeups.is_urgent = false;
        if wakeups.wakers.is_empty() {
            return;
        }
        let mut wakers = std::mem::take(&mut wakeups.wakers);
        drop(state);
        wakers.drain(..).for_each(Waker::wake);
        let wakeups = &mut self.lock().wakeups;
        if wakeups.wakers.is_empty() {
            // The memory is used again.
            wakeups.wakers = wakers;
        }
    }
}

/// Says that there is a task which wakes handlers, for as long as there is.
struct Waking<'f>(&'f Dispatcher);

impl<'f> Waking<'f> {
    fn begin(dispatcher: &'f Dispatcher) -> Self {
        dispatcher.lock().wakeups.has_task = true;
        Self(dispatcher)
    }
}

impl Drop for Waking<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.wakeups.has_task = false;
        self.0.wake(state);
    }
}
