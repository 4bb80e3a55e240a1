//! What the dispatcher does to a broadcast channel. `receiver` has what readers do.

use std::sync::Arc;
use std::task::Waker;
use std::time::SystemTime;

use super::budget::{Budget, Held};
use super::concerned::Concerned;
use super::confirmations::{Confirmations, Confirmed, Left};
use super::fence::Fence;
use super::open::{OpenBatch, Outlook};
use super::queue::Queue;
use super::readers::Readers;
use super::segments::{GapStart, Segments};
use super::state::{Appended, ChannelState};
use crate::gap::{GapCause, Missed};
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

    /// Makes batches carry the dispatcher's fence.
    pub(crate) fn follow(&self, fence: &Arc<Fence>) {
        self.lock().queue.follow(Arc::clone(fence));
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

    /// Opens a batch that the dispatcher fills without the lock, for a first push of `bytes`, and then
    /// [hands over](Self::hand_over). Nothing else may be appended meanwhile. Takes the memory of a `spare` page.
    /// Returns `None` if there may be no room, or the push has to be appended alone for another reason.
    pub(crate) fn open(
        &self,
        bytes: usize,
        now: SystemTime,
        fence: &Fence,
        spare: impl FnOnce() -> Option<Page>,
    ) -> Option<OpenBatch> {
        self.outlook.open(bytes, now, fence, spare)
    }

    /// Appends the pushes of an open batch. The wakers of waiting readers are moved to `wakers`. Returns by how
    /// many bytes the memory has grown, and a page that is not needed here.
    pub(crate) fn hand_over(&self, open: OpenBatch, wakers: &mut Vec<Waker>) -> (usize, Page) {
        let mut state = self.lock();
        let handed_over = state.hand_over(open, wakers);
        self.outlook.set_room(state.room());
        handed_over
    }

    /// Returns the place of the channel in the dispatcher's list of those that have received something.
    #[inline]
    pub(crate) fn touched_at(&self) -> Option<usize> {
        self.outlook.touched_at()
    }

    /// Sets that place. Returns false if the list is too long for it.
    pub(crate) fn touch(&self, place: usize) -> bool {
        self.outlook.touch(place)
    }

    /// Removes the channel from that list, with how many pushes it has received.
    pub(crate) fn untouch(&self, received: u32) {
        self.outlook.untouch(received);
    }

    /// Returns that number of the last intake.
    pub(crate) fn last_received(&self) -> u32 {
        self.outlook.last()
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
    pub(crate) fn add_entered(&self, by_label: &mut [u64]) {
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

    /// Records that the server has confirmed the subscription at `index`. The first confirmation of
    /// a generation begins a segment after the gap `before`.
    pub(crate) fn confirm(
        &self,
        index: usize,
        generation: Generation,
        before: GapStart,
        wakers: &mut Vec<Waker>,
    ) {
        self.confirm_moved(index, generation, before, None, wakers);
    }

    /// Like [`confirm`](Self::confirm), for a name that may have `left` another node.
    pub(crate) fn confirm_moved(
        &self,
        index: usize,
        generation: Generation,
        before: GapStart,
        left: Option<Left>,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.lock();
        let names = &mut state.confirmations;
        let confirmed = names.confirm(index, generation, before.since, left);
        // What was lost with the connection to another node was lost there.
        let before = left.map_or(before, |left| left.before);
        match confirmed {
            Confirmed::First(since, concerned) if state.segments.current() > 0 => {
                let mut before = GapStart { since, ..before };
                // The connection that was lost was not of the node that this is known of.
                if before.cause == GapCause::Initial {
                    (before.cause, before.missed) = (GapCause::ConnectionLost, Missed::Unknown);
                }
                state.begin_segment(before, concerned);
            }
            // Nothing was live on this channel before, so earlier connections have lost nothing.
            Confirmed::First(since, _) => {
                let before = GapStart {
                    cause: GapCause::Initial,
                    missed: Missed::Exactly(0),
                    since,
                };
                state.begin_segment(before, Concerned::All);
            }
            Confirmed::Again(since) => {
                let before = GapStart {
                    cause: match left {
                        Some(_) => GapCause::Moved,
                        None => GapCause::Resubscribed,
                    },
                    missed: Missed::Unknown,
                    since,
                };
                let name = state.confirmations.concerned(index);
                state.begin_segment(before, name);
            }
            Confirmed::Joined(since) => {
                let before = GapStart {
                    cause: GapCause::Moved,
                    missed: Missed::Unknown,
                    since,
                };
                let name = state.confirmations.concerned(index);
                state.begin_segment(before, name);
            }
            Confirmed::More => {}
        }
        state.wake_if_settled(wakers);
    }

    /// Adds a name to those that have to be confirmed, and returns its index among them. It is one more of the
    /// subscription at `index` in the channel's list. If the channel is live without it, its confirmation
    /// begins a segment after a gap since a time.
    pub(crate) fn add_name(&self, index: u32, since: SystemTime) -> usize {
        let mut state = self.lock();
        let is_live = state.segments.current() > 0;
        state.confirmations.add(index, is_live.then_some(since))
    }

    /// Removes a name from those that have to be confirmed. If it is not, what it has missed is a gap.
    pub(crate) fn remove_name(&self, index: usize, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        let concerned = state.confirmations.concerned(index);
        if let Some(since) = state.confirmations.remove(index)
            && state.segments.current() > 0
        {
            let before = GapStart {
                cause: GapCause::Moved,
                missed: Missed::Unknown,
                since,
            };
            state.begin_segment(before, concerned);
        }
        state.wake_if_settled(wakers);
    }

    /// Records that the subscription at `index` was denied or ended by the server, and that no push
    /// has arrived through it since `since`.
    pub(crate) fn turn_off(
        &self,
        index: usize,
        generation: Generation,
        before: GapStart,
        since: SystemTime,
        wakers: &mut Vec<Waker>,
    ) {
        let mut state = self.lock();
        let names = &mut state.confirmations;
        names.turn_off(index, generation, before.since, since);
        state.wake_if_settled(wakers);
    }

    /// Lets readers begin without the name at `index`, unless it is confirmed.
    pub(crate) fn waive(&self, index: usize, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.confirmations.waive(index);
        state.wake_if_settled(wakers);
    }

    /// Begins a segment after a gap in which the end of a subscription may have been lost as well. So
    /// another gap follows when a name is confirmed again.
    pub(crate) fn interrupt_names(&self, before: GapStart, wakers: &mut Vec<Waker>) {
        self.lock().confirmations.doubt(before.since);
        self.interrupt(before, wakers);
    }

    /// Begins a segment after a gap of all names, on a connection that stays up.
    pub(crate) fn interrupt(&self, before: GapStart, wakers: &mut Vec<Waker>) {
        self.lock().interrupt(before, Concerned::All, wakers);
    }

    /// Begins a segment after a gap of the subscription at `index` in the channel's list, on a connection that
    /// stays up: a payload was too large, for example.
    pub(crate) fn interrupt_one(&self, index: u32, before: GapStart, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        let concerned = state.confirmations.of_list(std::iter::once(index));
        state.interrupt(before, concerned, wakers);
    }

    /// Records that a subscription may have missed something since a time, and is about to be confirmed elsewhere.
    /// That is told by its gap there, or by one now. The name is at `name` among those that have to be confirmed,
    /// and the subscription at `index` in the channel's list.
    pub(crate) fn doubt(&self, name: usize, index: u32, before: GapStart, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        if !state.confirmations.doubt_one(name, before.since) {
            let concerned = state.confirmations.of_list(std::iter::once(index));
            state.interrupt(before, concerned, wakers);
        }
    }

    /// Removes a name that nobody wants any more, so that nobody has missed anything.
    pub(crate) fn forget_name(&self, index: usize) {
        let mut state = self.lock();
        state.confirmations.remove(index);
        // Nobody reads from the channel.
        state.wake_if_settled(&mut Vec::new());
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
