//! The broadcast channel between the dispatcher and the handlers.
//!
//! All handlers with the same subscriptions and the same [`Budget`] read from the same broadcast
//! channel, [`Shared`]. The dispatcher appends a push once; each handler reads it through a
//! [`Receiver`] of its own, at its own speed. Pushes are stored in batches, so a reader pays for
//! locks, wake-ups and reference counts by the batch and not by the push.
//!
//! # Batch, position, segment
//!
//! ```text
//!               segment 1                              segment 2
//!   --------------------------------- |gap| -------------------------------->
//!
//!                  batch 4    batch 5        batch 6     batch 7, the open tail
//!               +------------+--------+   +------------+-----------
//!   0 .... 11   |  x  13  14 | 15  16 |   | 17  18  19 | 20  21
//!   dropped     +------------+--------+   +------------+-----------
//!       ^             ^                     ^            ^       ^
//!       |             |                     |            |       |
//!    reader A      oldest = 13           reader B     reader C  end = 22
//!    at push 7                           at push 17   at push 20
//! ```
//!
//! - Pushes are numbered from 0 in the order of their arrival, including those that are dropped.
//! - A *batch* holds consecutive pushes in one buffer. Batches are numbered too. All but the last
//!   one are sealed and do not change any more. The last one is the open *tail*, to which pushes
//!   are appended. The tail is sealed when a reader receives it, when it is full, when a segment
//!   begins, and when the next number is left out. (`x` is push 12, which was dropped; its memory
//!   is released with its batch.)
//! - A *position* is the batch and the push that a reader receives next. Dropping a push does not
//!   touch the readers. What a reader has *missed* is found at its next read: the number of the
//!   first push that is still here, minus the number at its position. Reader A has missed
//!   13 - 7 = 6 pushes. It receives a gap of exactly 6, together with batch 4, of which it skips
//!   the first push.
//! - A *segment* is the pushes between two gaps: within a segment, nothing was lost on the
//!   connection. A batch lies in one segment. Segment 1 begins with the first confirmation. A new
//!   segment begins with the first confirmation on each new connection, when a subscription that
//!   was denied or ended is confirmed again, and when pushes were lost before they reached this
//!   channel. Reader B was last in segment 1, so it receives the gap before segment 2, together
//!   with batch 6.
//! - Reader C receives the tail, which seals it. Push 22 will open batch 8.
//!
//! # Overflow
//!
//! The [`Overflow`] policy of the budget:
//!
//! - `DropOldest` drops the oldest pushes when the buffer is full: the numbers before `oldest`.
//! - `DropNewest` does not store a push that does not fit, but the push still gets a number.
//! - `Latest` stores only the newest push of each Redis channel. A replaced push has no number.
//!
//! A `Latest` buffer has one reader. Its pushes wait in a [`LatestQueue`](latest::LatestQueue)
//! until the reader asks, and then become the tail one at a time. If there are more Redis channels
//! than the budget has room for, the push that has waited longest is dropped and does leave a
//! number out.
//!
//! One push is always accepted, however large it is. If all broadcast channels together exceed the
//! memory limit, the dispatcher drops the oldest pushes, whatever the policy. The wire link avoids
//! drops for a while: instead of appending to a full channel, it waits for room.
//!
//! # In and out
//!
//! `dispatch` appends pushes, and reports confirmations, ended subscriptions and losses. The wire
//! link asks for room. `delivery` receives a [`Received`] at a time, and gives each batch back when
//! it is delivered. The statistics read a [`BacklogMeter`].
//!
//! # Invariants
//!
//! - Appending never waits for a reader.
//! - A reader receives each push at most once and in order, and a gap before the first push after
//!   the gap. The pushes that it has received and those that it has missed add up to its position.
//! - The gap before a segment is held back until every subscription of the channel is confirmed or
//!   denied on the new connection, or the channel is closed.
//! - The tail's `Arc` has one owner until the tail is sealed.
//! - No waker is woken under the lock. The wakers of readers are moved to the dispatcher, which
//!   wakes them after it has released its own lock too.

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

/// The state that the dispatcher and all receivers of a broadcast channel share.
///
/// The dispatcher appends and never waits. If a reader is too slow, pushes are dropped before it
/// reads them. They are counted one by one, and reported as a gap to that reader alone.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<ChannelState>,
}

impl Shared {
    /// Creates the broadcast channel of a list of `names` subscriptions.
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

    /// Adds a reader. It receives everything that is appended from now on.
    ///
    /// All readers are added before the first push.
    pub(crate) fn subscribe(self: &Arc<Self>) -> Receiver {
        let mut state = self.lock();
        let end = state.queue.end();
        let position = Position {
            batch: 0,
            push: end,
        };
        // Most channels have one reader and never get another.
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

    /// Appends a push that arrived through the subscription at `index` of the channel's list.
    ///
    /// The wakers of waiting readers are moved to `wakers`. The caller wakes them without a lock.
    pub(crate) fn append(
        &self,
        index: u32,
        channel: &[u8],
        payload: &[u8],
        wakers: &mut Vec<Waker>,
    ) -> Appended {
        self.lock().append(index, channel, payload, wakers)
    }

    /// Like [`append`](Self::append), but returns `None` and appends nothing if the link
    /// [should wait](Self::should_wait_for).
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

    /// Returns whether the link should wait before it appends a push of `bytes`: otherwise a push
    /// would be dropped although the readers make progress.
    pub(crate) fn should_wait_for(&self, bytes: usize) -> bool {
        self.lock().should_wait_for(bytes)
    }

    /// Returns whether there is room again. If there is not, `waker` is woken when there is.
    ///
    /// There is room when an eighth of the budget is free, so that not every batch wakes the link.
    pub(crate) fn poll_room(&self, waker: &Waker) -> bool {
        let mut state = self.lock();
        let has_room = state.queue.is_within(7) || state.closed;
        state.wait.link = (!has_room).then(|| waker.clone());
        has_room
    }

    /// Stops the wait of the link. It does not wait for this channel again until half of the budget
    /// is free.
    pub(crate) fn stop_waiting(&self) {
        let mut state = self.lock();
        state.wait.is_abandoned = true;
        state.wait.link = None;
    }

    /// Returns a number that grows with each batch that a reader receives: a sign of progress.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().wait.taken
    }

    /// Returns whether some reader has nothing to read.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        let mut here = state.readers.iter().filter(|reader| reader.left.is_none());
        here.any(|reader| state.queue.peek(reader.position).is_none())
    }

    /// Returns how many bytes wait in the channel.
    pub(crate) fn held_bytes(&self) -> usize {
        self.lock().queue.held_bytes()
    }

    /// Drops the oldest pushes until `bytes` are released or one push is left.
    pub(crate) fn shed(&self, bytes: usize) {
        self.lock().queue.shed(bytes);
    }

    /// Records that the server has confirmed the subscription at `index`. The first confirmation of
    /// a generation begins a segment after the gap `before`.
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
            // Nothing was live on this channel before, so earlier connections have lost nothing.
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
        state.wake_if_settled(wakers);
    }

    /// Records that the subscription at `index` was denied or ended by the server, and that no push
    /// has arrived through it since `since`.
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
        state.wake_if_settled(wakers);
    }

    /// Begins a segment after a gap on a connection that stays up, such as a lag of an attached
    /// channel.
    pub(crate) fn interrupt(&self, before: GapStart, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        if state.segments.current() > 0 {
            state.begin_segment(before);
            state.collect_wakers(wakers);
        }
    }

    /// Closes the channel. Readers drain it, then see the end.
    pub(crate) fn close(&self, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.closed = true;
        wakers.extend(state.wait.link.take());
        state.collect_wakers(wakers);
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
        if let Some(received) = state.next(reader) {
            let link = state.note_progress();
            drop(state);
            if let Some(link) = link {
                link.wake();
            }
            return Poll::Ready(Some(received));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.queue.release_spare();
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
        let link = state.note_progress();
        drop(state);
        if let Some(link) = link {
            link.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, ChannelState> {
        self.state.lock()
    }
}

#[cfg(test)]
pub(crate) mod tests;
