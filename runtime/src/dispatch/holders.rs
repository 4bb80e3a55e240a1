//! Which broadcast channels hold messages.
//!
//! The memory limit is checked again and again, and most names are quiet most of the time. So a check
//! looks at those through which something has arrived since it last found them empty.

use std::sync::Arc;

use super::table::RoutingTable;
use crate::broadcast::Shared;
use crate::util::Key;

/// The routes whose channels may hold messages, by their keys. A key may be that of a later route.
#[derive(Debug, Default)]
pub(super) struct Holders(Vec<Key>);

impl RoutingTable {
    /// Records that a batch has begun in a channel of a route.
    #[inline]
    pub(super) fn add_holder(&mut self, key: Key) {
        let route = &mut self.routes[key];
        if !route.is_holder {
            route.is_holder = true;
            self.holders.0.push(key);
        }
    }

    /// Returns how much memory the channels hold. One with several names may be counted for each of them,
    /// so it may be less.
    pub(super) fn held_at_most(&mut self) -> usize {
        let mut keys = std::mem::take(&mut self.holders.0);
        keys.sort_unstable();
        keys.dedup();
        let mut total = 0;
        keys.retain(|key| {
            let Some(route) = self.routes.get_mut(*key) else {
                return false;
            };
            let each = route.listeners.iter();
            let held: usize = each.map(|one| one.shared.held().memory()).sum();
            total += held;
            route.is_holder = held > 0;
            route.is_holder
        });
        keys.shrink_to(2 * keys.len());
        self.holders.0 = keys;
        let connection = self.connection().map(|shared| shared.held().memory());
        total + connection.sum::<usize>()
    }

    /// Returns the channels that may hold memory.
    pub(super) fn holders(&self) -> Vec<Arc<Shared>> {
        let routes = self
            .holders
            .0
            .iter()
            .filter_map(|key| self.routes.get(*key));
        let listeners = routes.flat_map(|route| route.listeners.iter());
        let mut holders: Vec<_> = listeners.map(|one| Arc::clone(&one.shared)).collect();
        // One with several names may be here by each of them.
        holders.sort_unstable_by_key(Arc::as_ptr);
        holders.dedup_by(|one, other| Arc::ptr_eq(one, other));
        holders.extend(self.connection().cloned());
        holders
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::Budget;
    use crate::config::Settings;
    use crate::dispatch::Dispatcher;
    use crate::push::Incoming;
    use crate::subscription::{Kind, Subscription};

    #[test]
    fn a_channel_is_a_holder_from_its_first_message_until_it_is_found_empty() {
        let mut routes = RoutingTable::default();
        let names = ["a", "b", "c"].map(Subscription::channel);
        let both = Arc::new(Shared::new(2, Budget::default()));
        routes.add(&both, &names[..2]);
        let other = Arc::new(Shared::new(1, Budget::default()));
        routes.add(&other, &names[2..]);
        let mut receiver = both.subscribe();
        let dispatcher = Dispatcher::new(routes, &Settings::default());
        dispatcher.open(1.into());
        for name in [b"a", b"b", b"c"] {
            let kind = Kind::Channel;
            dispatcher.accept(1.into(), &Incoming::Subscribed { kind, name });
        }
        let holders = || {
            let routes = &mut dispatcher.lock().routes;
            let held = routes.held_at_most();
            let holders = routes.holders();
            assert_eq!(held > 0, !holders.is_empty());
            holders
        };
        assert!(holders().is_empty());
        for name in [b"a", b"b"] {
            let message = Incoming::Message {
                kind: Kind::Channel,
                name,
                channel: name,
                payload: &[0; 100],
            };
            dispatcher.accept(1.into(), &message);
        }
        for _ in 0..2 {
            assert!(matches!(&holders()[..], [one] if Arc::ptr_eq(one, &both)));
        }
        // The gap and the messages, which are in hand then.
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(receiver.poll_recv(&mut context).is_ready());
        assert_eq!(holders().len(), 1);
        drop(receiver);
        assert!(holders().is_empty());
    }
}
