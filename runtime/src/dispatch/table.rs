use std::sync::Arc;
use std::time::SystemTime;

use rustc_hash::FxHashMap;

use crate::broadcast::{Fence, Shared};
use crate::subscription::{Kind, Subscription};

/// Maps (kind, subscribed name) to broadcast channels.
#[derive(Debug, Default)]
pub(crate) struct RoutingTable {
    channels: ByName,
    patterns: ByName,
    shards: ByName,
    /// By the prefix of the keys.
    invalidations: ByName,
    /// The distinct lengths of those prefixes, in ascending order.
    prefix_lengths: Vec<usize>,
    routes: Vec<Route>,
    broadcasts: Vec<Arc<Shared>>,
    /// The broadcast channels of connection handlers, which have no subscription on the server.
    connection: Vec<Arc<Shared>>,
    /// What all broadcast channels follow.
    fence: Arc<Fence>,
}

/// The indices of routes by name. A fast hash without a key is safe: all names come from the user,
/// and a push can look one up but not add one.
type ByName = FxHashMap<Box<[u8]>, usize>;

/// The route of one subscribed name.
#[derive(Debug)]
pub(crate) struct Route {
    subscription: Subscription,
    pub(crate) state: SubscriptionState,
    /// When the first command was sent that the server may not have confirmed yet.
    pub(super) asked: Option<SystemTime>,
    /// The broadcast channels, each with the subscription's index in its list.
    pub(crate) broadcasts: Vec<(Arc<Shared>, u32)>,
}

/// The state of a subscription on the current connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SubscriptionState {
    /// The server has not answered yet, or was not asked yet.
    Pending,
    Confirmed,
    /// Denied by the server, for this reason.
    Denied(Arc<str>),
    /// Ended by the server's unsubscribe push.
    Ended,
}

impl SubscriptionState {
    /// Returns whether the server must be asked for it.
    pub(crate) fn needs_subscribing(&self) -> bool {
        matches!(self, Self::Pending | Self::Ended)
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        *self == Self::Confirmed
    }

    /// Returns whether it is confirmed or denied.
    pub(crate) fn is_answered(&self) -> bool {
        !self.needs_subscribing()
    }
}

impl RoutingTable {
    /// Adds a broadcast channel of a list of subscriptions. One with a connection subscription has
    /// no others.
    pub(crate) fn add(&mut self, shared: &Arc<Shared>, subscriptions: &[Subscription]) {
        shared.follow(&self.fence);
        let mut kinds = subscriptions.iter().map(Subscription::kind);
        if kinds.any(|kind| kind == Kind::Connection) {
            return self.connection.push(Arc::clone(shared));
        }
        self.broadcasts.push(Arc::clone(shared));
        for (index, subscription) in subscriptions.iter().enumerate() {
            let index = u32::try_from(index).expect("no handler lists 2^32 subscriptions");
            let next = self.routes.len();
            let (kind, name) = subscription.key();
            let at = *self.names_mut(kind).entry(name.into()).or_insert(next);
            if at == next {
                if kind == Kind::Invalidation {
                    self.prefix_lengths.push(name.len());
                    self.prefix_lengths.sort_unstable();
                    self.prefix_lengths.dedup();
                }
                self.routes.push(Route {
                    subscription: subscription.clone(),
                    state: SubscriptionState::Pending,
                    asked: None,
                    broadcasts: Vec::new(),
                });
            }
            let broadcasts = &mut self.routes[at].broadcasts;
            broadcasts.reserve_exact(1);
            broadcasts.push((Arc::clone(shared), index));
        }
    }

    pub(crate) fn get(&self, kind: Kind, name: &[u8]) -> Option<&Route> {
        let names = match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shards,
            Kind::Invalidation => &self.invalidations,
            Kind::Connection => return None,
        };
        names.get(name).map(|at| &self.routes[*at])
    }

    pub(crate) fn get_mut(&mut self, kind: Kind, name: &[u8]) -> Option<&mut Route> {
        let at = *self.names_mut(kind).get(name)?;
        Some(&mut self.routes[at])
    }

    /// Returns the broadcast channels with subscriptions on the server.
    pub(crate) fn broadcasts(&self) -> &[Arc<Shared>] {
        &self.broadcasts
    }

    /// Returns the broadcast channels of connection handlers.
    pub(crate) fn connection(&self) -> &[Arc<Shared>] {
        &self.connection
    }

    /// Returns the distinct lengths of the prefixes of invalidations, the shortest first.
    pub(crate) fn prefix_lengths(&self) -> &[usize] {
        &self.prefix_lengths
    }

    /// Returns the prefixes of invalidations.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.invalidations.keys().map(|prefix| &**prefix)
    }

    pub(crate) fn subscription_states(&self) -> Vec<(Subscription, SubscriptionState)> {
        let both = |route: &Route| (route.subscription.clone(), route.state.clone());
        self.routes.iter().map(both).collect()
    }

    pub(crate) fn subscriptions(
        &self,
        wanted: impl Fn(&SubscriptionState) -> bool,
    ) -> Vec<Subscription> {
        let wanted = self.routes.iter().filter(|route| wanted(&route.state));
        let mut wanted: Vec<_> = wanted.map(|route| route.subscription.clone()).collect();
        // Of overlapping prefixes the server accepts the first, so that must be the shortest.
        wanted.sort_by_key(|subscription| match subscription.kind() {
            Kind::Invalidation => 1 + subscription.name().len(),
            _ => 0,
        });
        wanted
    }

    /// Returns how many sharded channels are confirmed, or how many channels and patterns.
    pub(crate) fn confirmed(&self, are_shards: bool) -> u64 {
        let counts = |route: &&Route| {
            let is_counted = match route.subscription.kind() {
                Kind::Shard => are_shards,
                Kind::Channel | Kind::Pattern => !are_shards,
                Kind::Invalidation | Kind::Connection => false,
            };
            is_counted && route.state.is_confirmed()
        };
        self.routes.iter().filter(counts).count() as u64
    }

    /// Returns whether there is no subscription on the server. Connection handlers do not have one.
    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    pub(crate) fn all_are(&self, wanted: impl Fn(&SubscriptionState) -> bool) -> bool {
        self.routes.iter().all(|route| wanted(&route.state))
    }

    /// Returns the fence of all broadcast channels.
    pub(crate) fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Forgets the subscribe commands of an earlier connection: nothing confirms them any more.
    pub(crate) fn reset_asked(&mut self) {
        for route in &mut self.routes {
            route.asked = None;
        }
    }

    /// Marks every subscription as pending: a new connection has none.
    pub(crate) fn reset_states(&mut self) {
        for route in &mut self.routes {
            route.state = SubscriptionState::Pending;
        }
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
