//! The state of each subscription: what the session asks, and what the server confirms.

use std::sync::Arc;

use super::counts::{Counts, NameCounts, WantedBy};
use super::inventory::Unconfirmed;
use super::name::Listener;
use super::placement::{SubscriptionState, Turn};
use super::spread::Part;
use super::{DispatchState, Dispatcher};
use crate::broadcast::Left;
use crate::push::NodeId;
use crate::subscription::{Kind, PingFence, Subscription, TrackingFence};
use crate::util::{Key, clock};

impl Dispatcher {
    /// Records that a node has denied a subscription. Returns who wants it, if that is news: it was not
    /// denied for the same reason before on this connection.
    pub(crate) fn deny(
        &self,
        node: NodeId,
        subscription: &Subscription,
        reason: &Arc<str>,
    ) -> Option<WantedBy> {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        let key = state.routes.key_at(node, kind, name)?;
        let denied = SubscriptionState::Denied(Arc::clone(reason));
        let is_new = *state.routes.state(key) != denied;
        let wanted = state.routes.routes[key].wanted();
        state
            .routes
            .update(key, |route| route.placement.take_asked());
        // Copies come and go.
        let named = state.routes.named(key);
        let denials = &mut state.routes.routes[named].denials;
        *denials = denials.wrapping_add(1);
        state.turn_off(key, denied);
        state.answer(key);
        self.wake(state);
        self.notify_changed();
        is_new.then_some(wanted)
    }

    /// Records that a node does not execute the command for a subscription at present. Handlers do
    /// not wait for it: when it is confirmed later, they receive another gap.
    pub(crate) fn postpone(&self, node: NodeId, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        let Some(key) = state.routes.key_at(node, kind, name) else {
            return;
        };
        if state.routes.state(key).needs_subscribing() {
            state.routes.postpone(key);
            state.turn_off_channels(key);
            self.wake(state);
        }
    }

    /// Records that a node has answered the command for a subscription with the name of another one. It is
    /// [moved](Self::move_name) there soon.
    pub(crate) fn refused(&self, node: NodeId, subscription: &Subscription) {
        let routes = &mut self.lock().routes;
        let (kind, name) = subscription.key();
        // If it is queued, it has ended since the command was sent, and is asked for once more.
        if let Some(key) = routes.key_at(node, kind, name)
            && routes.turn_of(&routes.routes[key]) == Turn::Sent
        {
            routes.update(key, |route| route.placement.set_turn(Turn::Refused));
        }
    }

    /// Records that a subscription has ended without a push about it.
    pub(crate) fn ended(&self, node: NodeId, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        if let Some(key) = state.routes.key_at(node, kind, name) {
            state.turn_off(key, SubscriptionState::Ended);
        }
        self.wake(state);
        self.notify_changed();
    }

    /// Marks a previously denied subscription as pending again: the node has accepted it, and its
    /// confirmation follows.
    pub(crate) fn accepted(&self, node: NodeId, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        let routes = &mut state.routes;
        if let Some(key) = routes.key_at(node, kind, name)
            && matches!(routes.state(key), SubscriptionState::Denied(_))
        {
            routes.nodes[node].turns.denied.remove(&key);
            routes.update(key, |route| route.placement.set(SubscriptionState::Pending));
        }
    }

    /// Records that the server is asked for a name.
    #[cfg(all(test, not(shuttle)))]
    pub(crate) fn ask(&self, subscription: &Subscription, now: std::time::SystemTime) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        let key = state.routes.key(kind, name).expect("a handler wants it");
        state.routes.ask(key, now);
    }

    /// Returns the names that handlers want and the server has not confirmed on this connection. This
    /// looks at every name of a handler.
    pub(crate) fn unconfirmed(&self) -> Unconfirmed {
        self.lock().routes.unconfirmed()
    }

    /// Returns whether a handler listens to one of these.
    pub(crate) fn has_handler_of<'s>(
        &self,
        subscriptions: impl IntoIterator<Item = &'s Subscription>,
    ) -> bool {
        let state = self.lock();
        let mut subscriptions = subscriptions.into_iter();
        subscriptions.any(|one| state.routes.has_handler_of(one))
    }

    /// Returns the subscriptions whose state is `wanted`. This looks at every name.
    pub(crate) fn subscriptions(
        &self,
        wanted: impl Fn(&SubscriptionState) -> bool,
    ) -> Vec<Subscription> {
        self.lock().routes.subscriptions(wanted)
    }

    /// Returns how many names of handlers, and of streams only, are in each state.
    pub(crate) fn name_counts(&self) -> (NameCounts, NameCounts) {
        let state = self.lock();
        let each = || state.routes.nodes.iter().map(|node| &node.counts);
        (
            each().map(Counts::of_handlers).sum(),
            each().map(Counts::of_streams).sum(),
        )
    }

    /// Returns how many names of handlers and streams are in each state on a node.
    pub(crate) fn names_on(&self, node: NodeId) -> NameCounts {
        let counts = &self.lock().routes.nodes[node].counts;
        [counts.of_handlers(), counts.of_streams()]
            .into_iter()
            .sum()
    }

    /// Returns the names that a node has confirmed or was asked for. This looks at every name.
    pub(crate) fn asked_names(&self, node: NodeId) -> Vec<Subscription> {
        self.lock().routes.asked_names(node)
    }

    /// Returns the invalidations that a node has confirmed.
    pub(crate) fn tracked(&self, node: NodeId) -> Vec<Subscription> {
        self.lock().routes.tracked(node)
    }

    /// Returns the invalidations that a node was asked for, confirmed or not.
    pub(crate) fn asked_prefixes(&self, node: NodeId) -> Vec<Subscription> {
        self.lock().routes.asked_prefixes(node)
    }

    /// Returns whether a node has confirmed a sharded channel.
    pub(crate) fn has_confirmed_shards(&self, node: NodeId) -> bool {
        self.lock().routes.nodes[node].counts.confirmed(true) > 0
    }

    /// Returns whether handlers want a channel, a pattern or a sharded channel on a node.
    pub(crate) fn has_subscribed_handlers(&self, node: NodeId) -> bool {
        self.lock().routes.nodes[node].counts.has_subscribed()
    }
}

impl DispatchState {
    /// Records the confirmation of a subscription by a node.
    pub(super) fn confirm(&mut self, id: NodeId, kind: Kind, name: &[u8]) {
        self.last_heard = clock::wall();
        let Some(key) = self.routes.key_at(id, kind, name) else {
            return;
        };
        if *self.routes.state(key) == SubscriptionState::Leaving {
            // Its end follows.
            return;
        }
        let asked = self
            .routes
            .update(key, |route| route.placement.take_asked());
        self.routes.set_state(key, SubscriptionState::Confirmed);
        self.routes.nodes[id].live = true;
        let node = &self.routes.nodes[id];
        let route = &self.routes.routes[key];
        let left = route.left.map(|id| &self.routes.nodes[id]);
        for Listener { shared, name, .. } in &*route.listeners {
            shared.confirm_moved(
                *name as usize,
                node.generation,
                node.before(shared),
                left.map(|left| Left {
                    generation: left.generation,
                    is_open: left.open,
                    before: left.before(shared),
                }),
                &mut self.wakeups.wakers,
            );
        }
        self.routes.routes[key].left = None;
        self.answer(key);
        if let Part::Copy(anchor) = self.routes.routes[key].part {
            self.copy_is_confirmed(anchor);
        }
        if let Some(asked) = asked {
            self.routes.set_fence(id, asked);
        }
    }

    /// Wakes those that wait for the server's answer to a name.
    pub(super) fn answer(&mut self, key: Key) {
        let named = self.routes.named(key);
        self.answers.answer(named, &mut self.wakeups.wakers);
    }

    /// Returns whether a fence was sent to a node and has not arrived yet. That for channels is sent last.
    pub(super) fn has_sent(
        &mut self,
        node: NodeId,
        PingFence(sent): PingFence,
        kind: Kind,
    ) -> bool {
        let pings = &mut self.routes.nodes[node].pings;
        let Some(at) = pings.iter().position(|ping| *ping == sent) else {
            return false;
        };
        match kind {
            Kind::Channel => _ = pings.drain(..=at),
            Kind::Shard => {}
            Kind::Pattern | Kind::Invalidation | Kind::Connection => return false,
        }
        true
    }

    /// Moves the fence of a node, unless the connection has fewer subscriptions `left` than are confirmed: the
    /// owner of an attached connection has sent `RESET`. Returns whether it has not.
    pub(super) fn pass_fence(
        &mut self,
        node: NodeId,
        PingFence(sent): PingFence,
        kind: Kind,
        left: Option<u64>,
    ) -> bool {
        let is_shard = kind == Kind::Shard;
        if left.is_some_and(|left| left < self.routes.nodes[node].counts.confirmed(is_shard)) {
            return false;
        }
        if !is_shard {
            self.routes.set_fence(node, sent);
        }
        true
    }

    /// Records the end of a subscription, or the confirmation of tracking that it stands for.
    pub(super) fn unsubscribed(&mut self, node: NodeId, kind: Kind, name: &[u8]) {
        self.last_heard = clock::wall();
        let fence = TrackingFence::of(name).filter(|(_, prefix)| {
            let routes = &self.routes;
            let key = routes.key_at(node, Kind::Invalidation, prefix);
            let is_asked = |key: Key| routes.is_asked(&routes.routes[key]);
            kind == Kind::Channel && key.is_some_and(is_asked)
        });
        let (kind, name) = match fence {
            Some((TrackingFence::On, prefix)) => {
                return self.confirm(node, Kind::Invalidation, prefix);
            }
            Some((TrackingFence::Off, prefix)) => (Kind::Invalidation, prefix),
            None => (kind, name),
        };
        self.routes.nodes[node].turns.behind.ended(kind, name);
        let Some(key) = self.routes.key_at(node, kind, name) else {
            return;
        };
        if *self.routes.state(key) == SubscriptionState::Leaving {
            self.left(key);
        } else {
            self.ended += 1;
            self.turn_off(key, SubscriptionState::Ended);
        }
    }

    /// Records that a name is left. Readers that have come since wait until it is confirmed again.
    pub(super) fn left(&mut self, key: Key) {
        self.turn_off_channels(key);
        self.routes.left(key);
    }

    /// Records that a subscription was denied or has ended.
    fn turn_off(&mut self, key: Key, state: SubscriptionState) {
        self.turn_off_channels(key);
        self.routes.set_state(key, state);
    }

    /// Records in the channels of a name that it is off.
    pub(super) fn turn_off_channels(&mut self, key: Key) {
        let node = self.routes.node_of(key);
        let route = &self.routes.routes[key];
        let left = route.left.map(|id| &self.routes.nodes[id]);
        // No push has arrived through a name that was not live since the previous connection.
        let since = match self.routes.state(key) {
            SubscriptionState::Confirmed | SubscriptionState::Leaving => node.fence,
            _ => node.before.since,
        };
        for Listener { shared, name, .. } in &*route.listeners {
            // It may have been confirmed on the node that it has left.
            let left = left.map(|left| left.before(shared).since);
            shared.turn_off(
                *name as usize,
                node.generation,
                node.before(shared),
                left.map_or(since, |left| left.min(since)),
                &mut self.wakeups.wakers,
            );
        }
    }
}
