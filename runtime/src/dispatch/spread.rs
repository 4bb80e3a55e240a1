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
//! | a node owns slots no more, and is connected | its copies stay until those on all owners are confirmed: it may still pass on what other nodes tell it |
//! | a node owns slots no more, and is lost | its copies go at once. What was lost there is part of the gap of the nodes that have come, or a gap of its own |

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxHashMap;

use super::counts::WantedBy;
use super::name::{Listener, Route};
use super::placement::SubscriptionState;
use super::placing::Placing;
use super::table::RoutingTable;
use super::{DispatchState, Dispatcher};
use crate::broadcast::{GapStart, Shared};
use crate::gap::{GapCause, Missed};
use crate::push::NodeId;
use crate::subscription::{Kind, Subscription};
use crate::util::{Few, Key, clock};

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
    owners: Vec<NodeId>,
    anchors: BTreeSet<Key>,
    /// The route of each name on each node.
    copies: FxHashMap<(Key, NodeId), Copy>,
    /// Whether there are copies on other nodes.
    has_surplus: bool,
}

#[derive(Clone, Copy, Debug)]
struct Copy {
    key: Key,
    /// Whether it is being left, because its node does not own slots any more. Others are left when nobody
    /// wants the name.
    is_dropped: bool,
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
            state.spread(anchor, since);
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
            listeners.map(|listener| (&listener.shared, node.before(&listener.shared).since))
        });
        let before: Vec<(Arc<Shared>, SystemTime)> = before
            .map(|(shared, since)| (Arc::clone(shared), since))
            .collect();
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
            for (shared, since) in before {
                let before = GapStart {
                    cause: GapCause::ConnectionLost,
                    missed: Missed::Unknown,
                    since,
                };
                shared.interrupt(before, &mut self.wakeups.wakers);
            }
        }
        self.drop_surplus(anchor);
        self.answer(anchor);
    }

    /// Removes the copies on nodes that do not own slots any more, once all others are confirmed.
    pub(super) fn drop_surplus(&mut self, anchor: Key) {
        let routes = &self.routes;
        let is_owner = |key: &Key| {
            let node = routes.routes[*key].placement.node();
            routes.spread.owners.contains(&node)
        };
        let (here, surplus): (Vec<_>, Vec<_>) = routes.copies_of(anchor).partition(is_owner);
        if here.iter().all(|key| routes.state(*key).is_confirmed()) {
            for key in surplus {
                self.drop_copy(key);
            }
        } else {
            self.routes.spread.has_surplus |= !surplus.is_empty();
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

impl RoutingTable {
    /// Whether a name belongs on every node.
    pub(super) fn is_spread(&self, subscription: &Subscription) -> bool {
        matches!(self.placing, Placing::With(_)) && subscription.is_of_keys()
    }

    /// Makes a new route an anchor.
    pub(super) fn add_anchor(&mut self, key: Key) {
        self.spread.anchors.insert(key);
        self.add_copies(key, clock::wall());
    }

    /// Returns the route of a name on a node, if the name is there. The key is that by the name.
    #[inline]
    pub(super) fn at(&self, key: Key, node: NodeId) -> Option<Key> {
        let route = &self.routes[key];
        match route.part {
            Part::Anchor => self.spread.copies.get(&(key, node)).map(|copy| copy.key),
            _ => route.is_at(node).then_some(key),
        }
    }

    /// Returns the copy whose node a message of a name may come from.
    pub(super) fn heard_copy(&self, key: Key, node: NodeId) -> Option<Key> {
        let copy = self.spread.copies.get(&(key, node));
        copy.filter(|copy| !copy.is_dropped).map(|copy| copy.key)
    }

    /// Returns the routes of a name that are on a node: all copies, or the only one.
    pub(super) fn placed(&self, key: Key) -> impl Iterator<Item = Key> {
        let is_anchor = self.routes[key].part == Part::Anchor;
        let only = (!is_anchor).then_some(key);
        only.into_iter().chain(self.copies_of(key))
    }

    /// Returns whether every node has confirmed a name that it is on.
    pub(super) fn is_confirmed(&self, key: Key) -> bool {
        let mut placed = self.placed(key).peekable();
        placed.peek().is_some() && placed.all(|key| self.state(key).is_confirmed())
    }

    /// Returns why a node has denied a name, if one has.
    pub(super) fn denied(&self, key: Key) -> Option<&Arc<str>> {
        self.placed(key).find_map(|key| match self.state(key) {
            SubscriptionState::Denied(reason) => Some(reason),
            _ => None,
        })
    }

    /// Returns how often nodes have denied a name.
    pub(super) fn denials(&self, key: Key) -> u32 {
        let each = self.placed(key).map(|key| self.routes[key].denials);
        each.fold(0, u32::wrapping_add)
    }

    /// Returns the copies of an anchor. Other routes have none.
    pub(super) fn copies_of(&self, key: Key) -> impl Iterator<Item = Key> {
        let copies = self.all_copies_of(key).filter(|copy| !copy.is_dropped);
        copies.map(|copy| copy.key)
    }

    /// Returns those that are being left because their nodes do not own slots any more.
    fn dropped_of(&self, key: Key) -> impl Iterator<Item = Key> {
        let dropped = self.all_copies_of(key).filter(|copy| copy.is_dropped);
        dropped.map(|copy| copy.key)
    }

    fn all_copies_of(&self, key: Key) -> impl Iterator<Item = Copy> {
        let nodes = match self.routes[key].part {
            Part::Anchor => self.nodes.len(),
            _ => 0,
        };
        let nodes = (0..nodes).map(NodeId::at);
        nodes.filter_map(move |node| self.spread.copies.get(&(key, node)).copied())
    }

    /// Changes the route of a name, and its copies.
    pub(super) fn update_all(&mut self, key: Key, mut change: impl FnMut(&mut Route)) {
        let copies: Vec<_> = self.copies_of(key).collect();
        for key in std::iter::once(key).chain(copies) {
            self.update(key, &mut change);
        }
    }

    /// Ends a name that its last reader has left, at a time. Returns whether the session has to know.
    pub(super) fn end_at(&mut self, key: Key, until: tokio::time::Instant) -> bool {
        if self.routes[key].part != Part::Anchor {
            return self.linger(key, until);
        }
        let copies: Vec<_> = self.copies_of(key).collect();
        let mut is_first = false;
        for copy in &copies {
            is_first |= self.linger(*copy, until);
        }
        let is_left = self.all_copies_of(key).next().is_none();
        if is_left && self.routes[key].wanted() == WantedBy::Nobody {
            self.remove(key);
        }
        is_first
    }

    /// Adds a broadcast channel to the route of a name, and to its copies.
    pub(super) fn listen_at(
        &mut self,
        key: Key,
        shared: &Arc<Shared>,
        index: usize,
        streams: bool,
    ) {
        self.routes[key].listen(shared, index, streams);
        let copies: Vec<_> = self.copies_of(key).collect();
        for copy in copies {
            let listener = self.copied(key, shared, clock::wall());
            self.routes[copy].listeners.push(listener);
        }
    }

    /// Removes a copy that has been left, and its anchor with the last one.
    pub(super) fn removed_copy(&mut self, anchor: Key, node: NodeId) {
        self.spread.copies.remove(&(anchor, node));
        let is_last = self.all_copies_of(anchor).next().is_none();
        if is_last && self.routes[anchor].wanted() == WantedBy::Nobody {
            self.remove(anchor);
        }
    }

    pub(super) fn removed_anchor(&mut self, key: Key) {
        self.spread.anchors.remove(&key);
    }

    /// Gives a name that belongs on every node a copy on each owner. Returns whether there are new ones.
    pub(super) fn add_copies(&mut self, anchor: Key, since: SystemTime) -> bool {
        let mut has_new = false;
        if self.routes[anchor].part != Part::Anchor {
            return false;
        }
        for at in 0..self.spread.owners.len() {
            has_new |= self.add_copy(anchor, self.spread.owners[at], since);
        }
        has_new
    }

    fn add_copy(&mut self, anchor: Key, node: NodeId, since: SystemTime) -> bool {
        if self.routes[anchor].wanted() == WantedBy::Nobody {
            return false;
        }
        let key = match self.spread.copies.get_mut(&(anchor, node)) {
            Some(copy) if !copy.is_dropped => return false,
            // It is asked for again when it is left.
            Some(copy) => {
                copy.is_dropped = false;
                copy.key
            }
            None => {
                let list = Arc::clone(&self.routes[anchor].subscriptions);
                let route = Route::new(list, node, self.nodes[node].term, Part::Copy(anchor));
                let key = self.routes.insert(Box::new(route));
                self.nodes[node].count(&self.routes[key]);
                let copy = Copy {
                    key,
                    is_dropped: false,
                };
                self.spread.copies.insert((anchor, node), copy);
                key
            }
        };
        let route = &self.routes[anchor];
        let (handlers, readers) = (route.handlers, route.readers);
        let channels: Vec<_> = route
            .listeners
            .iter()
            .map(|one| Arc::clone(&one.shared))
            .collect();
        let copied = channels
            .iter()
            .map(|shared| self.copied(anchor, shared, since));
        let listeners: Few<_> = copied.collect();
        self.update(key, |copy| {
            (copy.handlers, copy.readers, copy.listeners) = (handlers, readers, listeners);
        });
        if handlers > 0 {
            self.of_handlers.insert(key);
        }
        if self.state(key).is_confirmed() {
            // It was to be left. The gap is over when it is confirmed once more.
            self.ask(key, clock::wall());
            self.set_state(key, SubscriptionState::Ended);
        } else if self.state(key).needs_subscribing() {
            self.queue(key);
        }
        true
    }

    /// Returns the listener of a copy for a channel, of which a name may have been of interest since a time.
    fn copied(&mut self, anchor: Key, shared: &Arc<Shared>, since: SystemTime) -> Listener {
        let mut listeners = self.routes[anchor].listeners.iter_mut();
        let listener = listeners.find(|one| Arc::ptr_eq(&one.shared, shared));
        let listener = listener.expect("the anchor has the listeners of its copies");
        // The anchor itself is confirmed by nobody.
        let name = match std::mem::replace(&mut listener.name, Listener::NO_NAME) {
            Listener::NO_NAME => {
                let name = shared.add_name(since);
                u32::try_from(name).expect("there are fewer than 2^32 nodes")
            }
            name => name,
        };
        Listener {
            shared: Arc::clone(shared),
            name,
            ..*listener
        }
    }
}
