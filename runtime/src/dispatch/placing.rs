//! Which node a name is placed on, when it comes and later.

use std::fmt;
use std::hash::BuildHasher as _;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxBuildHasher;

use super::name::Listener;
use super::placement::{Placement, SubscriptionState, Turn};
use super::spread::Part;
use super::table::RoutingTable;
use super::{DispatchState, Dispatcher};
use crate::broadcast::GapStart;
use crate::gap::{GapCause, Missed};
use crate::push::{Generation, NodeId};
use crate::subscription::{Kind, Subscription};
use crate::util::Key;

/// How new names are placed on nodes.
#[derive(Clone)]
pub(crate) enum Placing {
    /// By the hash of the name, over this many connections to one server. Prefixes are all on the first,
    /// because the server compares the prefixes of one connection with each other.
    Hashed(u16),
    /// As somebody says who knows the nodes.
    With(Arc<Place>),
}

/// Says which node a name is placed on.
type Place = dyn Fn(Kind, &[u8]) -> NodeId + Send + Sync;

impl Placing {
    /// All names are on one node.
    pub(crate) const ONE: Self = Self::Hashed(1);

    /// How many nodes there are at first.
    pub(super) fn nodes(&self) -> usize {
        match self {
            Self::Hashed(nodes) => usize::from(*nodes).max(1),
            Self::With(_) => 1,
        }
    }

    /// Returns the node of a name.
    pub(super) fn node_of(&self, kind: Kind, name: &[u8]) -> NodeId {
        match self {
            Self::Hashed(0 | 1) => NodeId::FIRST,
            Self::Hashed(_) if kind == Kind::Invalidation => NodeId::FIRST,
            Self::Hashed(nodes) => {
                let hash = FxBuildHasher.hash_one(name);
                // The high bits of a product are spread better than the low bits of the hash.
                NodeId::at(((u128::from(hash) * u128::from(*nodes)) >> 64) as usize)
            }
            Self::With(place) => place(kind, name),
        }
    }
}

impl fmt::Debug for Placing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hashed(nodes) => f.debug_tuple("Hashed").field(nodes).finish(),
            Self::With(_) => f.write_str("With(..)"),
        }
    }
}

impl Dispatcher {
    /// Adds a node without names. Returns the generation before its first one, which is not the first of all if
    /// the node takes the place of another one that was closed.
    pub(crate) fn add_node(&self) -> Generation {
        let mut state = self.lock();
        if let Some(before) = state.routes.nodes.open_again() {
            return before;
        }
        let id = state.routes.nodes.add();
        self.open.add();
        Generation::before_first(id)
    }

    /// Moves a name from one node, which has [refused](Self::refused) the command for it, to another, where it is
    /// subscribed soon. Does nothing if it is not on the first one any more, or was asked for again since.
    pub(crate) fn move_name(&self, from: NodeId, subscription: &Subscription, to: NodeId) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        if let Some(key) = state.routes.key_at(from, kind, name)
            && state.routes.turn_of(&state.routes.routes[key]) == Turn::Refused
        {
            state.move_to(key, to);
            self.wake(state);
            self.notify_changed();
        }
    }

    /// Moves all names from a node to others, or leaves those of which `to` is `None`. Returns how many
    /// have moved.
    ///
    /// This looks at every name, a part at a time, so that no push has to wait for all of them.
    pub(crate) fn move_names(
        &self,
        from: NodeId,
        to: impl Fn(Kind, &[u8]) -> Option<NodeId>,
    ) -> usize {
        self.move_doubted(from, None, to)
    }

    /// Lets readers begin without the names that are pending on a node, because nobody can say when the server will
    /// answer. What they miss through those is a gap when the names are confirmed.
    pub(crate) fn begin_without(&self, node: NodeId) {
        self.for_each_part(|state, keys| {
            for key in keys {
                let Some(route) = state.routes.routes.get(key) else {
                    continue;
                };
                if route.is_at(node)
                    && route.part != Part::Anchor
                    && state.routes.state_of(route).needs_subscribing()
                {
                    for Listener { shared, name, .. } in &*route.listeners {
                        shared.waive(*name as usize, &mut state.wakeups.wakers);
                    }
                }
            }
        });
    }

    /// Runs something for the keys of all routes, a part at a time, and wakes readers after each.
    fn for_each_part(&self, mut run: impl FnMut(&mut DispatchState, Range<Key>)) {
        const PART: Key = 1_000;
        let mut first = 0;
        loop {
            let mut state = self.lock();
            let end = state.routes.routes.end();
            let until = end.min(first + PART);
            run(&mut state, first..until);
            self.wake(state);
            if until == end {
                return;
            }
            first = until;
        }
    }

    /// Moves names from a node that may have received nothing through them since a time.
    pub(crate) fn move_doubted(
        &self,
        from: NodeId,
        since: Option<SystemTime>,
        to: impl Fn(Kind, &[u8]) -> Option<NodeId>,
    ) -> usize {
        let mut moved = 0;
        self.for_each_part(|state, keys| {
            for key in keys {
                let Some(route) = state.routes.routes.get(key) else {
                    continue;
                };
                if !route.is_at(from) || route.is_spread() {
                    continue;
                }
                let (kind, name) = route.subscription().key();
                if let Some(to) = to(kind, name).filter(|to| *to != from) {
                    if let Some(since) = since {
                        state.doubt(key, since);
                    }
                    state.move_to(key, to);
                    moved += 1;
                }
            }
        });
        if moved > 0 {
            self.notify_changed();
        }
        moved
    }
}

impl Dispatcher {
    /// Reports a gap to the readers of the names on a node that are concerned, because other nodes could not
    /// pass on what was published there since a time.
    ///
    /// This looks at every name, a part at a time, so that no push has to wait for all of them.
    pub(crate) fn interrupt_bus(
        &self,
        node: NodeId,
        since: SystemTime,
        is_concerned: impl Fn(Kind, &[u8]) -> bool,
    ) {
        const PART: Key = 1_000;
        let before = GapStart {
            cause: GapCause::Bus,
            missed: Missed::Unknown,
            since,
        };
        let mut first = 0;
        loop {
            let mut state = self.lock();
            let DispatchState {
                routes, wakeups, ..
            } = &mut *state;
            let end = routes.routes.end();
            let until = end.min(first + PART);
            let here = (first..until).filter_map(|key| routes.routes.get(key));
            // The events of keys do not come over the bus.
            for route in here.filter(|route| route.is_at(node) && !route.is_spread()) {
                let (kind, name) = route.subscription().key();
                if is_concerned(kind, name) {
                    for listener in &*route.listeners {
                        let Listener { shared, index, .. } = listener;
                        shared.interrupt_one(*index, before, &mut wakeups.wakers);
                    }
                }
            }
            self.wake(state);
            if until == end {
                return;
            }
            first = until;
        }
    }
}

impl DispatchState {
    /// Records that the readers of a name that is about to move may have missed something since a time, or since
    /// the fence of its node: what the node has sent since then may not have arrived.
    fn doubt(&mut self, key: Key, since: SystemTime) {
        let before = GapStart {
            cause: GapCause::Bus,
            missed: Missed::Unknown,
            since: since.min(self.routes.node_of(key).fence),
        };
        let wakers = &mut self.wakeups.wakers;
        for listener in &*self.routes.routes[key].listeners {
            let Listener {
                shared,
                name,
                index,
                ..
            } = listener;
            shared.doubt(*name as usize, *index, before, wakers);
        }
    }

    fn move_to(&mut self, key: Key, to: NodeId) {
        let is_heard = matches!(
            self.routes.state(key),
            SubscriptionState::Confirmed | SubscriptionState::Leaving
        );
        if is_heard {
            // What the node still sends is discarded. If its connection is lost, the next confirmation
            // of one of its names reports that.
            if self.routes.node_of(key).open {
                self.turn_off_channels(key);
            }
        }
        self.routes.leave_behind(key);
        self.routes.move_to(key, to);
    }
}

impl RoutingTable {
    fn move_to(&mut self, key: Key, to: NodeId) {
        self.stop_lingering(key);
        let route = &mut self.routes[key];
        let from = &mut self.nodes[route.placement.node()];
        from.uncount(route);
        from.turns.denied.remove(&key);
        // Until it is confirmed again, it is missing since it has left the first of several.
        if from.generation.number() > 0 {
            route.left.get_or_insert(route.placement.node());
        }
        let node = &mut self.nodes[to];
        route.placement = Placement::new(to, node.term);
        node.count(route);
        // If nobody wants it any more, it is removed when it has its turn.
        self.arrive(key);
    }
}
