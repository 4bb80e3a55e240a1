//! The generations of the connections, as the sessions and the links report them.

use std::collections::VecDeque;
use std::time::SystemTime;

use super::{DispatchState, Dispatcher};
use crate::broadcast::GapStart;
use crate::gap::{GapCause, Missed};
use crate::push::{ConnectionEvent, Generation, NodeId};

impl Dispatcher {
    /// Opens a generation of a node: from now on its pushes are accepted, and those of any other of the
    /// node discarded.
    pub(crate) fn open(&self, generation: Generation) {
        let mut state = self.lock();
        let is_open = !state.closed;
        let id = generation.node();
        let node = &mut state.routes.nodes[id];
        node.generation = generation;
        node.open = is_open;
        node.live = false;
        node.pings = VecDeque::new();
        state.routes.nodes.begin_term(id);
        self.publish_open(&state, id);
    }

    /// Ends the generation of a node: pushes that still arrive from it are discarded. The time between
    /// the fence and the next confirmation will be reported as a gap.
    pub(crate) fn end(&self, id: NodeId, missed: Missed) {
        let mut state = self.lock();
        state.routes.nodes.begin_term(id);
        let node = &mut state.routes.nodes[id];
        node.open = false;
        // A generation without a confirmation was never live: the gap before it goes on.
        if std::mem::take(&mut node.live) {
            node.ends.add(node.generation, node.fence);
            node.before = GapStart {
                cause: GapCause::ConnectionLost,
                missed,
                since: node.fence,
            };
            state.counts.reconnects += 1;
        }
        self.publish_open(&state, id);
        drop(state);
        self.notify_changed();
    }

    /// Returns whether the generation of a node is open. It is until the dispatcher has seen its end.
    pub(crate) fn is_open(&self, node: NodeId) -> bool {
        self.lock().routes.nodes[node].open
    }

    /// Records that the connection of a generation has ended, unless that is recorded already.
    pub(crate) fn disconnected(&self, generation: Generation) {
        let mut state = self.lock();
        let node = &mut state.routes.nodes[generation.node()];
        if node.generation == generation && std::mem::take(&mut node.open) {
            self.publish_open(&state, generation.node());
            drop(state);
            self.notify_changed();
        }
    }

    /// Moves the fence (`broadcast::fence`) to the time at which a command was sent to a node.
    /// Every push that the server sent before the command's reply has been accepted.
    pub(crate) fn set_fence(&self, node: NodeId, sent: SystemTime) {
        self.lock().routes.set_fence(node, sent);
    }

    /// Records that a [`PingFence`](crate::subscription::PingFence) is about to be sent. Another one
    /// that arrives means nothing.
    pub(crate) fn expect_fence(&self, node: NodeId, sent: SystemTime) {
        /// A user who may not unsubscribe never receives one.
        const MOST: usize = 1_024;

        let mut state = self.lock();
        let pings = &mut state.routes.nodes[node].pings;
        if pings.len() == MOST {
            pings.pop_front();
        }
        pings.push_back(sent);
    }

    /// Reports a gap to every handler because pushes were lost before they reached the dispatcher,
    /// and marks every subscription as pending: confirmations may have been lost too.
    pub(crate) fn interrupt(&self, missed: Missed) {
        let mut state = self.lock();
        // Attached channels alone lose pushes like this, and they have one connection.
        let node = &state.routes.nodes[NodeId::FIRST];
        let since = node.fence;
        if !node.open {
            return;
        }
        state.routes.ask_all_again();
        if let Missed::AtMost(missed) = missed {
            state.counts.overflowed += missed;
        }
        let before = GapStart {
            cause: GapCause::Lagged,
            missed,
            since,
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

    /// Appends an event of a node to the broadcast channels of connection handlers.
    pub(crate) fn publish_connection_event(&self, node: NodeId, event: ConnectionEvent<'_>) {
        let payload = event.to_payload();
        let mut state = self.lock();
        let DispatchState {
            routes, wakeups, ..
        } = &mut *state;
        // Without server subscriptions, being connected is all there is to lose.
        let is_all = event == ConnectionEvent::Connected && routes.is_empty();
        routes.nodes[node].live |= is_all;
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

    /// Closes a node: no generation of it opens any more. With the last one, all broadcast channels are
    /// closed.
    pub(crate) fn close_node(&self, id: NodeId) {
        let mut state = self.lock();
        let node = &mut state.routes.nodes[id];
        (node.open, node.closed) = (false, true);
        let are_closed = state.routes.nodes.iter().all(|node| node.closed);
        self.publish_open(&state, id);
        drop(state);
        if are_closed {
            self.close();
        }
    }

    /// Closes all broadcast channels: handlers drain them, then see the end.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        for node in state.routes.nodes.iter_mut() {
            node.open = false;
            self.open.publish(node);
        }
        state.closed = true;
        state.has_ended_streams = true;
        let pushes = state.pushes.take();
        let DispatchState {
            routes,
            wakeups,
            answers,
            ..
        } = &mut *state;
        for shared in routes.all_broadcasts().chain(routes.connection()) {
            shared.close(&mut wakeups.wakers);
        }
        answers.end(&mut wakeups.wakers);
        self.wake(state);
        // Wakes the receivers of raw pushes.
        drop(pushes);
    }
}

/// The ends of the generations of a node that were live.
///
/// A channel whose names were not confirmed in the last generation has lost more than the others: its
/// gap begins with the end of the generation in which one was.
#[derive(Debug, Default)]
pub(super) struct GenerationEnds {
    /// Generations of one node with the fence at their end, in ascending order.
    ends: VecDeque<(Generation, SystemTime)>,
    /// The fence at the end of the first one.
    first: Option<SystemTime>,
}

impl GenerationEnds {
    /// How many ends are known one by one. For older ones, a gap begins with the first of all.
    const MOST: usize = 256;

    pub(super) fn add(&mut self, generation: Generation, fence: SystemTime) {
        self.first.get_or_insert(fence);
        if self.ends.len() == Self::MOST {
            self.ends.pop_front();
        }
        self.ends.push_back((generation, fence));
    }

    /// Returns the gap before the current generation, for a channel that has entered `entered` last.
    /// For others it is `before`.
    pub(super) fn before(&self, entered: Generation, before: GapStart) -> GapStart {
        let after = self.ends.partition_point(|(ended, _)| *ended < entered);
        let since = match self.ends.get(after) {
            // The ends before this one are known too, or there are none.
            Some((_, since)) if after > 0 || self.ends.len() < Self::MOST => *since,
            Some(_) => self.first.unwrap_or(before.since),
            None => before.since,
        };
        GapStart { since, ..before }
    }
}
