//! The state of each subscription: what the session asks, and what the server confirms.

use std::sync::Arc;
use std::time::SystemTime;

use super::table::SubscriptionState;
use super::{DispatchState, Dispatcher};
use crate::subscription::{Kind, PingFence, Subscription, TrackingFence};
use crate::util::clock;

impl Dispatcher {
    /// Records that the server is asked for these subscriptions, before the commands are sent.
    pub(crate) fn ask(&self, subscriptions: &[Subscription], now: SystemTime) {
        let mut state = self.lock();
        for subscription in subscriptions {
            let (kind, name) = subscription.key();
            if let Some(route) = state.routes.get_mut(kind, name) {
                // An earlier command may still be confirmed.
                route.asked.get_or_insert(now);
            }
        }
    }

    /// Records that the server has denied a subscription. Returns false if it was denied for the
    /// same reason already.
    pub(crate) fn deny(&self, subscription: &Subscription, reason: &Arc<str>) -> bool {
        let mut state = self.lock();
        let denied = SubscriptionState::Denied(Arc::clone(reason));
        let (kind, name) = subscription.key();
        let is_new = state
            .routes
            .get(kind, name)
            .is_some_and(|route| route.state != denied);
        state.turn_off((kind, name), denied);
        self.wake(state);
        self.notify_changed();
        is_new
    }

    /// Records that the server does not execute the command for a subscription at present. Handlers do
    /// not wait for it: when it is confirmed later, they receive another gap.
    pub(crate) fn postpone(&self, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        if let Some(route) = state.routes.get(kind, name)
            && route.state.needs_subscribing()
        {
            let pending = route.state.clone();
            state.turn_off((kind, name), pending);
            self.wake(state);
        }
    }

    /// Records that a subscription has ended without a push about it.
    pub(crate) fn ended(&self, subscription: &Subscription) {
        let mut state = self.lock();
        state.turn_off(subscription.key(), SubscriptionState::Ended);
        self.wake(state);
        self.notify_changed();
    }

    /// Marks a previously denied subscription as pending again: the server has accepted it.
    pub(crate) fn accepted(&self, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        if let Some(route) = state.routes.get_mut(kind, name)
            && matches!(route.state, SubscriptionState::Denied(_))
        {
            route.state = SubscriptionState::Pending;
        }
    }

    /// Returns the subscriptions with their states on this connection.
    pub(crate) fn subscription_states(&self) -> Vec<(Subscription, SubscriptionState)> {
        self.lock().routes.subscription_states()
    }

    /// Returns the subscriptions whose state is `wanted`.
    pub(crate) fn subscriptions(
        &self,
        wanted: impl Fn(&SubscriptionState) -> bool,
    ) -> Vec<Subscription> {
        self.lock().routes.subscriptions(wanted)
    }

    /// Returns whether the state of every subscription is `wanted`.
    pub(crate) fn all_are(&self, wanted: impl Fn(&SubscriptionState) -> bool) -> bool {
        self.lock().routes.all_are(wanted)
    }

    /// Returns whether the state of some subscription is `wanted`.
    pub(crate) fn any_is(&self, wanted: impl Fn(&SubscriptionState) -> bool) -> bool {
        !self.all_are(|state| !wanted(state))
    }
}

impl DispatchState {
    /// Records the confirmation of a subscription.
    pub(super) fn confirm(&mut self, kind: Kind, name: &[u8]) {
        self.last_heard = clock::wall();
        let Some(route) = self.routes.get_mut(kind, name) else {
            return;
        };
        route.state = SubscriptionState::Confirmed;
        let asked = route.asked.take();
        self.live = true;
        for (shared, index) in &route.broadcasts {
            let index = *index as usize;
            shared.confirm(
                index,
                self.generation,
                self.before,
                &mut self.wakeups.wakers,
            );
        }
        if let Some(asked) = asked {
            self.routes.fence().set(asked);
        }
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
        if left.is_some_and(|left| left < self.routes.confirmed(is_shard)) {
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
        match TrackingFence::of(name) {
            Some((TrackingFence::On, prefix)) if kind == Kind::Channel => {
                self.confirm(Kind::Invalidation, prefix);
            }
            Some((TrackingFence::Off, prefix)) if kind == Kind::Channel => {
                self.turn_off((Kind::Invalidation, prefix), SubscriptionState::Ended);
            }
            _ => self.turn_off((kind, name), SubscriptionState::Ended),
        }
    }

    /// Records that a subscription was denied or has ended.
    fn turn_off(&mut self, (kind, name): (Kind, &[u8]), state: SubscriptionState) {
        let fence = self.routes.fence().time();
        let Some(route) = self.routes.get_mut(kind, name) else {
            return;
        };
        // No push has arrived through a name that was not live since the previous connection.
        let since = match route.state {
            SubscriptionState::Confirmed => fence,
            _ => self.before.since,
        };
        if let SubscriptionState::Denied(_) = state {
            route.asked = None;
        }
        route.state = state;
        for (shared, index) in &route.broadcasts {
            let index = *index as usize;
            shared.turn_off(
                index,
                self.generation,
                self.before,
                since,
                &mut self.wakeups.wakers,
            );
        }
    }
}
