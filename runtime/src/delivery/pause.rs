use std::future::poll_fn;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::util::{AtomicU64, Mutex};

/// Holds a handler's loop and its workers back: during a pause, while a resync is requested, and at
/// the end for good.
#[derive(Debug, Default)]
pub(crate) struct PauseGate {
    /// The phase in the lowest two bits, and above them how many requests for a resync are not served
    /// yet. One word, so that a delivery pays for one load: 0 lets it begin.
    state: AtomicU64,
    changed: Notify,
    /// Wakes the loop when a resync is due. The loop waits for one along with all it waits for, so this
    /// has to cost less than a place in a list of waiters.
    waker: Mutex<Option<Waker>>,
}

const OPEN: u64 = 0;
const PAUSED: u64 = 1;
/// Shutting down: the remaining messages are not delivered.
const OVER: u64 = 2;

/// The bits of the phase.
const PHASE: u64 = 0b11;
/// One request.
const REQUEST: u64 = PHASE + 1;

/// What the loop does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Deliver,
    /// It runs the gap handler, because a resync is requested.
    Resync,
    End,
}

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
        self.update(|state| Some(state & !PHASE | OVER));
    }

    /// Requests a resync: no delivery begins before it is served.
    pub(crate) fn request_resync(&self) {
        self.state.fetch_add(REQUEST, SeqCst);
        self.notify();
    }

    /// Returns how many requests are not served yet.
    pub(crate) fn requests(&self) -> u64 {
        self.state.load(SeqCst) / REQUEST
    }

    /// Records that a run of the gap handler has served this many requests: those that were made
    /// before it began.
    pub(crate) fn served(&self, requests: u64) {
        self.state.fetch_sub(requests * REQUEST, SeqCst);
        self.notify();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.load(SeqCst) & PHASE == OVER
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.state.load(SeqCst) & PHASE == PAUSED
    }

    /// Returns whether a delivery may begin.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.state.load(SeqCst) == OPEN
    }

    /// Returns whether the loop should run the gap handler. It does not during a pause.
    pub(crate) fn is_resync_due(&self) -> bool {
        self.turn_now() == Some(Turn::Resync)
    }

    /// Waits while the gate is paused, and returns what the loop does next.
    pub(crate) async fn turn(&self) -> Turn {
        self.until(Self::turn_now).await
    }

    /// Waits until [a resync is due](Self::is_resync_due). Only the loop may wait for this.
    pub(crate) async fn resync_due(&self) {
        poll_fn(|cx| self.poll_resync_due(cx)).await;
    }

    /// Does the same, for a wait that is not a future of its own.
    pub(crate) fn poll_resync_due(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut waker = self.waker.lock();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        drop(waker);
        // Read after the waker is in its place, so that no request in between is missed.
        if self.is_resync_due() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Waits until a delivery may begin. Returns `false` if none may any more.
    pub(crate) async fn opened(&self) -> bool {
        self.until(|gate| match gate.turn_now()? {
            Turn::Deliver => Some(true),
            Turn::Resync => None,
            Turn::End => Some(false),
        })
        .await
    }

    /// Waits for the end: no further delivery begins.
    pub(super) async fn over(&self) {
        self.until(|gate| gate.is_over().then_some(())).await;
    }

    /// Returns what the loop does next; `None` during a pause.
    fn turn_now(&self) -> Option<Turn> {
        let state = self.state.load(SeqCst);
        match state & PHASE {
            PAUSED => None,
            OVER => Some(Turn::End),
            _ if state >= REQUEST => Some(Turn::Resync),
            _ => Some(Turn::Deliver),
        }
    }

    /// Reads the state until `read` returns a value, and waits for a change in between.
    async fn until<T>(&self, read: impl Fn(&Self) -> Option<T>) -> T {
        loop {
            // Created before the state is read, so that no change in between is missed.
            let changed = self.changed.notified();
            if let Some(value) = read(self) {
                return value;
            }
            changed.await;
        }
    }

    fn change(&self, from: u64, to: u64) {
        self.update(|state| (state & PHASE == from).then_some(state & !PHASE | to));
    }

    fn update(&self, change: impl Fn(u64) -> Option<u64>) {
        if self.state.fetch_update(SeqCst, SeqCst, change).is_ok() {
            self.notify();
        }
    }

    fn notify(&self) {
        self.changed.notify_waiters();
        if self.is_resync_due() {
            let waker = self.waker.lock().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_served_in_one_and_later_ones_remain() {
        let gate = PauseGate::default();
        assert_eq!(gate.turn_now(), Some(Turn::Deliver));
        gate.request_resync();
        gate.request_resync();
        assert_eq!(gate.turn_now(), Some(Turn::Resync));
        let begun = gate.requests();
        gate.request_resync();
        gate.served(begun);
        assert_eq!((gate.requests(), gate.turn_now()), (1, Some(Turn::Resync)));
        gate.served(1);
        assert!(gate.is_open());
    }

    #[test]
    fn a_pause_holds_requests_and_the_end_leaves_them() {
        let gate = PauseGate::default();
        gate.request_resync();
        gate.pause();
        assert!(gate.is_paused() && !gate.is_resync_due());
        assert_eq!(gate.turn_now(), None);
        gate.resume();
        assert_eq!(gate.turn_now(), Some(Turn::Resync));
        gate.pause();
        gate.end_pause();
        assert_eq!(gate.turn_now(), Some(Turn::End));
        gate.resume();
        gate.end();
        assert!(gate.is_over() && !gate.is_open());
        assert_eq!(gate.requests(), 1);
    }
}

#[cfg(all(test, shuttle))]
mod model {
    use std::sync::Arc;

    use shuttle::thread;

    use super::*;
    use crate::util::model::{block_on, check};

    #[test]
    fn a_request_wakes_the_loop_also_at_the_end_of_a_pause() {
        check(3, || {
            let gate = Arc::new(PauseGate::default());
            let requesting = {
                let gate = Arc::clone(&gate);
                thread::spawn(move || {
                    gate.request_resync();
                    gate.request_resync();
                })
            };
            gate.pause();
            let resuming = {
                let gate = Arc::clone(&gate);
                thread::spawn(move || gate.resume())
            };
            let mut served = 0;
            while served < 2 {
                block_on(gate.resync_due());
                let requests = gate.requests();
                gate.served(requests);
                served += requests;
            }
            assert_eq!(served, 2);
            requesting.join().expect("it returns");
            resuming.join().expect("it returns");
            assert!(gate.is_open());
        });
    }
}
