//! When the dispatcher wakes handlers: at once, or a moment later for several pushes together.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use super::{DispatchState, Dispatcher};
use crate::util::MutexGuard;

/// The number of pushes after which gathered wake-ups are not delayed any longer.
const MAX_DELAYED: u32 = 16_384;

/// If no handler had to be woken for this long, the next one is woken at once: there is nothing to
/// gather, and a turn of the scheduler would only add latency.
const QUIET: Duration = Duration::from_micros(100);

/// How many turns the scheduler gets before a link that still brings pushes counts as flowing.
const TURNS: usize = 4;

/// How long wake-ups are gathered on a flowing link before the next look.
const PAUSE: Duration = Duration::from_millis(1);

/// The number of such pauses after which handlers are woken in any case.
const MAX_PAUSES: usize = 3;

/// With this many messages for each waiting handler, a wake-up is worth its cost.
const MESSAGES_PER_WAKEUP: usize = 4;

/// The wakers of handlers for which pushes were appended.
///
/// Functions that append to a broadcast channel pass the wakers of waiting readers up to here,
/// because a waker may run code that calls back: it must be woken without a lock.
#[derive(Debug)]
pub(super) struct Wakeups {
    /// Kept from push to push, so that waking costs no allocation.
    pub(super) wakers: Vec<Waker>,
    /// Whether a buffer fills up. Then waking is not delayed.
    pub(super) is_urgent: bool,
    /// How many pushes were accepted, one by one, since the first of these wakers was gathered.
    delayed_for: u32,
    /// Whether the task runs that wakes handlers a moment later.
    has_task: bool,
    /// When a handler last had to be woken.
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

    /// Returns whether no handler had to be woken just before `now`, and stores `now`.
    fn was_quiet(&mut self, now: SystemTime) -> bool {
        let before = std::mem::replace(&mut self.last, now);
        now.duration_since(before).is_ok_and(|pause| pause > QUIET)
    }

    /// Returns whether there are enough messages for each waiting handler.
    fn is_worth_waking(&self) -> bool {
        self.delayed_for as usize >= MESSAGES_PER_WAKEUP * self.wakers.len()
    }
}

impl Dispatcher {
    /// Wakes handlers a moment after their messages, for a link that passes pushes one by one.
    ///
    /// A wake-up costs about as much as a message, so one should serve many messages. On a
    /// [quiet](QUIET) link a handler is woken at once. If pushes arrive close together, handlers
    /// are woken when the link has no more of them; if the pushes do not stop, after a few
    /// milliseconds, and at the latest after [`MAX_DELAYED`] pushes. While this task is not
    /// running, handlers are woken at once.
    pub(crate) async fn keep_waking(self: Arc<Self>) {
        let _alive = Waking::begin(&self);
        loop {
            self.wake_later.notified().await;
            self.gather().await;
            self.wake(self.lock());
        }
    }

    /// Waits until the gathered wake-ups should be sent.
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
        // More turns would take a core from the link and the handlers.
        for _ in 0..MAX_PAUSES {
            tokio::time::sleep(PAUSE).await;
            if !is_flowing() || self.lock().wakeups.is_worth_waking() {
                return;
            }
        }
    }

    /// Unlocks, and wakes at once or lets the task wake a moment later.
    pub(super) fn wake_soon(&self, mut state: MutexGuard<'_, DispatchState>) {
        // The clock is not read here: a push that wakes a handler has opened a batch, which read
        // it.
        let now = state.last_heard;
        let wakeups = &mut state.wakeups;
        if wakeups.wakers.is_empty() {
            wakeups.is_urgent = false;
            return;
        }
        let is_quiet = wakeups.delayed_for == 0 && wakeups.was_quiet(now);
        wakeups.delayed_for += 1;
        let is_late = wakeups.delayed_for >= MAX_DELAYED;
        if is_quiet || is_late || wakeups.is_urgent || !wakeups.has_task {
            self.wake(state);
        } else if wakeups.delayed_for == 1 {
            drop(state);
            self.wake_later.notify_one();
        }
    }

    /// Unlocks, and wakes the readers that wait for the appended pushes.
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
            // Reuse the memory.
            wakeups.wakers = wakers;
        }
    }
}

/// Records that the task that wakes handlers is running, until it is dropped.
struct Waking<'d>(&'d Dispatcher);

impl<'d> Waking<'d> {
    fn begin(dispatcher: &'d Dispatcher) -> Self {
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
