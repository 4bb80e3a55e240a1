//! When the dispatcher wakes readers: at once, or a moment later for several pushes together; and many
//! readers a part at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use super::{DispatchState, Dispatcher};
use crate::broadcast::Crowd;
use crate::util::{MutexGuard, step_back};

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

/// How many readers are woken in one go. More than that are a crowd: to wake all of it would hold up
/// the link.
const MAX_AT_ONCE: usize = Crowd::MORE_THAN;

/// How often the task lets others run while the dispatcher is locked, before it waits for the lock on its thread.
const MAX_STEPS_BACK: usize = 32;

/// The capacity of a list of wakers that is kept for the next ones.
const MAX_KEPT: usize = 1024;

/// The wakers of handlers for which pushes were appended.
///
/// Functions that append to a broadcast channel pass the wakers of waiting readers up to here,
/// because a waker may run code that calls back: it must be woken without a lock.
#[derive(Debug)]
pub(super) struct Wakeups {
    /// Kept from push to push, so that waking costs no allocation.
    pub(super) wakers: Vec<Waker>,
    /// An empty list for the next wakers, while a crowd is woken.
    spare: Vec<Waker>,
    /// Whether a buffer fills up. Then waking is not delayed.
    pub(super) is_urgent: bool,
    /// Whether there are so many wakers that the task has to wake them. Then it gathers no more.
    is_crowd: bool,
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
            spare: Vec::new(),
            is_urgent: false,
            is_crowd: false,
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

    #[cfg(test)]
    pub(super) fn has_task(&self) -> bool {
        self.has_task
    }

    /// Returns whether a crowd waits, or there are enough messages for each waiting handler.
    fn is_worth_waking(&self) -> bool {
        self.is_crowd || self.delayed_for as usize >= MESSAGES_PER_WAKEUP * self.wakers.len()
    }

    /// Takes the wakers of a crowd, which the task wakes in several parts. Returns `None` if no crowd waits.
    ///
    /// Those of readers that wait again meanwhile are in the next crowd, so everybody gets a turn.
    fn take_crowd(&mut self) -> Option<Vec<Waker>> {
        if !std::mem::take(&mut self.is_crowd) {
            return None;
        }
        self.delayed_for = 0;
        self.is_urgent = false;
        let spare = std::mem::take(&mut self.spare);
        Some(std::mem::replace(&mut self.wakers, spare))
    }

    /// Gives the list of a crowd back, with the wakers that are left. Returns whether there are any.
    fn put_back(&mut self, mut crowd: Vec<Waker>) -> bool {
        let are_left = !crowd.is_empty();
        self.wakers.append(&mut crowd);
        if crowd.capacity() <= MAX_KEPT {
            self.spare = crowd;
        }
        are_left
    }
}

impl Dispatcher {
    /// Wakes handlers a moment after their messages, for a link that passes pushes one by one.
    ///
    /// A wake-up costs about as much as a message, so one should serve many messages. On a
    /// [quiet](QUIET) link a handler is woken at once. If pushes arrive close together, handlers
    /// are woken when the link has no more of them; if the pushes do not stop, after a few
    /// milliseconds, and at the latest after [`MAX_DELAYED`] pushes.
    ///
    /// A crowd is always woken here, a part at a time: one name may have many thousands of streams. While
    /// this task is not running, everybody is woken at once.
    pub(crate) async fn keep_waking(self: Arc<Self>) {
        let _alive = Waking::begin(&self);
        loop {
            self.wake_later.notified().await;
            self.until_unlocked().await;
            if !self.lock().wakeups.is_crowd {
                self.gather().await;
                self.wake(self.lock());
            }
            self.wake_crowd().await;
        }
    }

    /// Wakes the readers of a crowd, if there is one, and lets other tasks run in between.
    async fn wake_crowd(&self) {
        let Some(mut underway) = Underway::begin(self) else {
            return;
        };
        while underway.wake_part() {
            // Not behind what the woken readers do on this thread.
            step_back().await;
        }
        self.until_unlocked().await;
    }

    /// Lets other tasks of the thread run while a link holds the lock, which may take a millisecond. Then this one
    /// may block the thread for the rest of that time.
    async fn until_unlocked(&self) {
        for _ in 0..MAX_STEPS_BACK {
            if !self.state.is_locked() {
                return;
            }
            step_back().await;
        }
    }

    /// Waits until the gathered wake-ups should be sent.
    async fn gather(&self) {
        let mut before = self.stats().pushes;
        let mut is_flowing = || {
            let now = self.stats().pushes;
            std::mem::replace(&mut before, now) != now
        };
        for _ in 0..TURNS {
            step_back().await;
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

    /// Unlocks, and wakes the readers that wait for the appended pushes. A crowd is left to the task.
    pub(super) fn wake(&self, mut state: MutexGuard<'_, DispatchState>) {
        let wakeups = &mut state.wakeups;
        wakeups.delayed_for = 0;
        wakeups.is_urgent = false;
        if wakeups.wakers.is_empty() {
            return;
        }
        if wakeups.has_task && wakeups.wakers.len() > MAX_AT_ONCE {
            wakeups.is_crowd = true;
            drop(state);
            return self.wake_later.notify_one();
        }
        let mut wakers = std::mem::take(&mut wakeups.wakers);
        drop(state);
        wakers.drain(..).for_each(Waker::wake);
        let wakeups = &mut self.lock().wakeups;
        if wakeups.wakers.is_empty() && wakers.capacity() <= MAX_KEPT {
            // Reuse the memory.
            wakeups.wakers = wakers;
        }
    }
}

/// Records that a crowd is woken, until it is dropped. Then those are the next who have waited for that.
struct Underway<'d> {
    dispatcher: &'d Dispatcher,
    /// Those who are not awake yet, in the order of their messages.
    crowd: VecDeque<Waker>,
}

impl<'d> Underway<'d> {
    /// Takes the next crowd. Returns `None` if there is none.
    fn begin(dispatcher: &'d Dispatcher) -> Option<Self> {
        let mut state = dispatcher.lock();
        let crowd = state.wakeups.take_crowd()?;
        state.routes.common.crowd.begin();
        Some(Self {
            dispatcher,
            crowd: crowd.into(),
        })
    }

    /// Wakes the next part of the crowd, without the dispatcher's lock. Returns false if all are awake.
    fn wake_part(&mut self) -> bool {
        let is_any = !self.crowd.is_empty();
        for _ in 0..MAX_AT_ONCE {
            // One by one: if one panics, the others are put back.
            let Some(waker) = self.crowd.pop_front() else {
                break;
            };
            waker.wake();
        }
        is_any
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        let crowd = std::mem::take(&mut self.crowd).into();
        let mut state = self.dispatcher.lock();
        let DispatchState {
            routes, wakeups, ..
        } = &mut *state;
        let are_left = wakeups.put_back(crowd);
        let have_waited = routes.common.crowd.end(&mut wakeups.wakers);
        if are_left || have_waited {
            self.dispatcher.wake(state);
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
        let wakeups = &mut state.wakeups;
        wakeups.has_task = false;
        wakeups.is_crowd = false;
        self.0.wake(state);
    }
}
