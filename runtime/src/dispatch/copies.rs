//! The routes of the names that are on every node: see [`spread`](super::spread).

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::counts::WantedBy;
use super::name::{Listener, Route};
use super::placement::SubscriptionState;
use super::placing::Placing;
use super::spread::{Copy, Part};
use super::table::RoutingTable;
use crate::broadcast::Shared;
use crate::push::NodeId;
use crate::subscription::Subscription;
use crate::util::{Few, Key, clock};

impl RoutingTable {
    /// Whether a name belongs on every node.
    pub(super) fn is_spread(&self, subscription: &Subscription) -> bool {
        matches!(self.placing, Placing::With(_)) && subscription.is_of_keys()
    }

    /// Whether the nodes that own slots are known.
    pub(super) fn has_owners(&self) -> bool {
        !self.spread.owners.is_empty()
    }

    /// Makes a new route an anchor.
    pub(super) fn add_anchor(&mut self, key: Key) {
        self.spread.anchors.insert(key);
        self.add_copies(key, clock::wall());
    }

    /// Returns the route that is found by the name: the anchor of a copy.
    pub(super) fn named(&self, key: Key) -> Key {
        match self.routes[key].part {
            Part::Copy(anchor) => anchor,
            _ => key,
        }
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

    /// Returns the copies of an anchor. Other routes have none.
    pub(super) fn copies_of(&self, key: Key) -> impl Iterator<Item = Key> {
        let copies = self.all_copies_of(key).filter(|copy| !copy.is_dropped);
        copies.map(|copy| copy.key)
    }

    /// Returns those that are being left because their nodes do not own slots any more.
    pub(super) fn dropped_of(&self, key: Key) -> impl Iterator<Item = Key> {
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
    pub(super) fn end_at(&mut self, key: Key, until: Instant) -> bool {
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
                let name = shared.add_name(listener.index, since);
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
