//! Names of which every node of a cluster has messages of its own: key events and invalidations.
//!
//! Such a name is on every node that owns slots. It has a route for each of them, its *copies*, and one more
//! that is found by the name, the *anchor*. The anchor knows who wants the name, but is on no node itself:
//!
//! ```text
//!   name ──▶ anchor ──▶ copy on node 1   state, turn, place in the channels
//!              │   └──▶ copy on node 2
//!              ▼
//!          listeners
//! ```
//!
//! | event | what happens |
//! | --- | --- |
//! | a node owns slots that has owned none | each name has a copy there, whose confirmation begins a segment: the time since the node was known not to own slots is a gap |
//! | a node owns slots no more, and is connected | its copies stay until those on all owners are confirmed: it may still pass on what other nodes tell it. What it has sent and was not received by then is part of a gap |
//! | a node owns slots no more, and is lost | its copies go at once. What was lost there is part of the gap of the nodes that have come, or a gap of its own |

use std::collections::BTreeSet;
use std::time::SystemTime;

use rustc_hash::FxHashMap;

use super::name::Listener;
use super::placement::SubscriptionState;
use super::{DispatchState, Dispatcher};
use crate::broadcast::GapStart;
use crate::gap::{GapCause, Missed};
use crate::push::NodeId;
use crate::subscription::Kind;
use crate::util::{Key, clock};

/// What a route is of a name that may be on several nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The name is on one node.
    Whole,
    /// The name is on every node, and this is what its routes have in common.
    Anchor,
    /// The name is on every node, and this is its route on one. The key is that of the anchor.
    Copy(Key),
}

/// The names that are on every node that owns slots.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// The nodes that own slots, as far as they are known.
    pub(super) owners: Vec<NodeId>,
    pub(super) anchors: BTreeSet<Key>,
    /// The route of each name on each node.
    pub(super) copies: FxHashMap<(Key, NodeId), Copy>,
    /// Whether there are copies on other nodes.
    has_surplus: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Copy {
    pub(super) key: Key,
    /// Whether it is being left, because its node does not own slots any more. Others are left when nobody
    /// wants the name.
    pub(super) is_dropped: bool,
}

impl Dispatcher {
    /// Spreads the names that belong on every node over those that own slots. Others have owned none at the
    /// time `since`.
    pub(crate) fn spread(&self, owners: &[NodeId], since: SystemTime) {
        let mut state = self.lock();
        if state.routes.spread.owners == owners && !state.routes.spread.has_surplus {
            return;
        }
        owners.clone_into(&mut state.routes.spread.owners);
        let anchors: Vec<_> = state.routes.spread.anchors.iter().copied().collect();
        state.routes.spread.has_surplus = false;
        for anchor in anchors {
            if state.routes.routes.get(anchor).is_some() {
                state.spread(anchor, since);
            }
        }
        self.wake(state);
        self.notify_changed();
    }
}

impl DispatchState {
    /// Gives a name a copy on each owner, and removes those on nodes that are lost.
    fn spread(&mut self, anchor: Key, since: SystemTime) {
        let routes = &self.routes;
        let copies: Vec<_> = routes.copies_of(anchor).collect();
        let is_elsewhere = |key: &Key| {
            let node = routes.routes[*key].placement.node();
            !routes.spread.owners.contains(&node)
        };
        // If it is connected again, that is too late.
        let is_lost = |key: &Key| is_elsewhere(key) && !routes.state(*key).is_confirmed();
        let lost: Vec<_> = copies.into_iter().filter(is_lost).collect();
        let is_down = |key: &Key| is_elsewhere(key) && !routes.node_of(*key).open;
        let before = lost.iter().flat_map(|key| {
            let node = routes.node_of(*key);
            let listeners = routes.routes[*key].listeners.iter();
            listeners.map(|listener| (listener.clone(), node.before(&listener.shared).since))
        });
        let before: Vec<(Listener, SystemTime)> = before.collect();
        let gone: Vec<_> = routes.dropped_of(anchor).filter(is_down).collect();
        let earliest = before.iter().map(|(_, since)| *since).min();
        let since = earliest.map_or(since, |earliest| earliest.min(since));
        let has_new = self.routes.add_copies(anchor, since);
        for key in lost {
            self.drop_copy(key);
        }
        for key in gone {
            self.routes.remove(key);
        }
        if !has_new {
            for (listener, since) in before {
                let before = GapStart {
                    cause: GapCause::ConnectionLost,
                    missed: Missed::Unknown,
                    since,
                };
                let Listener { shared, index, .. } = listener;
                shared.interrupt_one(index, before, &mut self.wakeups.wakers);
            }
        }
        if self.routes.routes.get(anchor).is_none() {
            // Nobody wanted the name any more, and that was its last copy.
            return;
        }
        self.answer(anchor);
        self.drop_surplus(anchor);
        // Those that a node does not leave go when it is lost.
        let mut dropped = self.routes.dropped_of(anchor);
        let has_dropped = dropped.next().is_some();
        drop(dropped);
        self.routes.spread.has_surplus |= has_dropped;
    }

    /// Removes the copies on nodes that do not own slots any more, once all others are confirmed.
    ///
    /// What such a node has sent as an owner may not have arrived yet, and its connection may be lost without
    /// anybody having noticed. So the time since its fence is a gap.
    pub(super) fn drop_surplus(&mut self, anchor: Key) {
        let routes = &self.routes;
        let is_owner = |key: &Key| {
            let node = routes.routes[*key].placement.node();
            routes.spread.owners.contains(&node)
        };
        let (here, surplus): (Vec<_>, Vec<_>) = routes.copies_of(anchor).partition(is_owner);
        if here.iter().all(|key| routes.state(*key).is_confirmed()) {
            for key in surplus {
                self.doubt_copy(key);
                self.drop_copy(key);
            }
        } else {
            self.routes.spread.has_surplus |= !surplus.is_empty();
        }
    }

    /// Reports a gap to the readers of a copy of which nothing more is taken, if it is confirmed, or was when the
    /// connection was lost. Otherwise what is missing from it is a gap when it is removed.
    fn doubt_copy(&mut self, key: Key) {
        let node = self.routes.node_of(key);
        let state = self.routes.state(key);
        for Listener { shared, index, .. } in &*self.routes.routes[key].listeners {
            let is_of_before = !node.open || shared.entered(node.generation) != node.generation;
            let (cause, since) = match state {
                SubscriptionState::Confirmed => (GapCause::Moved, node.fence),
                SubscriptionState::Pending if is_of_before => {
                    (GapCause::ConnectionLost, node.before(shared).since)
                }
                _ => continue,
            };
            let before = GapStart {
                cause,
                missed: Missed::Unknown,
                since,
            };
            shared.interrupt_one(*index, before, &mut self.wakeups.wakers);
        }
    }

    /// Lets nobody want a copy any more, and ends its subscription.
    fn drop_copy(&mut self, key: Key) {
        self.routes.of_handlers.remove(&key);
        let listeners = self.routes.update(key, |route| {
            (route.handlers, route.readers) = (0, 0);
            std::mem::take(&mut route.listeners)
        });
        for listener in &*listeners {
            let name = listener.name as usize;
            listener.shared.remove_name(name, &mut self.wakeups.wakers);
        }
        let route = &self.routes.routes[key];
        let node = route.placement.node();
        // Tracking ends with the connection.
        let is_tracked = route.subscription().kind() == Kind::Invalidation;
        if self.routes.is_asked(route) && !is_tracked {
            if let Part::Copy(anchor) = route.part
                && let Some(copy) = self.routes.spread.copies.get_mut(&(anchor, node))
            {
                copy.is_dropped = true;
            }
            self.routes.linger(key, clock::now());
        } else {
            self.routes.remove(key);
        }
    }

    /// Records the confirmation of a copy. It may have been the last one that others wait for.
    pub(super) fn copy_is_confirmed(&mut self, anchor: Key) {
        if self.routes.spread.has_surplus {
            self.drop_surplus(anchor);
        }
    }
}
