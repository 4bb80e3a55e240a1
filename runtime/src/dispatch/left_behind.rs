//! Subscriptions that a node may still have although their names have moved to others.
//!
//! A name also moves from a node that is connected, for example because other nodes do not pass on to it what
//! is published at them. The node is asked to end the subscription then: otherwise it would go on sending
//! messages that are discarded here.
//!
//! The name may come back before the node has ended it. What the node still sends then may have been taken from
//! another node, so the name is [`Leaving`](SubscriptionState::Leaving) there until the end has arrived, and is
//! asked for after that. If the node refuses to end the subscription, as it does to a user without the right, what
//! it still sends is discarded while the name is elsewhere, and taken when it comes back. A confirmation of an earlier command is not taken for that of the later one either.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::placement::{SubscriptionState, Turn};
use super::table::RoutingTable;
use crate::subscription::{Kind, Subscription};
use crate::util::Key;

/// The subscriptions on one connection that are left behind.
#[derive(Debug, Default)]
pub(super) struct LeftBehind {
    /// Those whose ends have not arrived, and whether the node is asked to end them.
    names: FxHashMap<(Kind, Box<[u8]>), bool>,
    /// Those that the node has to be asked to end. One may have ended since.
    queue: VecDeque<Subscription>,
}

impl LeftBehind {
    /// Returns whether the node has to be asked to end a subscription.
    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Returns the next subscription that the node has to be asked to end, and records that it is.
    pub(super) fn next(&mut self) -> Option<Subscription> {
        while let Some(subscription) = self.queue.pop_front() {
            let (kind, name) = subscription.key();
            if let Some(is_asked) = self.names.get_mut(&(kind, name.into()))
                && !std::mem::replace(is_asked, true)
            {
                return Some(subscription);
            }
        }
        None
    }

    /// Records that a subscription has ended, if it is one of these.
    pub(super) fn ended(&mut self, kind: Kind, name: &[u8]) {
        if !self.names.is_empty() {
            self.names.remove(&(kind, name.into()));
        }
    }

    fn has(&self, kind: Kind, name: &[u8]) -> bool {
        !self.names.is_empty() && self.names.contains_key(&(kind, name.into()))
    }
}

impl RoutingTable {
    /// Records that a name leaves its node, which may still have the subscription.
    pub(super) fn leave_behind(&mut self, key: Key) {
        let route = &self.routes[key];
        let state = self.state_of(route);
        let is_there = self.is_asked(route) && self.turn_of(route) != Turn::Refused;
        let is_leaving = *state == SubscriptionState::Leaving;
        if !self.node_of(key).open || !(is_there || is_leaving) {
            return;
        }
        let subscription = route.subscription().clone();
        let (kind, name) = subscription.key();
        let behind = &mut self.turns(key).behind;
        // If it is leaving because it was left behind before, it is there already.
        behind
            .names
            .entry((kind, name.into()))
            .or_insert(is_leaving);
        if !is_leaving {
            behind.queue.push_back(subscription);
        }
    }

    /// Queues a name that has come to a node, unless the node has not ended an earlier subscription to it: then
    /// it is queued after that.
    pub(super) fn arrive(&mut self, key: Key) {
        let subscription = &self.routes[key].subscriptions;
        let (kind, name) = subscription[0].key();
        if self.node_of(key).turns.behind.has(kind, name) {
            self.set_state(key, SubscriptionState::Leaving);
        } else {
            self.queue(key);
        }
    }
}
