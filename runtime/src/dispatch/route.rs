//! The path of a message through the dispatcher: from its name to the broadcast channels of its route.

use std::sync::Arc;

use super::DispatchState;
use super::memory_limit::Holder;
use super::name::Listener;
use super::placement::SubscriptionState;
use crate::broadcast::{GapStart, Shared};
use crate::gap::{GapCause, Missed};
use crate::push::{Incoming, NodeId};
use crate::subscription::Kind;
use crate::util::Key;

/// Where the pushes come from.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) node: NodeId,
    /// The number of the node's term. A name whose placement is of it is on this node.
    pub(super) term: u64,
}

/// A message, or an invalidated key in place of the channel.
#[derive(Clone, Copy)]
pub(super) struct Message<'m> {
    pub(super) kind: Kind,
    pub(super) name: &'m [u8],
    pub(super) channel: &'m [u8],
    pub(super) payload: &'m [u8],
}

/// What happens to a message for which a buffer would have to drop another although its readers make progress.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum IfFull {
    /// It is kept back, for a link that waits for room.
    Wait,
    /// It is appended, and the buffer drops one.
    Drop,
}

impl DispatchState {
    /// Appends a message from a node to the broadcast channels of its route, or to their open batches, which are to
    /// be [handed over](Self::hand_over).
    ///
    /// With [`IfFull::Wait`], if one of them [should be waited for](Shared::should_wait_for), the message
    /// is appended to none of them and that one is returned.
    pub(super) fn deliver(
        &mut self,
        from: Origin,
        message: Message<'_>,
        if_full: IfFull,
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
        self.append_to_all(key, push, if_full)?;
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
        if_full: IfFull,
    ) -> Result<(), Arc<Shared>> {
        let bytes = channel.len() + payload.len();
        let may_wait = if_full == IfFull::Wait;
        let count = self.routes.routes[key].listeners.len();
        for at in 0..count {
            let is_open = self.open_for(key, at, bytes);
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
    pub(super) fn copy_to_raw(&mut self, push: &Incoming<'_>) {
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
