//! The generations of a connection, as the session and the links report them.

use std::collections::VecDeque;
use std::time::SystemTime;

use super::{DispatchState, Dispatcher};
use crate::broadcast::GapStart;
use crate::gap::{GapCause, Missed};
use crate::push::ConnectionEvent;

impl Dispatcher {
    /// Opens a generation: from now on its pushes are accepted, and those of any other discarded.
    pub(crate) fn open(&self, generation: u64) {
        let mut state = self.lock();
        state.generation = generation;
        state.open = !state.closed;
        state.live = false;
        state.pings = VecDeque::new();
        state.routes.begin_term();
        self.publish_open(&state);
    }

    /// Ends the generation: pushes that still arrive from it are discarded. The time between the
    /// fence and the next confirmation will be reported as a gap.
    pub(crate) fn end(&self, missed: Missed) {
        let mut state = self.lock();
        state.open = false;
        self.publish_open(&state);
        state.routes.begin_term();
        // A generation without a confirmation was never live: the gap before it goes on.
        if std::mem::take(&mut state.live) {
            let (generation, since) = (state.generation, state.routes.fence().time());
            state.ends.add(generation, since);
            state.before = GapStart {
                cause: GapCause::ConnectionLost,
                missed,
                since,
            };
            state.counts.reconnects += 1;
        }
        drop(state);
        self.notify_changed();
    }

    /// Returns whether the generation is open. It is until the dispatcher has seen its end.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().open
    }

    /// Records that the connection of a generation has ended, unless that is recorded already.
    pub(crate) fn disconnected(&self, generation: u64) {
        let mut state = self.lock();
        if state.generation == generation && std::mem::take(&mut state.open) {
            self.publish_open(&state);
            drop(state);
            self.notify_changed();
        }
    }

    /// Moves the [`Fence`](crate::broadcast::Fence) to the time at which a command was sent. Every
    /// push that the server sent before the command's reply has been accepted.
    pub(crate) fn set_fence(&self, sent: SystemTime) {
        self.lock().routes.fence().set(sent);
    }

    /// Records that a [`PingFence`](crate::subscription::PingFence) is about to be sent. Another one
    /// that arrives means nothing.
    pub(crate) fn expect_fence(&self, sent: SystemTime) {
        /// A user who may not unsubscribe never receives one.
        const MOST: usize = 1_024;

        let mut state = self.lock();
        if state.pings.len() == MOST {
            state.pings.pop_front();
        }
        state.pings.push_back(sent);
    }

    /// Reports a gap to every handler because pushes were lost before they reached the dispatcher,
    /// and marks every subscription as pending: confirmations may have been lost too.
    pub(crate) fn interrupt(&self, missed: Missed) {
        let mut state = self.lock();
        if !state.open {
            return;
        }
        state.routes.ask_all_again();
        if let Missed::AtMost(missed) = missed {
            state.counts.overflowed += missed;
        }
        let before = GapStart {
            cause: GapCause::Lagged,
            missed,
            since: state.routes.fence().time(),
        };
        let DispatchState {
            routes, wakeups, ..
        } = &mut *state;
        for shared in routes.all_broadcasts() {
            shared.interrupt_names(before, &mut wakeups.wakers);
        }
        self.wake(state);
        self.notify_changed();
    }

    /// Appends an event to the broadcast channels of connection handlers.
    pub(crate) fn publish_connection_event(&self, event: ConnectionEvent<'_>) {
        let payload = event.to_payload();
        let mut state = self.lock();
        let DispatchState {
            routes,
            wakeups,
            live,
            ..
        } = &mut *state;
        // Without server subscriptions, being connected is all there is to lose.
        *live |= event == ConnectionEvent::Connected && routes.is_empty();
        for shared in routes.connection() {
            shared.append(0, &[], payload.as_bytes(), &mut wakeups.wakers);
        }
        self.wake(state);
    }

    /// Closes the broadcast channels of streams, which drain them and end. No stream begins any more.
    pub(crate) fn close_streams(&self) {
        let mut state = self.lock();
        state.has_ended_streams = true;
        let DispatchState {
            routes, wakeups, ..
        } = &mut *state;
        for shared in routes.stream_channels() {
            shared.close(&mut wakeups.wakers);
        }
        self.wake(state);
    }

    /// Closes all broadcast channels: handlers drain them, then see the end.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.open = false;
        self.publish_open(&state);
        state.closed = true;
        state.has_ended_streams = true;
        let pushes = state.pushes.take();
        let DispatchState {
            routes, wakeups, ..
        } = &mut *state;
        for shared in routes.all_broadcasts().chain(routes.connection()) {
            shared.close(&mut wakeups.wakers);
        }
        self.wake(state);
        // Wakes the receivers of raw pushes.
        drop(pushes);
    }
}

/// The ends of the generations that were live.
///
/// A channel whose names were not confirmed in the last generation has lost more than the others: its
/// gap begins with the end of the generation in which one was.
#[derive(Debug, Default)]
pub(super) struct GenerationEnds {
    /// The numbers of generations with the fence at their end, in ascending order.
    ends: VecDeque<(u64, SystemTime)>,
    /// The fence at the end of the first one.
    first: Option<SystemTime>,
}

impl GenerationEnds {
    /// How many ends are known one by one. For older ones, a gap begins with the first of all.
    const MOST: usize = 256;

    fn add(&mut self, generation: u64, fence: SystemTime) {
        self.first.get_or_insert(fence);
        if self.ends.len() == Self::MOST {
            self.ends.pop_front();
        }
        self.ends.push_back((generation, fence));
    }

    /// Returns the gap before the current generation, for a channel that has entered `entered` last.
    /// For others it is `before`.
    pub(super) fn before(&self, entered: u64, before: GapStart) -> GapStart {
        let after = self.ends.partition_point(|(number, _)| *number < entered);
        let since = match self.ends.get(after) {
            // The ends before this one are known too, or there are none.
            Some((_, since)) if after > 0 || self.ends.len() < Self::MOST => *since,
            Some(_) => self.first.unwrap_or(before.since),
            None => before.since,
        };
        GapStart { since, ..before }
    }
}
