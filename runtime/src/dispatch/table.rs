//! From a name to its route.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxHashMap;

use super::counts::WantedBy;
use super::holders::Holders;
use super::name::Route;
use super::node::{Node, Nodes};
use super::placement::{SubscriptionState, Turn};
use super::placing::Placing;
use super::spread::{Part, Spread};
use super::turns::Turns;
use crate::broadcast::{Common, Shared};
use crate::push::NodeId;
use crate::subscription::{Kind, Subscription};
use crate::util::{Key, Slots, clock};

/// Maps (kind, subscribed name) to broadcast channels, and places each name on a node.
#[derive(Debug)]
pub(crate) struct RoutingTable {
    /// The names of each kind. Those of invalidations are prefixes of keys, and connection events have
    /// none.
    names: [ByName; KINDS],
    /// The distinct lengths of the prefixes of invalidations, in ascending order.
    pub(super) prefix_lengths: Vec<usize>,
    /// Boxed, so that those of names that have gone take little memory while others stay.
    pub(super) routes: Slots<Box<Route>>,
    /// The routes that handlers want.
    pub(super) of_handlers: BTreeSet<Key>,
    pub(super) spread: Spread,
    pub(super) nodes: Nodes,
    pub(super) placing: Placing,
    /// The broadcast channels of handlers.
    pub(super) broadcasts: Slots<Arc<Shared>>,
    /// The broadcast channels of connection handlers, which have no subscription on the server.
    pub(super) connection: Slots<Arc<Shared>>,
    /// Those of streams of connection events.
    pub(super) connection_streams: Slots<Arc<Shared>>,
    pub(super) holders: Holders,
    /// What all broadcast channels follow.
    pub(super) common: Arc<Common>,
}

/// How many kinds of subscriptions there are.
const KINDS: usize = Kind::Connection as usize + 1;

/// The keys of routes by name.
///
/// The hash has no key. A push can look a name up but not add one.
pub(super) type ByName = FxHashMap<Box<[u8]>, Key>;

impl Default for RoutingTable {
    fn default() -> Self {
        Self::new(Placing::ONE)
    }
}

impl RoutingTable {
    /// Creates a table of names that are placed on nodes in this way.
    pub(crate) fn new(placing: Placing) -> Self {
        Self {
            names: Default::default(),
            prefix_lengths: Vec::new(),
            routes: Slots::default(),
            of_handlers: BTreeSet::new(),
            spread: Spread::default(),
            nodes: Nodes::new(placing.nodes()),
            placing,
            broadcasts: Slots::default(),
            connection: Slots::default(),
            connection_streams: Slots::default(),
            holders: Holders::default(),
            common: Arc::default(),
        }
    }

    /// Adds a handler's broadcast channel of a list of subscriptions. One with a connection subscription
    /// has no others. Returns the key of the channel.
    pub(crate) fn add(&mut self, shared: &Arc<Shared>, subscriptions: &[Subscription]) -> Key {
        shared.follow(&self.common);
        if is_of_connection(subscriptions) {
            return self.connection.insert(Arc::clone(shared));
        }
        let channel = self.broadcasts.insert(Arc::clone(shared));
        for (index, subscription) in subscriptions.iter().enumerate() {
            let key = self.route_of(subscription, None);
            self.update_all(key, |route| route.handlers += 1);
            self.listen_at(key, shared, index, false);
            self.add_copies(key, clock::wall());
            let placed: Vec<_> = self.placed(key).collect();
            self.of_handlers.extend(placed.into_iter().chain([key]));
        }
        channel
    }

    /// Removes a handler's broadcast channel, but not from the routes of its names.
    pub(super) fn remove_channel(&mut self, channel: Key, subscriptions: &[Subscription]) {
        let channels = match is_of_connection(subscriptions) {
            true => &mut self.connection,
            false => &mut self.broadcasts,
        };
        channels.remove(channel);
    }

    /// Returns whether a handler listens to one of these.
    pub(super) fn has_handler_of(&self, subscription: &Subscription) -> bool {
        let (kind, name) = subscription.key();
        match kind {
            Kind::Connection => !self.connection.is_empty(),
            _ => self.get(kind, name).is_some_and(|route| route.handlers > 0),
        }
    }

    /// Removes a handler's broadcast channel from the route of a name. Returns whether nobody wants the
    /// name any more.
    pub(super) fn stop_listening(&mut self, key: Key, shared: &Arc<Shared>) -> bool {
        let mut listened = false;
        self.update_all(key, |route| {
            let is_here = route.unlisten(shared);
            route.handlers -= u32::from(is_here);
            listened |= is_here;
        });
        let wanted = self.routes[key].wanted();
        if listened && wanted != WantedBy::Handlers {
            for key in self.copies_of(key).chain([key]).collect::<Vec<_>>() {
                self.of_handlers.remove(&key);
            }
        }
        listened && wanted == WantedBy::Nobody
    }

    /// Adds a channel of streams to a route, in whose list the name has this index.
    pub(super) fn listen(&mut self, key: Key, shared: &Arc<Shared>, index: usize) {
        shared.follow(&self.common);
        self.listen_at(key, shared, index, true);
    }

    /// Adds the broadcast channel of a stream of connection events. Returns its key.
    pub(super) fn add_connection_channel(&mut self, shared: &Arc<Shared>) -> Key {
        shared.follow(&self.common);
        self.connection_streams.insert(Arc::clone(shared))
    }

    pub(super) fn remove_connection_channel(&mut self, key: Key) {
        self.connection_streams.remove(key);
    }

    /// Returns the key of a name's route, which is created and queued if there is none. If there is a
    /// `list` of nothing but the subscription, the route shares it.
    pub(super) fn route_of(
        &mut self,
        subscription: &Subscription,
        list: Option<&Arc<[Subscription]>>,
    ) -> Key {
        let (kind, name) = subscription.key();
        if let Some(key) = self.key(kind, name) {
            return key;
        }
        let list = list.map_or_else(|| Arc::new([subscription.clone()]), Arc::clone);
        let (node, part) = match self.is_spread(subscription) {
            true => (NodeId::FIRST, Part::Anchor),
            false => (self.placing.node_of(kind, name), Part::Whole),
        };
        let route = Route::new(list, node, self.nodes[node].term, part);
        let key = self.routes.insert(Box::new(route));
        self.names[kind as usize].insert(name.into(), key);
        if kind == Kind::Invalidation {
            self.find_prefix_lengths();
        }
        match part {
            Part::Anchor => self.add_anchor(key),
            _ => {
                self.nodes[node].count(&self.routes[key]);
                self.arrive(key);
            }
        }
        key
    }

    /// Removes a route that nobody wants.
    pub(super) fn remove(&mut self, key: Key) {
        self.stop_lingering(key);
        let route = self.routes.remove(key);
        debug_assert_eq!(route.wanted(), WantedBy::Nobody);
        let node = &mut self.nodes[route.placement.node()];
        node.uncount(&route);
        node.turns.denied.remove(&key);
        match route.part {
            Part::Whole => {}
            Part::Anchor => self.removed_anchor(key),
            Part::Copy(anchor) => {
                for listener in &*route.listeners {
                    listener.shared.forget_name(listener.name as usize);
                }
                self.removed_copy(anchor, route.placement.node());
                return;
            }
        }
        let (kind, name) = route.subscription().key();
        let names = &mut self.names[kind as usize];
        names.remove(name);
        if names.len() < names.capacity() / 8 {
            let capacity = 2 * names.len();
            names.shrink_to(capacity);
        }
        if kind == Kind::Invalidation {
            self.find_prefix_lengths();
        }
    }

    /// Changes a route, and keeps the counts.
    pub(super) fn update<T>(&mut self, key: Key, change: impl FnOnce(&mut Route) -> T) -> T {
        let route = &mut self.routes[key];
        let node = &mut self.nodes[route.placement.node()];
        node.uncount(route);
        route.placement.enter(node.term);
        let changed = change(route);
        node.count(route);
        changed
    }

    /// Sets the state of a name, and returns the previous one.
    pub(super) fn set_state(&mut self, key: Key, state: SubscriptionState) -> SubscriptionState {
        let turns = self.turns(key);
        if let SubscriptionState::Denied(_) = state {
            turns.denied.insert(key);
        } else {
            turns.denied.remove(&key);
        }
        let needs_subscribing = state.needs_subscribing();
        let before = self.update(key, |route| {
            if !needs_subscribing {
                route.placement.set_turn(Turn::None);
            }
            route.placement.set(state)
        });
        if needs_subscribing {
            self.queue(key);
        }
        before
    }

    /// Returns the state of a name.
    pub(super) fn state(&self, key: Key) -> &SubscriptionState {
        self.state_of(&self.routes[key])
    }

    /// Returns the state of the name of a route.
    pub(super) fn state_of<'r>(&self, route: &'r Route) -> &'r SubscriptionState {
        route
            .placement
            .state(self.nodes[route.placement.node()].term)
    }

    /// Returns where the name of a route is on its way to the server.
    pub(super) fn turn_of(&self, route: &Route) -> Turn {
        let placement = &route.placement;
        placement.turn(self.nodes[placement.node()].term)
    }

    /// Returns whether the server may have the subscription of a route: it has confirmed it, or was asked
    /// for it.
    pub(super) fn is_asked(&self, route: &Route) -> bool {
        let placement = &route.placement;
        placement.is_asked(self.nodes[placement.node()].term)
    }

    /// Returns the node of a name.
    pub(super) fn node_of(&self, key: Key) -> &Node {
        &self.nodes[self.routes[key].placement.node()]
    }

    /// Returns the turns of the node of a name.
    pub(super) fn turns(&mut self, key: Key) -> &mut Turns {
        &mut self.nodes[self.routes[key].placement.node()].turns
    }

    /// Returns the key of a name's route, if the name is placed on a node.
    pub(super) fn key_at(&self, node: NodeId, kind: Kind, name: &[u8]) -> Option<Key> {
        self.key(kind, name).and_then(|key| self.at(key, node))
    }

    #[inline]
    pub(crate) fn get(&self, kind: Kind, name: &[u8]) -> Option<&Route> {
        self.key(kind, name).map(|key| &*self.routes[key])
    }

    /// Returns the key of a route, by its name.
    pub(super) fn key(&self, kind: Kind, name: &[u8]) -> Option<Key> {
        self.names[kind as usize].get(name).copied()
    }

    /// Moves the fence of a node, and with it that of all broadcast channels.
    pub(super) fn set_fence(&mut self, node: NodeId, time: SystemTime) {
        self.common.fence.set(self.nodes.set_fence(node, time));
    }

    /// Records that the server is asked for a name.
    pub(super) fn ask(&mut self, key: Key, now: SystemTime) {
        self.update(key, |route| route.placement.ask(now));
    }

    fn find_prefix_lengths(&mut self) {
        let lengths = self.invalidations().keys().map(|prefix| prefix.len());
        self.prefix_lengths = lengths.collect();
        self.prefix_lengths.sort_unstable();
        self.prefix_lengths.dedup();
    }

    pub(super) fn invalidations(&self) -> &ByName {
        &self.names[Kind::Invalidation as usize]
    }
}

/// Whether a handler listens to connection events, and so to nothing on the server.
fn is_of_connection(subscriptions: &[Subscription]) -> bool {
    let mut kinds = subscriptions.iter().map(Subscription::kind);
    kinds.any(|kind| kind == Kind::Connection)
}
