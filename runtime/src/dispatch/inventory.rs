//! Which names and which broadcast channels there are.

use std::ops::Range;
use std::sync::Arc;

use super::name::{Listener, Route};
use super::placement::SubscriptionState;
use super::spread::Part;
use super::table::RoutingTable;
use crate::broadcast::Shared;
use crate::push::NodeId;
use crate::subscription::Subscription;
use crate::util::Key;

/// The names of handlers that the server has not confirmed.
pub(crate) struct Unconfirmed {
    pub(crate) names: Vec<UnconfirmedName>,
    /// How many names handlers want.
    pub(crate) total: usize,
}

/// One of them.
pub(crate) struct UnconfirmedName {
    pub(crate) subscription: Subscription,
    pub(crate) state: SubscriptionState,
    /// The node that it is on.
    pub(crate) node: NodeId,
}

impl RoutingTable {
    /// Returns the broadcast channels of handlers with subscriptions on the server.
    pub(crate) fn broadcasts(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.broadcasts.iter()
    }

    /// Returns all broadcast channels with subscriptions on the server.
    pub(crate) fn all_broadcasts(&self) -> impl Iterator<Item = &Arc<Shared>> {
        let routes = self.routes.iter().map(|route| &**route);
        channels(routes).map(|listener| &listener.shared)
    }

    /// Returns the broadcast channels of streams, also of connection events.
    pub(super) fn stream_channels(&self) -> impl Iterator<Item = &Arc<Shared>> {
        let of_routes = self.stream_channels_of(0..self.routes.end());
        of_routes.chain(self.connection_streams.iter())
    }

    /// Returns those of some of the routes.
    pub(super) fn stream_channels_of(
        &self,
        keys: Range<Key>,
    ) -> impl Iterator<Item = &Arc<Shared>> {
        let routes = keys.filter_map(|key| self.routes.get(key));
        let of_streams = channels(routes.map(|route| &**route)).filter(|one| one.is_of_streams);
        of_streams.map(|listener| &listener.shared)
    }

    /// Returns the broadcast channels of connection events.
    pub(crate) fn connection(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.connection.iter().chain(self.connection_streams.iter())
    }

    /// Returns the distinct lengths of the prefixes of invalidations, the shortest first.
    pub(crate) fn prefix_lengths(&self) -> &[usize] {
        &self.prefix_lengths
    }

    /// Returns the prefixes of invalidations.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.invalidations().keys().map(|prefix| &**prefix)
    }

    /// Returns the names that handlers want and the server has not confirmed.
    pub(super) fn unconfirmed(&self) -> Unconfirmed {
        let is_placed = |key: &&Key| self.placed(**key).any(|placed| placed == **key);
        let is_nowhere = |key: &&Key| self.placed(**key).next().is_none();
        let keys = self.of_handlers.iter();
        let keys = keys.filter(|key| is_placed(key) || is_nowhere(key));
        let routes = keys.clone().map(|key| &self.routes[*key]);
        let unconfirmed = routes.filter_map(|route| {
            let state = self.state_of(route);
            let name = || UnconfirmedName {
                subscription: route.subscription().clone(),
                state: state.clone(),
                node: route.placement.node(),
            };
            (!state.is_confirmed()).then(name)
        });
        Unconfirmed {
            names: unconfirmed.collect(),
            total: keys.count(),
        }
    }

    /// Returns the names in a state. This looks at every name.
    pub(crate) fn subscriptions(
        &self,
        wanted: impl Fn(&SubscriptionState) -> bool,
    ) -> Vec<Subscription> {
        // An anchor stands for its copies, until it has some.
        let is_copied = |route: &Route| route.part == Part::Anchor && self.has_owners();
        let routes = self.routes.iter().filter(|route| !is_copied(route));
        let wanted = routes.filter(|route| wanted(self.state_of(route)));
        wanted.map(|route| route.subscription().clone()).collect()
    }

    /// Returns the names that a node has confirmed or was asked for. This looks at every name.
    pub(super) fn asked_names(&self, node: NodeId) -> Vec<Subscription> {
        let here = self.routes.iter().filter(|route| route.is_at(node));
        let asked = here.filter(|route| self.is_asked(route));
        asked.map(|route| route.subscription().clone()).collect()
    }

    /// Returns the invalidations that a node was asked for, confirmed or not.
    pub(super) fn asked_prefixes(&self, node: NodeId) -> Vec<Subscription> {
        let asked = self.prefixes_at(node).filter(|route| self.is_asked(route));
        asked.map(|route| route.subscription().clone()).collect()
    }

    /// Returns the invalidations that a node has confirmed.
    pub(super) fn tracked(&self, node: NodeId) -> Vec<Subscription> {
        let here = self.prefixes_at(node);
        let tracked = here.filter(|route| self.state_of(route).is_confirmed());
        tracked.map(|route| route.subscription().clone()).collect()
    }

    /// Returns whether the server has to be asked for no name. Handlers of connection events do not need it.
    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    fn prefixes_at(&self, node: NodeId) -> impl Iterator<Item = &Route> {
        let keys = self.invalidations().values();
        let here = keys.filter_map(move |key| self.at(*key, node));
        here.map(|key| &*self.routes[key])
    }
}

/// Returns the channels of routes. One with several names is at the route of its first name.
fn channels<'r>(routes: impl Iterator<Item = &'r Route>) -> impl Iterator<Item = &'r Listener> {
    // The channels of copies are those of the anchor.
    let routes = routes.filter(|route| !matches!(route.part, Part::Copy(_)));
    let all = routes.flat_map(|route| route.listeners.iter());
    all.filter(|listener| listener.index == 0)
}
