//! The state of each subscription: what the session asks, and what the server confirms.

use std::sync::Arc;

use super::counts::WantedBy;
use super::name::Listener;
use super::placement::SubscriptionState;
use super::table::Unconfirmed;
use super::{DispatchState, Dispatcher};
use crate::subscription::{Kind, PingFence, Subscription, TrackingFence};
use crate::util::{Key, clock};

impl Dispatcher {
    /// Records that the server has denied a subscription. Returns who wants it, if that is news: it was not
    /// denied for the same reason before on this connection.
    pub(crate) fn deny(&self, subscription: &Subscription, reason: &Arc<str>) -> Option<WantedBy> {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        let key = state.routes.key(kind, name)?;
        let denied = SubscriptionState::Denied(Arc::clone(reason));
        let is_new = *state.routes.state(key) != denied;
        let wanted = state.routes.routes[key].wanted();
        state.routes.update(key, |route| {
            route.denials = route.denials.wrapping_add(1);
            route.placement.take_asked();
        });
        state.turn_off(key, denied);
        self.wake(state);
        self.notify_changed();
        is_new.then_some(wanted)
    }

    /// Records that the server does not execute the command for a subscription at present. Handlers do
    /// not wait for it: when it is confirmed later, they receive another gap.
    pub(crate) fn postpone(&self, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        let Some(key) = state.routes.key(kind, name) else {
            return;
        };
        if state.routes.state(key).needs_subscribing() {
            state.routes.postpone(key);
            state.turn_off_channels(key);
            self.wake(state);
        }
    }

    /// Records that a subscription has ended without a push about it.
    pub(crate) fn ended(&self, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        if let Some(key) = state.routes.key(kind, name) {
            state.turn_off(key, SubscriptionState::Ended);
        }
        self.wake(state);
        self.notify_changed();
    }

    /// Marks a previously denied subscription as pending again: the server has accepted it, and its
    /// confirmation follows.
    pub(crate) fn accepted(&self, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        let routes = &mut state.routes;
        if let Some(key) = routes.key(kind, name)
            && matches!(routes.state(key), SubscriptionState::Denied(_))
        {
            routes.turns.denied.remove(&key);
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

    /// Returns the names that the server has confirmed or was asked for. This looks at every name.
    pub(crate) fn asked_names(&self) -> Vec<Subscription> {
        self.lock().routes.asked_names()
    }

    /// Returns the confirmed invalidations.
    pub(crate) fn tracked(&self) -> Vec<Subscription> {
        self.lock().routes.tracked()
    }

    /// Returns the invalidations that the server was asked for, confirmed or not.
    pub(crate) fn asked_prefixes(&self) -> Vec<Subscription> {
        self.lock().routes.asked_prefixes()
    }

    /// Returns whether a sharded channel is confirmed.
    pub(crate) fn has_confirmed_shards(&self) -> bool {
        self.lock().routes.counts.confirmed(true) > 0
    }

    /// Returns whether handlers want a channel, a pattern or a sharded channel.
    pub(crate) fn has_subscribed_handlers(&self) -> bool {
        self.lock().routes.counts.has_subscribed()
    }
}

impl DispatchState {
    /// Records the confirmation of a subscription.
    pub(super) fn confirm(&mut self, kind: Kind, name: &[u8]) {
        self.last_heard = clock::wall();
        let Some(key) = self.routes.key(kind, name) else {
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
        self.live = true;
        for Listener { shared, index, .. } in &*self.routes.routes[key].listeners {
            let before = self.ends.before(shared.entered(), self.before);
            shared.confirm(
                *index as usize,
                self.generation,
                before,
                &mut self.wakeups.wakers,
            );
        }
        if let Some(asked) = asked {
            self.routes.fence().set(asked);
        }
    }

    /// Returns whether a fence was sent and has not arrived yet. That for channels is sent last.
    pub(super) fn has_sent(&mut self, PingFence(sent): PingFence, kind: Kind) -> bool {
        let Some(at) = self.pings.iter().position(|ping| *ping == sent) else {
            return false;
        };
        match kind {
            Kind::Channel => _ = self.pings.drain(..=at),
            Kind::Shard => {}
            Kind::Pattern | Kind::Invalidation | Kind::Connection => return false,
        }
        true
    }

    /// Moves the fence, unless the connection has fewer subscriptions `left` than are confirmed: the
    /// owner of an attached connection has sent `RESET`. Returns whether it has not.
    pub(super) fn pass_fence(
        &mut self,
        PingFence(sent): PingFence,
        kind: Kind,
        left: Option<u64>,
    ) -> bool {
        let is_shard = kind == Kind::Shard;
        if left.is_some_and(|left| left < self.routes.counts.confirmed(is_shard)) {
            return false;
        }
        if !is_shard {
            self.routes.fence().set(sent);
        }
        true
    }

    /// Records the end of a subscription, or the confirmation of tracking that it stands for.
    pub(super) fn unsubscribed(&mut self, kind: Kind, name: &[u8]) {
        self.last_heard = clock::wall();
        let fence = TrackingFence::of(name).filter(|(_, prefix)| {
            let route = self.routes.get(Kind::Invalidation, prefix);
            kind == Kind::Channel && route.is_some_and(|route| route.is_asked(self.routes.term))
        });
        let (kind, name) = match fence {
            Some((TrackingFence::On, prefix)) => {
                return self.confirm(Kind::Invalidation, prefix);
            }
            Some((TrackingFence::Off, prefix)) => (Kind::Invalidation, prefix),
            None => (kind, name),
        };
        let Some(key) = self.routes.key(kind, name) else {
            return;
        };
        if *self.routes.state(key) == SubscriptionState::Leaving {
            self.left(key);
        } else {
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
    fn turn_off_channels(&mut self, key: Key) {
        // No push has arrived through a name that was not live since the previous connection.
        let since = match self.routes.state(key) {
            SubscriptionState::Confirmed | SubscriptionState::Leaving => self.routes.fence().time(),
            _ => self.before.since,
        };
        for Listener { shared, index, .. } in &*self.routes.routes[key].listeners {
            let before = self.ends.before(shared.entered(), self.before);
            shared.turn_off(
                *index as usize,
                self.generation,
                before,
                since,
                &mut self.wakeups.wakers,
            );
        }
    }
}
