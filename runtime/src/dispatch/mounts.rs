//! Handlers that are mounted and unmounted while the subscriber runs.

use std::sync::Arc;
use std::task::{Context, Poll};

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
                Some(key) => state.join(key, shared),
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
            routes,
            wakeups,
            answers,
            ..
        } = &mut *state;
        let keys = subscriptions.iter().filter_map(|one| {
            let (kind, name) = one.key();
            routes.key(kind, name)
        });
        // Dropped after the lock.
        let _waiting: Vec<_> = keys
            .filter_map(|key| answers.stop_waiting(key, at.channel))
            .collect();
        routes.remove_channel(at.channel, subscriptions);
        routes.remove_handler(shared, subscriptions);
        shared.close(&mut wakeups.wakers);
        self.wake(state);
        self.notify_changed();
    }

    /// Waits until every one of the names is confirmed, or the server has denied one since the handler was
    /// mounted.
    pub(crate) fn poll_answer(
        &self,
        at: &MountedAt,
        subscriptions: &[Subscription],
        cx: &Context<'_>,
    ) -> Poll<Confirmed> {
        // Dropped after the lock.
        let mut replaced = Vec::new();
        let mut state = self.lock();
        if state.closed {
            return Poll::Ready(Confirmed::Ended);
        }
        let DispatchState {
            routes, answers, ..
        } = &mut *state;
        let mut is_confirmed = true;
        for (subscription, before) in subscriptions.iter().zip(&at.denials) {
            let (kind, name) = subscription.key();
            let Some(key) = routes.key(kind, name) else {
                continue;
            };
            if routes.is_confirmed(key) {
                continue;
            }
            if let Some(reason) = routes.denied(key)
                && routes.routes[key].denials != *before
            {
                let reason = Arc::clone(reason);
                return Poll::Ready(Confirmed::Denied(subscription.clone(), reason));
            }
            is_confirmed = false;
            replaced.extend(answers.wait(key, at.channel, cx));
        }
        match is_confirmed {
            true => Poll::Ready(Confirmed::Yes),
            false => Poll::Pending,
        }
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
                self.end_at(key, clock::now());
            }
        }
    }
}
