use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::broadcast::Ring;
use crate::subscription::{Kind, Subscription};

/// Who asked for what: (kind, subscribed name) → the rings.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    channels: Names,
    patterns: Names,
    shards: Names,
    /// By the prefix of the keys.
    invalidations: Names,
    /// The lengths that those prefixes have, in order.
    prefix_lengths: Vec<usize>,
    routes: Vec<Route>,
    rings: Vec<Arc<Ring>>,
    /// The rings of those who listen to the connection, which the server has no part in.
    connection: Vec<Arc<Ring>>,
}

/// The keys are the user's own names: what the server pushes can look up, but not fill, a bucket.
type Names = FxHashMap<Box<[u8]>, usize>;

/// One subscribed name.
#[derive(Debug)]
pub(crate) struct Route {
    subscription: Subscription,
    pub(crate) standing: Standing,
    /// The rings, with the subscription's place in each one's list.
    pub(crate) rings: Vec<(Arc<Ring>, u32)>,
}

/// Where a subscription stands on the current connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Asked for, or about to be.
    Wanted,
    Confirmed,
    /// Refused by the server, for this reason.
    Denied(Arc<str>),
    /// Ended by the server's unsubscribe push, wanted or not.
    Ended,
}

impl Routes {
    /// Adds a ring that reads `subscriptions`. One that listens to the connection does nothing
    /// else.
    pub(crate) fn add(&mut self, ring: &Arc<Ring>, subscriptions: &[Subscription]) {
        let mut kinds = subscriptions.iter().map(Subscription::kind);
        if kinds.any(|kind| kind == Kind::Connection) {
            return self.connection.push(Arc::clone(ring));
        }
        self.rings.push(Arc::clone(ring));
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
                    standing: Standing::Wanted,
                    rings: Vec::new(),
                });
            }
            let rings = &mut self.routes[at].rings;
            rings.reserve_exact(1);
            rings.push((Arc::clone(ring), index));
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

    /// The rings of those who listen to the server.
    pub(crate) fn rings(&self) -> &[Arc<Ring>] {
        &self.rings
    }

    /// The rings of those who listen to the connection.
    pub(crate) fn connection(&self) -> &[Arc<Ring>] {
        &self.connection
    }

    /// The lengths of the prefixes that invalidations are asked for by, the shortest first.
    pub(crate) fn prefix_lengths(&self) -> &[usize] {
        &self.prefix_lengths
    }

    /// The prefixes themselves.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &[u8]> {
        self.invalidations.keys().map(|prefix| &**prefix)
    }

    pub(crate) fn standings(&self) -> Vec<(Subscription, Standing)> {
        let both = |route: &Route| (route.subscription.clone(), route.standing.clone());
        self.routes.iter().map(both).collect()
    }

    pub(crate) fn subscriptions(&self, wanted: impl Fn(&Standing) -> bool) -> Vec<Subscription> {
        let wanted = self.routes.iter().filter(|route| wanted(&route.standing));
        let mut wanted: Vec<_> = wanted.map(|route| route.subscription.clone()).collect();
        // Of prefixes that overlap the server takes the first, so that must be the shortest.
        wanted.sort_by_key(|subscription| match subscription.kind() {
            Kind::Invalidation => 1 + subscription.name().len(),
            _ => 0,
        });
        wanted
    }

    /// Whether no name is subscribed to. Who listens to the connection needs none.
    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    pub(crate) fn all_stand(&self, wanted: impl Fn(&Standing) -> bool) -> bool {
        self.routes.iter().all(|route| wanted(&route.standing))
    }

    /// A new connection knows of nothing.
    pub(crate) fn forget_standing(&mut self) {
        for route in &mut self.routes {
            route.standing = Standing::Wanted;
        }
    }

    fn names_mut(&mut self, kind: Kind) -> &mut Names {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
            Kind::Invalidation => &mut self.invalidations,
            Kind::Connection => unreachable!("it is no route"),
        }
    }
}

pub(crate) fn needs_subscribing(standing: &Standing) -> bool {
    matches!(standing, Standing::Wanted | Standing::Ended)
}

pub(crate) fn is_refused_or_confirmed(standing: &Standing) -> bool {
    !needs_subscribing(standing)
}

pub(crate) fn is_confirmed(standing: &Standing) -> bool {
    *standing == Standing::Confirmed
}
