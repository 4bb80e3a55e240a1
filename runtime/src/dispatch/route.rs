//! The path of a push through the dispatcher.

use std::sync::Arc;

use super::memory_limit::Holder;
use super::name::Listener;
use super::placement::SubscriptionState;
use super::{DispatchState, Dispatcher};
use crate::broadcast::{GapStart, Shared};
use crate::gap::{GapCause, Missed};
use crate::push::{Generation, Incoming, NodeId};
#[cfg(feature = "testing")]
use crate::subscription::KitFence;
use crate::subscription::{Kind, PingFence};
use crate::util::{Key, MutexGuard};

impl Dispatcher {
    /// Accepts one push of a generation. Waiting readers are woken soon, together with those of the
    /// pushes right after it.
    pub(crate) fn accept(&self, generation: Generation, push: &Incoming<'_>) {
        let (state, has_changed) = self.with_guard(generation, false, |guard| guard.push(push));
        self.wake_soon(state);
        if has_changed {
            self.notify_changed();
        }
    }

    /// Accepts any number of pushes of a generation, under one lock. Waiting readers are woken when
    /// all pushes are appended.
    pub(crate) fn dispatch(
        &self,
        generation: Generation,
        run: impl FnOnce(&mut DispatchGuard<'_>),
    ) {
        let (state, has_changed) = self.with_guard(generation, true, run);
        self.wake(state);
        if has_changed {
            self.notify_changed();
        }
    }

    /// Runs a closure on the locked dispatcher. With `is_gathering`, messages are gathered in open batches.
    /// Returns the lock, and whether the session should be notified.
    fn with_guard(
        &self,
        generation: Generation,
        is_gathering: bool,
        run: impl FnOnce(&mut DispatchGuard<'_>),
    ) -> (MutexGuard<'_, DispatchState>, bool) {
        let mut state = self.lock();
        let id = generation.node();
        let node = &state.routes.nodes[id];
        let mut guard = DispatchGuard {
            is_current: node.open && node.generation == generation,
            from: Origin {
                node: id,
                term: node.term,
            },
            accepted: 0,
            is_gathering,
            state: &mut state,
            has_changed: false,
        };
        run(&mut guard);
        let (has_changed, accepted) = (guard.has_changed, guard.accepted);
        drop(guard);
        state.routes.nodes[id].pushes += accepted;
        if has_changed {
            self.publish_open(&state, id);
        }
        (state, has_changed)
    }
}

/// With this many messages for each channel in an intake, what an intake costs does not count much any more.
const MESSAGES_OF_A_CHANNEL: u64 = 4;

/// The dispatcher, locked to accept pushes.
pub(crate) struct DispatchGuard<'d> {
    state: &'d mut DispatchState,
    from: Origin,
    /// How many pushes it has accepted.
    accepted: u64,
    is_gathering: bool,
    is_current: bool,
    has_changed: bool,
}

/// Ends the intake, also if something panics in it.
impl Drop for DispatchGuard<'_> {
    fn drop(&mut self) {
        self.state.end_intake();
    }
}

impl DispatchGuard<'_> {
    /// Notes that more has arrived after the intake has begun.
    pub(crate) fn has_read_more(&mut self) {
        self.state.intake.has_read_more();
    }

    /// Returns whether more messages would make those that are gathered cost less.
    pub(crate) fn is_worth_more(&self) -> bool {
        self.accepted < MESSAGES_OF_A_CHANNEL * self.state.intake.channels() as u64
    }

    /// Accepts one push, unless it is a message for which a buffer would have to drop another
    /// although its readers make progress. Then it returns that buffer instead.
    pub(crate) fn push_or_wait(&mut self, push: &Incoming<'_>) -> Result<(), Arc<Shared>> {
        match *push {
            Incoming::Message {
                kind,
                name,
                channel,
                payload,
            } if self.is_current => {
                let message = Message {
                    kind,
                    name,
                    channel,
                    payload,
                };
                self.state
                    .deliver(self.from, message, self.is_gathering, true)?;
                self.accepted += 1;
                self.state.copy_to_raw(push);
            }
            _ => self.push(push),
        }
        Ok(())
    }

    /// Accepts one push.
    pub(crate) fn push(&mut self, push: &Incoming<'_>) {
        let (from, is_gathering) = (self.from, self.is_gathering);
        let node = from.node;
        let state = &mut *self.state;
        if !self.is_current {
            state.counts.stale += 1;
            return;
        }
        if !matches!(push, Incoming::Message { .. }) {
            state.hand_over();
        }
        if let Incoming::Unsubscribed { kind, name, left } = *push
            && let Some(fence) = PingFence::of(name)
            && state.has_sent(node, fence, kind)
        {
            if state.pass_fence(node, fence, kind, left) {
                return;
            }
            // The subscriptions have ended without a push about it, so the connection is as good as
            // lost, and the gap begins at the last fence.
            return self.push(&Incoming::Disconnected);
        }
        #[cfg(feature = "testing")]
        if let Incoming::Unsubscribed { name, .. } = *push
            && let Some(KitFence(number)) = KitFence::of(name)
        {
            state.routes.nodes[node].kit_fence = number;
            self.has_changed = true;
            return;
        }
        self.accepted += 1;
        state.copy_to_raw(push);
        match *push {
            Incoming::Message {
                kind,
                name,
                channel,
                payload,
            } => {
                let message = Message {
                    kind,
                    name,
                    channel,
                    payload,
                };
                let appended = state.deliver(from, message, is_gathering, false);
                debug_assert!(appended.is_ok(), "only `may_wait` keeps a push back");
            }
            Incoming::Subscribed { kind, name } => {
                state.confirm(node, kind, name);
                self.has_changed = true;
            }
            Incoming::Unsubscribed { kind, name, .. } => {
                state.unsubscribed(node, kind, name);
                self.has_changed = true;
            }
            Incoming::Disconnected => {
                state.routes.nodes[node].open = false;
                self.is_current = false;
                self.has_changed = true;
            }
            Incoming::Invalidated(ref keys) => state.invalidate(from, keys.as_deref()),
            Incoming::Unknown { .. } => state.counts.unknown += 1,
            Incoming::Malformed { kind } => {
                state.counts.malformed += 1;
                // It may have been about any key.
                if kind == "invalidate" {
                    state.invalidate(from, None);
                }
            }
        }
    }
}

/// Where the pushes come from.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) node: NodeId,
    /// The number of the node's term. A name whose placement is of it is on this node.
    term: u64,
}

/// A message, or an invalidated key in place of the channel.
#[derive(Clone, Copy)]
pub(super) struct Message<'m> {
    pub(super) kind: Kind,
    pub(super) name: &'m [u8],
    pub(super) channel: &'m [u8],
    pub(super) payload: &'m [u8],
}

impl DispatchState {
    /// Appends a message from a node to the broadcast channels of its route. With `is_gathering`, to their open
    /// batches, which are to be [handed over](Self::hand_over).
    ///
    /// With `may_wait`, if one of them [should be waited for](Shared::should_wait_for), the message
    /// is appended to none of them and that one is returned.
    pub(super) fn deliver(
        &mut self,
        from: Origin,
        message: Message<'_>,
        is_gathering: bool,
        may_wait: bool,
    ) -> Result<(), Arc<Shared>> {
        let Message {
            kind,
            name,
            channel,
            payload,
        } = message;
        let Some(key) = self.routes.key(kind, name) else {
            self.counts.unrouted += 1;
            return Ok(());
        };
        let route = &*self.routes.routes[key];
        let state = match route.placement.state_in(from.term) {
            Some(state) => state,
            None if route.is_at(from.node) => &SubscriptionState::Pending,
            None => match self.routes.heard_copy(key, from.node) {
                Some(copy) => self.routes.state(copy),
                None => {
                    self.counts.stale += 1;
                    return Ok(());
                }
            },
        };
        if *state == SubscriptionState::Leaving {
            // The server has not ended the subscription yet. Readers that have come since begin with its
            // next confirmation, and may miss what is published before that.
            self.counts.unrouted += 1;
            return Ok(());
        }
        if payload.len() > self.max_payload {
            self.drop_oversized(from.node, kind, name);
            return Ok(());
        }
        // The name of an exact subscription is the channel, so it is not stored again.
        let channel = match kind {
            Kind::Pattern | Kind::Invalidation => channel,
            Kind::Channel | Kind::Shard | Kind::Connection => &[],
        };
        if let [Listener { shared, index, .. }] = &*route.listeners
            && self.intake.append(shared, *index, channel, payload)
        {
            return Ok(());
        }
        let push = (channel, payload);
        self.append_to_all(key, push, is_gathering, may_wait)?;
        if self.memory.is_due(self.intake.take_grown()) {
            self.hand_over();
            if let Some(newest) = self.routes.routes[key].listeners.last() {
                let newest = Arc::clone(&newest.shared);
                self.keep_within_memory(Some(&newest));
            }
        }
        Ok(())
    }

    /// Appends a message to each broadcast channel of a route: to its open batch, or alone.
    fn append_to_all(
        &mut self,
        key: Key,
        (channel, payload): (&[u8], &[u8]),
        is_gathering: bool,
        may_wait: bool,
    ) -> Result<(), Arc<Shared>> {
        let bytes = channel.len() + payload.len();
        let count = self.routes.routes[key].listeners.len();
        for at in 0..count {
            let is_open = is_gathering && self.open_for(key, at, bytes);
            let shared = &self.routes.routes[key].listeners[at].shared;
            // With one listener, the channel is asked when it appends.
            if may_wait && count > 1 && !is_open && shared.should_wait_for(bytes) {
                return Err(Arc::clone(shared));
            }
        }
        let wakers = &mut self.wakeups.wakers;
        let mut has_opened = false;
        for Listener { shared, index, .. } in &*self.routes.routes[key].listeners {
            if self.intake.append(shared, *index, channel, payload) {
                continue;
            }
            let appended = if may_wait && count == 1 {
                let appended = shared.append_or_wait(*index, channel, payload, wakers);
                appended.ok_or_else(|| Arc::clone(shared))?
            } else {
                shared.append(*index, channel, payload, wakers)
            };
            self.intake.add_grown(appended.grown);
            if let Some(now) = appended.opened {
                self.last_heard = now;
                has_opened = true;
            }
            self.wakeups.is_urgent |= appended.is_filling;
        }
        if has_opened {
            self.routes.add_holder(key);
        }
        Ok(())
    }

    /// Reports a gap to the handlers of a route because the payload of one message is too large.
    fn drop_oversized(&mut self, node: NodeId, kind: Kind, name: &[u8]) {
        self.hand_over();
        self.counts.oversized += 1;
        let Some(route) = self.routes.get(kind, name) else {
            return;
        };
        let before = GapStart {
            cause: GapCause::Oversized,
            missed: Missed::Exactly(1),
            since: self.routes.nodes[node].fence,
        };
        for listener in &*route.listeners {
            let Listener { shared, index, .. } = listener;
            shared.interrupt_one(*index, before, &mut self.wakeups.wakers);
        }
    }

    /// Copies a push to the receivers of raw pushes, and removes the sender when none is left.
    fn copy_to_raw(&mut self, push: &Incoming<'_>) {
        self.pushes.take_if(|pushes| pushes.has_no_receiver());
        if let Some(pushes) = &self.pushes {
            let grown = pushes.send(push.to_raw(), &mut self.wakeups.wakers);
            if self.memory.is_due(grown) {
                self.hand_over();
                self.keep_within_memory(None);
            }
        }
    }

    /// Checks how much waits, and drops messages if it is too much, but not the last one of the channel
    /// `newest` or, without one, of the raw pushes.
    #[cold]
    fn keep_within_memory(&mut self, newest: Option<&Shared>) {
        let pushes = self.pushes.as_ref();
        let of_pushes = pushes.map_or(0, |pushes| pushes.held().memory());
        let held = self.routes.held_at_most() + of_pushes;
        if !self.memory.is_exceeded_by(held + self.intake.spare_bytes()) {
            return;
        }
        self.intake.trim();
        let channels = self.routes.holders();
        let channels = channels.iter().map(|shared| &**shared as &dyn Holder);
        let pushes = pushes.map(|pushes| pushes as &dyn Holder);
        if let Some(newest) = newest.map(|shared| shared as &dyn Holder).or(pushes) {
            self.memory.shed(channels.chain(pushes), newest);
        }
    }
}
