use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::ring::Ring;
use crate::subscription::{Kind, Subscription};

/// Who asked for what: (kind, subscribed name) → the rings.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    channels: Names,
    patterns: Names,
    shards: Names,
    routes: Vec<Route>,
    rings: Vec<Arc<Ring>>,
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
    /// Adds a ring that reads `subscriptions`.
    pub(crate) fn add(&mut self, ring: &Arc<Ring>, subscriptions: &[Subscription]) {
        self.rings.push(Arc::clone(ring));
        for (index, subscription) in subscriptions.iter().enumerate() {
            let index = u32::try_from(index).expect("no handler lists 2^32 subscriptions");
            let next = self.routes.len();
            let (kind, name) = subscription.key();
            let at = *self.names_mut(kind).entry(name.into()).or_insert(next);
            if at == next {
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
        };
        names.get(name).map(|at| &self.routes[*at])
    }

    pub(crate) fn get_mut(&mut self, kind: Kind, name: &[u8]) -> Option<&mut Route> {
        let at = *self.names_mut(kind).get(name)?;
        Some(&mut self.routes[at])
    }

    pub(crate) fn rings(&self) -> &[Arc<Ring>] {
        &self.rings
    }

    pub(crate) fn standings(&self) -> Vec<(Subscription, Standing)> {
        let both = |route: &Route| (route.subscription.clone(), route.standing.clone());
        self.routes.iter().map(both).collect()
    }

    pub(crate) fn subscriptions(&self, wanted: impl Fn(&Standing) -> bool) -> Vec<Subscription> {
        self.routes
            .iter()
            .filter(|route| wanted(&route.standing))
            .map(|route| route.subscription.clone())
            .collect()
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
        }
    }
}
