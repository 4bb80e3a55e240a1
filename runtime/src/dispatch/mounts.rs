//! Handlers that are mounted and unmounted while the subscriber runs.

use std::sync::Arc;

use super::placement::SubscriptionState;
use super::streams::Confirmed;
use super::table::RoutingTable;
use super::{DispatchState, Dispatcher};
use crate::broadcast::Shared;
use crate::push::{Generation, NodeId};
use crate::subscription::{Kind, Subscription};
use crate::util::{Key, clock};

/// Where a handler is mounted.
pub(crate) struct MountedAt {
    /// The key of its broadcast channel.
    channel: Key,
    /// How often the server had denied each of its names before.
    denials: Vec<u32>,
}

impl Dispatcher {
    /// Adds the broadcast channel of a handler. Its names are subscribed soon, as far as they are not.
    ///
    /// Returns `None` if the subscriber has ended.
    pub(crate) fn mount(
        &self,
        shared: &Arc<Shared>,
        subscriptions: &[Subscription],
    ) -> Option<MountedAt> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        let channel = state.routes.add(shared, subscriptions);
        let denials = subscriptions.iter().enumerate().map(|(index, one)| {
            let (kind, name) = one.key();
            match state.routes.key(kind, name) {
                Some(key) => state.join(key, shared, index),
                None => {
                    // Connection events are live from the beginning.
                    let before = state.routes.nodes[NodeId::FIRST].before;
                    shared.confirm(index, Generation::NONE, before, &mut state.wakeups.wakers);
                    0
                }
            }
        });
        let denials = denials.collect();
        // The loop of the handler may wait already.
        self.wake(state);
        self.notify_changed();
        Some(MountedAt { channel, denials })
    }

    /// Removes the broadcast channel of a handler, which drains it and ends.
    pub(crate) fn unmount(
        &self,
        at: MountedAt,
        shared: &Arc<Shared>,
        subscriptions: &[Subscription],
    ) {
        let mut state = self.lock();
        let DispatchState {
            routes, wakeups, ..
        } = &mut *state;
        routes.remove_channel(at.channel, subscriptions);
        routes.remove_handler(shared, subscriptions);
        shared.close(&mut wakeups.wakers);
        self.wake(state);
        self.notify_changed();
    }

    /// Returns whether every one of the names is confirmed, or which one the server has denied since the
    /// handler was mounted. `None` means that the server has not answered yet.
    pub(crate) fn answer(
        &self,
        at: &MountedAt,
        subscriptions: &[Subscription],
    ) -> Option<Confirmed> {
        let state = self.lock();
        if state.closed {
            return Some(Confirmed::Ended);
        }
        let mut is_confirmed = true;
        for (subscription, before) in subscriptions.iter().zip(&at.denials) {
            let (kind, name) = subscription.key();
            let Some(key) = state.routes.key(kind, name) else {
                continue;
            };
            match state.routes.state(key) {
                SubscriptionState::Confirmed => {}
                SubscriptionState::Denied(reason)
                    if state.routes.routes[key].denials != *before =>
                {
                    let reason = Arc::clone(reason);
                    return Some(Confirmed::Denied(subscription.clone(), reason));
                }
                _ => is_confirmed = false,
            }
        }
        is_confirmed.then_some(Confirmed::Yes)
    }
}

impl RoutingTable {
    /// Removes the broadcast channel of a handler from the routes of its names.
    fn remove_handler(&mut self, shared: &Arc<Shared>, subscriptions: &[Subscription]) {
        for subscription in subscriptions {
            let (kind, name) = subscription.key();
            if kind == Kind::Connection {
                continue;
            }
            let Some(key) = self.key(kind, name) else {
                continue;
            };
            let is_last = self.stop_listening(key, shared);
            if is_last {
                self.linger(key, clock::now());
            }
        }
    }
}
