use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxHashMap;
use slab::Slab;

use super::counts::{Counted, Counts, WantedBy};
use super::placement::{Placement, SubscriptionState, Turn};
use super::turns::Turns;
use crate::broadcast::{Fence, Shared};
use crate::subscription::{Kind, Subscription};

/// Maps (kind, subscribed name) to broadcast channels.
///
/// A *term* is a time in which the states of the names hold: from the beginning of a generation to
/// its end, or between two generations. A new term makes every name pending, without a walk over all
/// of them.
#[derive(Debug, Default)]
pub(crate) struct RoutingTable {
    channels: ByName,
    patterns: ByName,
    shards: ByName,
    /// By the prefix of the keys.
    invalidations: ByName,
    /// The distinct lengths of those prefixes, in ascending order.
    prefix_lengths: Vec<usize>,
    pub(super) routes: Slab<Route>,
    /// The routes that handlers want.
    of_handlers: Vec<usize>,
    /// The largest key that a route has had.
    pub(super) last_key: usize,
    pub(super) term: u64,
    pub(super) counts: Counts,
    pub(super) turns: Turns,
    /// The broadcast channels of handlers.
    broadcasts: Vec<Arc<Shared>>,
    /// The broadcast channels of streams.
    streams: Slab<Arc<Shared>>,
    /// The broadcast channels of connection handlers and streams, which have no subscription on the
    /// server.
    connection: Slab<Arc<Shared>>,
    /// What all broadcast channels follow.
    fence: Arc<Fence>,
}

/// The keys of routes by name.
///
/// The hash has no key. A push can look a name up but not add one.
type ByName = FxHashMap<Box<[u8]>, usize>;

/// The route of one subscribed name.
#[derive(Debug)]
pub(crate) struct Route {
    pub(super) subscription: Subscription,
    pub(super) placement: Placement,
    /// The broadcast channels, each with the subscription's index in its list.
    pub(crate) broadcasts: Vec<(Arc<Shared>, u32)>,
    /// How many of them are those of handlers.
    handlers: usize,
    /// How many streams want the name.
    pub(super) readers: usize,
    /// The channel that the streams of this name alone share, with its key.
    pub(super) shared: Option<(Arc<Shared>, usize)>,
    /// Which of the departures of its last reader counts.
    pub(super) departure: u64,
    /// How often the server has denied the name.
    pub(super) denials: u32,
}

impl Route {
    pub(super) fn wanted(&self) -> WantedBy {
        match (self.handlers, self.readers) {
            (0, 0) => WantedBy::Nobody,
            (0, _) => WantedBy::Streams,
            _ => WantedBy::Handlers,
        }
    }

    pub(super) fn counted(&self, term: u64) -> Counted<'_> {
        Counted {
            wanted: self.wanted(),
            kind: self.subscription.kind(),
            state: self.placement.state(term),
            is_in_flight: self.placement.is_in_flight(term),
        }
    }
}

impl RoutingTable {
    /// Adds a handler's broadcast channel of a list of subscriptions. One with a connection subscription
    /// has no others.
    pub(crate) fn add(&mut self, shared: &Arc<Shared>, subscriptions: &[Subscription]) {
        shared.follow(&self.fence);
        let mut kinds = subscriptions.iter().map(Subscription::kind);
        if kinds.any(|kind| kind == Kind::Connection) {
            self.connection.insert(Arc::clone(shared));
            return;
        }
        self.broadcasts.push(Arc::clone(shared));
        for (index, subscription) in subscriptions.iter().enumerate() {
            let key = self.route_of(subscription);
            let is_first = self.update(key, |route| {
                route.handlers += 1;
                route.listen(shared, index);
                route.handlers == 1
            });
            if is_first {
                self.of_handlers.push(key);
            }
        }
    }

    /// Removes a handler's broadcast channel, but not from the routes of its names.
    pub(super) fn remove_channel(&mut self, shared: &Arc<Shared>) {
        self.broadcasts.retain(|other| !Arc::ptr_eq(other, shared));
        self.connection
            .retain(|_, other| !Arc::ptr_eq(other, shared));
    }

    /// Removes a handler's broadcast channel from the route of a name. Returns whether nobody wants the
    /// name any more.
    pub(super) fn stop_listening(&mut self, key: usize, shared: &Arc<Shared>) -> bool {
        let wanted = self.update(key, |route| {
            let listened = route.unlisten(shared);
            route.handlers -= usize::from(listened);
            listened.then(|| route.wanted())
        });
        if matches!(wanted, Some(WantedBy::Streams | WantedBy::Nobody)) {
            self.of_handlers.retain(|other| *other != key);
        }
        wanted == Some(WantedBy::Nobody)
    }

    /// Adds the broadcast channel of streams. Returns its key.
    pub(super) fn add_stream_channel(&mut self, shared: &Arc<Shared>) -> usize {
        shared.follow(&self.fence);
        self.streams.insert(Arc::clone(shared))
    }

    pub(super) fn remove_stream_channel(&mut self, key: usize) {
        self.streams.remove(key);
    }

    /// Adds a broadcast channel of connection events. Returns its key.
    pub(super) fn add_connection_channel(&mut self, shared: &Arc<Shared>) -> usize {
        shared.follow(&self.fence);
        self.connection.insert(Arc::clone(shared))
    }

    pub(super) fn remove_connection_channel(&mut self, key: usize) {
        self.connection.remove(key);
    }

    /// Returns the key of a name's route, which is created and queued if there is none.
    pub(super) fn route_of(&mut self, subscription: &Subscription) -> usize {
        let (kind, name) = subscription.key();
        if let Some(key) = self.names(kind).and_then(|names| names.get(name)) {
            return *key;
        }
        let key = self.routes.insert(Route {
            subscription: subscription.clone(),
            placement: Placement::new(self.term),
            broadcasts: Vec::new(),
            handlers: 0,
            readers: 0,
            shared: None,
            departure: 0,
            denials: 0,
        });
        self.last_key = self.last_key.max(key);
        self.names_mut(kind).insert(name.into(), key);
        if kind == Kind::Invalidation {
            self.find_prefix_lengths();
        }
        self.counts.add(self.routes[key].counted(self.term));
        self.queue(key);
        key
    }

    /// Removes a route that nobody wants.
    pub(super) fn remove(&mut self, key: usize) {
        let route = self.routes.remove(key);
        debug_assert_eq!(route.wanted(), WantedBy::Nobody);
        self.counts.remove(route.counted(self.term));
        self.turns.denied.remove(&key);
        if let Some((_, channel)) = route.shared {
            self.remove_stream_channel(channel);
        }
        let (kind, name) = route.subscription.key();
        let names = self.names_mut(kind);
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
    pub(super) fn update<T>(&mut self, key: usize, change: impl FnOnce(&mut Route) -> T) -> T {
        let route = &mut self.routes[key];
        self.counts.remove(route.counted(self.term));
        route.placement.enter(self.term);
        let changed = change(route);
        self.counts.add(route.counted(self.term));
        changed
    }

    /// Sets the state of a name, and returns the previous one.
    pub(super) fn set_state(&mut self, key: usize, state: SubscriptionState) -> SubscriptionState {
        if let SubscriptionState::Denied(_) = state {
            self.turns.denied.insert(key);
        } else {
            self.turns.denied.remove(&key);
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
    pub(super) fn state(&self, key: usize) -> &SubscriptionState {
        self.routes[key].placement.state(self.term)
    }

    pub(crate) fn get(&self, kind: Kind, name: &[u8]) -> Option<&Route> {
        self.key(kind, name).map(|key| &self.routes[key])
    }

    /// Returns the key of a route, by its name.
    pub(super) fn key(&self, kind: Kind, name: &[u8]) -> Option<usize> {
        self.names(kind)?.get(name).copied()
    }

    /// Begins a term: every name is pending, and no command is sent.
    pub(crate) fn begin_term(&mut self) {
        self.term += 1;
        self.counts.reset();
        self.turns.begin_term();
    }

    /// Returns the broadcast channels of handlers with subscriptions on the server.
    pub(crate) fn broadcasts(&self) -> &[Arc<Shared>] {
        &self.broadcasts
    }

    /// Returns all broadcast channels with subscriptions on the server.
    pub(crate) fn all_broadcasts(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.broadcasts.iter().chain(self.stream_channels())
    }

    /// Returns the broadcast channels of streams with subscriptions on the server.
    pub(super) fn stream_channels(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.streams.iter().map(|(_, shared)| shared)
    }

    /// Returns the broadcast channels of connection events.
    pub(crate) fn connection(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.connection.iter().map(|(_, shared)| shared)
    }

    /// Returns the distinct lengths of the prefixes of invalidations, the shortest first.
    pub(crate) fn prefix_lengths(&self) -> &[usize] {
        &self.prefix_lengths
    }

    /// Returns the prefixes of invalidations.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.invalidations.keys().map(|prefix| &**prefix)
    }

    /// Returns the names that handlers want, with their states.
    pub(crate) fn subscription_states(&self) -> Vec<(Subscription, SubscriptionState)> {
        let routes = self.of_handlers.iter().map(|key| &self.routes[*key]);
        let both = |route: &Route| {
            let state = route.placement.state(self.term).clone();
            (route.subscription.clone(), state)
        };
        routes.map(both).collect()
    }

    /// Returns the names in a state. This looks at every name.
    pub(crate) fn subscriptions(
        &self,
        wanted: impl Fn(&SubscriptionState) -> bool,
    ) -> Vec<Subscription> {
        let routes = self.routes.iter().map(|(_, route)| route);
        let wanted = routes.filter(|route| wanted(route.placement.state(self.term)));
        wanted.map(|route| route.subscription.clone()).collect()
    }

    /// Returns the confirmed invalidations.
    pub(crate) fn tracked(&self) -> Vec<Subscription> {
        let routes = self.invalidations.values().map(|key| &self.routes[*key]);
        let tracked = routes.filter(|route| route.placement.state(self.term).is_confirmed());
        tracked.map(|route| route.subscription.clone()).collect()
    }

    /// Returns whether there is no subscription on the server. Connection handlers do not have one.
    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Returns the fence of all broadcast channels.
    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Records that the server is asked for a name.
    pub(super) fn ask(&mut self, key: usize, now: SystemTime) {
        self.update(key, |route| route.placement.ask(now));
    }

    fn find_prefix_lengths(&mut self) {
        let lengths = self.invalidations.keys().map(|prefix| prefix.len());
        self.prefix_lengths = lengths.collect();
        self.prefix_lengths.sort_unstable();
        self.prefix_lengths.dedup();
    }

    fn names(&self, kind: Kind) -> Option<&ByName> {
        Some(match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shards,
            Kind::Invalidation => &self.invalidations,
            Kind::Connection => return None,
        })
    }

    fn names_mut(&mut self, kind: Kind) -> &mut ByName {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
            Kind::Invalidation => &mut self.invalidations,
            Kind::Connection => unreachable!("connection events are not routed by name"),
        }
    }
}

impl Route {
    /// Adds a broadcast channel, in whose list the name has this index.
    pub(super) fn listen(&mut self, shared: &Arc<Shared>, index: usize) {
        let index = u32::try_from(index).expect("no list has 2^32 subscriptions");
        self.broadcasts.reserve_exact(1);
        self.broadcasts.push((Arc::clone(shared), index));
    }

    /// Removes a broadcast channel. Returns whether it was here.
    pub(super) fn unlisten(&mut self, shared: &Arc<Shared>) -> bool {
        let is_it = |(other, _): &(Arc<Shared>, u32)| Arc::ptr_eq(other, shared);
        let at = self.broadcasts.iter().position(is_it);
        at.map(|at| self.broadcasts.swap_remove(at)).is_some()
    }
}
