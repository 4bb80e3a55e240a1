//! The path of a push through the dispatcher.

use std::sync::Arc;

use super::memory_limit::Holder;
use super::name::Listener;
use super::placement::SubscriptionState;
use super::{DispatchState, Dispatcher};
use crate::broadcast::{Appended, GapStart, Shared};
use crate::gap::{GapCause, Missed};
use crate::push::{Generation, Incoming, NodeId};
#[cfg(feature = "testing")]
use crate::subscription::KitFence;
use crate::subscription::{Kind, PingFence};
use crate::util::MutexGuard;

impl Dispatcher {
    /// Accepts one push of a generation. Waiting readers are woken soon, together with those of the
    /// pushes right after it.
    pub(crate) fn accept(&self, generation: Generation, push: &Incoming<'_>) {
        let (state, has_changed) = self.with_guard(generation, |guard| guard.push(push));
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
        let (state, has_changed) = self.with_guard(generation, run);
        self.wake(state);
        if has_changed {
            self.notify_changed();
        }
    }

    /// Runs a closure on the locked dispatcher. Returns the lock, and whether the session should be
    /// notified.
    fn with_guard(
        &self,
        generation: Generation,
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
            state: &mut state,
            has_changed: false,
        };
        run(&mut guard);
        let (has_changed, accepted) = (guard.has_changed, guard.accepted);
        state.routes.nodes[id].pushes += accepted;
        if has_changed {
            self.publish_open(&state, id);
        }
        (state, has_changed)
    }
}

/// The dispatcher, locked to accept pushes.
pub(crate) struct DispatchGuard<'d> {
    state: &'d mut DispatchState,
    from: Origin,
    /// How many pushes it has accepted.
    accepted: u64,
    is_current: bool,
    has_changed: bool,
}

impl DispatchGuard<'_> {
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
                self.state.deliver(self.from, message, true)?;
                self.accepted += 1;
                self.state.copy_to_raw(push);
            }
            _ => self.push(push),
        }
        Ok(())
    }

    /// Accepts one push.
    pub(crate) fn push(&mut self, push: &Incoming<'_>) {
        let from = self.from;
        let node = from.node;
        let state = &mut *self.state;
        if !self.is_current {
            state.counts.stale += 1;
            return;
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
                let appended = state.deliver(from, message, false);
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
    /// Appends a message from a node to the broadcast channels of its route.
    ///
    /// With `may_wait`, if one of them [should be waited for](Shared::should_wait_for), the message
    /// is appended to none of them and that one is returned.
    pub(super) fn deliver(
        &mut self,
        from: Origin,
        message: Message<'_>,
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
        let wakers = &mut self.wakeups.wakers;
        let mut grown = 0;
        let mut has_opened = false;
        let mut note = |appended: Appended| {
            grown += appended.grown;
            if let Some(now) = appended.opened {
                self.last_heard = now;
                has_opened = true;
            }
            self.wakeups.is_urgent |= appended.is_filling;
        };
        match &*route.listeners {
            [Listener { shared, index, .. }] if may_wait => {
                match shared.append_or_wait(*index, channel, payload, wakers) {
                    Some(appended) => note(appended),
                    None => return Err(Arc::clone(shared)),
                }
            }
            listeners => {
                let bytes = channel.len() + payload.len();
                let is_full = |listener: &&Listener| listener.shared.should_wait_for(bytes);
                if may_wait && let Some(full) = listeners.iter().find(is_full) {
                    return Err(Arc::clone(&full.shared));
                }
                for Listener { shared, index, .. } in listeners {
                    note(shared.append(*index, channel, payload, wakers));
                }
            }
        }
        if has_opened {
            self.routes.add_holder(key);
        }
        if self.memory.is_due(grown)
            && let Some(newest) = self.routes.routes[key].listeners.last()
        {
            let newest = Arc::clone(&newest.shared);
            self.keep_within_memory(Some(&newest));
        }
        Ok(())
    }

    /// Reports a gap to the handlers of a route because the payload of one message is too large.
    fn drop_oversized(&mut self, node: NodeId, kind: Kind, name: &[u8]) {
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
        if !self.memory.is_exceeded_by(held) {
            return;
        }
        let channels = self.routes.holders();
        let channels = channels.iter().map(|shared| &**shared as &dyn Holder);
        let pushes = pushes.map(|pushes| pushes as &dyn Holder);
        if let Some(newest) = newest.map(|shared| shared as &dyn Holder).or(pushes) {
            self.memory.shed(channels.chain(pushes), newest);
        }
    }
}
