//! The broadcast channel between the feed and the handlers.

mod budget;
mod confirmations;
mod latest;
mod queue;
mod receiver;
mod segments;
mod state;

pub(crate) use budget::Budget;
pub use budget::Overflow;
pub(crate) use receiver::{BacklogMeter, Receiver};
pub(crate) use segments::GapStart;
pub(crate) use state::{Appended, Received};

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use crate::gap::{GapCause, Missed};
use crate::push::Batch;

use crate::util::{Mutex, MutexGuard, clock};
use confirmations::{Confirmations, Confirmed};
use queue::{Position, Queue};
use segments::Segments;
use state::{Backlog, ChannelState, Reader, Wait};

/// A bounded queue of batches that every handler with the same subscriptions and the same budget
/// reads, each from its own position.
///
/// The feed appends and never waits: what a reader is too slow for is dropped, counted in
/// messages, and told to that reader alone.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<ChannelState>,
}

impl Shared {
    /// Builds the ring of a list of `names` subscriptions.
    pub(crate) fn new(names: usize, budget: Budget) -> Self {
        Self {
            state: Mutex::new(ChannelState {
                queue: Queue::new(budget),
                segments: Segments::default(),
                confirmations: Confirmations::new(names),
                readers: Vec::new(),
                closed: false,
                wait: Wait::default(),
            }),
        }
    }

    /// Adds a reader, which gets everything that is appended from now on.
    pub(crate) fn subscribe(self: &Arc<Self>) -> Receiver {
        let mut state = self.lock();
        let end = state.queue.end();
        let position = Position {
            batch: 0,
            push: end,
        };
        // Most rings have one reader, and never another.
        state.readers.reserve_exact(1);
        state.readers.push(Reader {
            position,
            missed: 0,
            reported: 0,
            heard: clock::wall(),
            waker: None,
            left: None,
        });
        Receiver::new(Arc::clone(self), state.readers.len() - 1)
    }

    /// Appends a push that came by the subscription at `index` of the ring's list.
    ///
    /// Wakers of readers that wait are handed out, to be woken without a lock.
    pub(crate) fn append(
        &self,
        index: u32,
        channel: &[u8],
        payload: &[u8],
        wakers: &mut Vec<Waker>,
    ) -> Appended {
        self.lock().append(index, channel, payload, wakers)
    }

    /// Appends like [`append`](Self::append), unless it [should wait](Self::should_wait_for).
    pub(crate) fn append_or_wait(
        &self,
        index: u32,
        channel: &[u8],
        payload: &[u8],
        wakers: &mut Vec<Waker>,
    ) -> Option<Appended> {
        let mut state = self.lock();
        let waits = state.should_wait_for(channel.len() + payload.len());
        (!waits).then(|| state.append(index, channel, payload, wakers))
    }

    /// Whether a push of `bytes` would push out another one that a reader at work may still want.
    pub(crate) fn should_wait_for(&self, bytes: usize) -> bool {
        self.lock().should_wait_for(bytes)
    }

    /// Whether there is room again; if not, `waker` is woken when there is.
    ///
    /// An eighth of the budget has to be free, so that not each batch wakes the link.
    pub(crate) fn poll_room(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let has_room = state.queue.is_within(7) || state.closed;
        state.wait.feeder = (!has_room).then(|| waker.clone());
        has_room
    }

    /// Gives up waiting for the readers of this ring until half of it is free.
    pub(crate) fn stop_waiting(&self) {
        let mut state = self.lock();
        state.wait.is_abandoned = true;
        state.wait.feeder = None;
    }

    /// How many batches its readers have taken.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().wait.taken
    }

    /// Whether some reader has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        let mut here = state.readers.iter().filter(|reader| reader.left.is_none());
        here.any(|reader| state.queue.peek(reader.position).is_none())
    }

    /// How many bytes wait here.
    pub(crate) fn held_bytes(&self) -> usize {
        self.lock().queue.held_bytes()
    }

    /// Drops the oldest pushes until so many bytes are gone, or one push is left.
    pub(crate) fn shed(&self, bytes: usize) {
        self.lock().queue.shed(bytes);
    }

    /// Notes the confirmation of the subscription at `index`. The first one on a connection begins
    /// an episode behind the break `before`.
    pub(crate) fn confirm(
        &self,
        index: usize,
        generation: u64,
        before: GapStart,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.lock();
        state.confirmations.enter(generation, before.since);
        match state.confirmations.confirm(index) {
            Confirmed::First(since) if state.segments.current() > 0 => {
                state.begin_segment(GapStart { since, ..before });
            }
            // Whatever connections there were before, this ring has had nothing to lose yet.
            Confirmed::First(since) => state.begin_segment(GapStart {
                cause: GapCause::Initial,
                missed: Missed::Exactly(0),
                since,
            }),
            Confirmed::Again(since) => state.begin_segment(GapStart {
                cause: GapCause::Resubscribed,
                missed: Missed::Unknown,
                since,
            }),
            Confirmed::More => {}
        }
        state.settled(wakers);
    }

    /// Notes that the subscription at `index` is denied or was ended by the server, and that
    /// nothing has come by it since `since`.
    pub(crate) fn turn_off(
        &self,
        index: usize,
        generation: u64,
        before: GapStart,
        since: SystemTime,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.lock();
        state.confirmations.enter(generation, before.since);
        state.confirmations.turn_off(index, since);
        state.settled(wakers);
    }

    /// Tells a break on a connection that goes on, such as a lag before the feed.
    pub(crate) fn interrupt(&self, before: GapStart, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        if state.segments.current() > 0 {
            state.begin_segment(before);
            state.wake(wakers);
        }
    }

    /// Lets nothing more in; readers get what is there and then the end.
    pub(crate) fn close(&self, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.closed = true;
        wakers.extend(state.wait.feeder.take());
        state.wake(wakers);
    }

    fn poll(
        &self,
        reader: usize,
        done: &mut Option<Arc<Batch>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Received>> {
        let mut state = self.lock();
        if let Some(batch) = done.take() {
            state.queue.recycle(batch);
        }
        if let Some(item) = state.next(reader) {
            let feeder = state.take_feeder();
            drop(state);
            if let Some(feeder) = feeder {
                feeder.wake();
            }
            return Poll::Ready(Some(item));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.queue.rest();
        let waker = &mut state.readers[reader].waker;
        match waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn backlog(&self, reader: usize) -> Backlog {
        self.lock().backlog(reader)
    }

    fn position(&self, reader: usize) -> (u64, SystemTime) {
        let Reader {
            position,
            missed,
            heard,
            ..
        } = self.lock().readers[reader];
        (position.push - missed, heard)
    }

    fn unsubscribe(&self, reader: usize) {
        let mut state = self.lock();
        let backlog = state.backlog(reader);
        state.readers[reader].left = Some(backlog);
        state.readers[reader].waker = None;
        state.release();
        let feeder = state.take_feeder();
        drop(state);
        if let Some(feeder) = feeder {
            feeder.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, ChannelState> {
        // Nothing in here runs foreign code, so a poisoned ring is still a whole one.
        self.state.lock()
    }
}

#[cfg(test)]
pub(crate) mod tests;
