//! What the dispatcher does to a broadcast channel. `receiver` has what readers do.

use std::sync::Arc;
use std::task::Waker;

use super::budget::{Budget, Held};
use super::common::Common;
use super::confirmations::Confirmations;
use super::open::{OpenBatch, Outlook};
use super::queue::Queue;
use super::readers::Readers;
use super::segments::Segments;
use super::state::{Appended, ChannelState, CrowdState, Entered};
use crate::push::{Generation, Page};
use crate::util::{Mutex, MutexGuard, clock};

/// The state that the dispatcher and all receivers of a broadcast channel share.
///
/// The dispatcher appends and never waits. If a reader is too slow, pushes are dropped before it
/// reads them. They are counted one by one, and reported as a gap to that reader alone.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<ChannelState>,
    outlook: Outlook,
}

impl Shared {
    /// Creates the broadcast channel of a list of `names` subscriptions.
    pub(crate) fn new(names: usize, budget: Budget) -> Self {
        Self {
            state: Mutex::new(ChannelState {
                queue: Queue::new(budget),
                segments: Segments::new(),
                confirmations: Confirmations::new(names),
                readers: Readers::default(),
                wait: Some(Box::default()),
                closed: false,
                crowd: CrowdState::default(),
            }),
            outlook: Outlook::default(),
        }
    }

    /// Creates the broadcast channel of streams, in a generation. The link never waits for them.
    pub(crate) fn for_streams(names: usize, budget: Budget, generation: Generation) -> Self {
        let shared = Self::new(names, budget);
        let mut state = shared.lock();
        state.wait = None;
        state.confirmations.enter(generation, clock::wall());
        drop(state);
        shared
    }

    /// Returns the last generation in which a node has answered for a name of the channel, or `current` if
    /// it has not.
    pub(crate) fn entered(&self, current: Generation) -> Generation {
        self.lock().confirmations.entered(current)
    }

    /// Makes batches carry the fence of a dispatcher, and readers respect its crowds.
    pub(crate) fn follow(&self, common: &Arc<Common>) {
        self.lock().queue.follow(Arc::clone(common));
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
        let mut state = self.lock();
        let appended = state.append(index, channel, payload, wakers);
        self.outlook.set_room(state.room());
        appended
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
        if state.should_wait_for(channel.len() + payload.len()) {
            return None;
        }
        let appended = state.append(index, channel, payload, wakers);
        self.outlook.set_room(state.room());
        Some(appended)
    }

    /// Returns what the dispatcher knows of the channel without its lock.
    #[inline]
    pub(crate) fn outlook(&self) -> &Outlook {
        &self.outlook
    }

    /// Appends the pushes of an open batch. The wakers of waiting readers are moved to `wakers`. Returns by how
    /// many bytes the memory has grown, and a page that is not needed here.
    pub(crate) fn hand_over(&self, open: OpenBatch, wakers: &mut Vec<Waker>) -> (usize, Page) {
        let mut state = self.lock();
        let handed_over = state.hand_over(open, wakers);
        self.outlook.set_room(state.room());
        handed_over
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
        match &mut state.wait {
            Some(wait) => wait.link = (!has_room).then(|| waker.clone()),
            None => return true,
        }
        has_room
    }

    /// Stops the wait of the link. It does not wait for this channel again until half of the budget
    /// is free.
    pub(crate) fn stop_waiting(&self) {
        if let Some(wait) = &mut self.lock().wait {
            wait.is_abandoned = true;
            wait.link = None;
        }
    }

    /// Returns a number that grows with each batch that a reader receives: a sign of progress.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().wait.as_ref().map_or(0, |wait| wait.taken)
    }

    /// Returns whether some reader has nothing to read.
    pub(crate) fn is_idle(&self) -> bool {
        let state = self.lock();
        let mut here = state.readers.here();
        here.any(|reader| state.queue.peek(reader.position).is_none())
    }

    /// Adds for each reader with a label how many pushes have entered since it has joined.
    pub(crate) fn add_entered(&self, by_label: &mut [Entered]) {
        self.lock().add_entered(by_label);
    }

    /// Returns how much memory the pushes hold, with the batches that readers have received.
    pub(crate) fn held(&self) -> Held {
        self.lock().held()
    }

    /// Releases memory until `bytes` are released or nothing but one push is left: first what is
    /// not in use, then the oldest pushes.
    pub(crate) fn shed(&self, bytes: usize) {
        self.lock().shed(bytes);
    }

    /// Drops every push that waits, even the last one. The readers receive a gap.
    pub(crate) fn empty(&self) {
        self.lock().empty();
    }

    /// Appends pushes and drops them before a reader can receive one, as if the buffer had overflowed.
    /// Returns whether they are lost: a channel that keeps the latest push loses none.
    #[cfg(feature = "testing")]
    pub(crate) fn lose(&self, pushes: u64, wakers: &mut Vec<Waker>) -> bool {
        let mut state = self.lock();
        if state.queue.keeps_latest() {
            return false;
        }
        for _ in 0..pushes {
            state.append(0, &[], &[], wakers);
        }
        state.empty();
        true
    }

    /// Closes the channel. Readers drain it, then see the end.
    pub(crate) fn close(&self, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.closed = true;
        wakers.extend(state.wait.as_mut().and_then(|wait| wait.link.take()));
        state.readers.collect_wakers(wakers);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ChannelState> {
        self.state.lock()
    }
}
