//! The path of an invalidation: from its keys to the routes of their prefixes, and then that of a message.

use super::DispatchState;
use super::placement::SubscriptionState;
use super::route::{IfFull, Message, Origin};
use super::spread::Part;
use crate::subscription::Kind;
use crate::util::Key;

impl DispatchState {
    /// Appends invalidated keys to the routes of their prefixes. `None` stands for all keys, and so
    /// does the one key that the first releases of Redis 6.0 send for a flush (redis/redis#7463).
    pub(super) fn invalidate(&mut self, from: Origin, keys: Option<&[&[u8]]>) {
        let keys = keys.filter(|keys| *keys != [b"\0"]);
        let Some(keys) = keys else {
            let prefixes: Vec<Box<[u8]>> = self.routes.prefixes().map(Into::into).collect();
            let routed = prefixes
                .iter()
                .filter(|prefix| self.append_invalidation(from, prefix, &[]));
            if routed.count() == 0 {
                self.counts.unrouted += 1;
            }
            return;
        };
        for key in keys {
            let mut is_routed = false;
            for at in 0..self.routes.prefix_lengths().len() {
                if let Some(prefix) = key.get(..self.routes.prefix_lengths()[at]) {
                    is_routed |= self.append_invalidation(from, prefix, key);
                }
            }
            if !is_routed {
                self.counts.unrouted += 1;
            }
        }
    }

    /// Appends an invalidated key to the route of exactly this prefix. Returns whether there is
    /// such a route that is not denied.
    fn append_invalidation(&mut self, from: Origin, prefix: &[u8], key: &[u8]) -> bool {
        let kind = Kind::Invalidation;
        let here = |route: Key| match self.routes.routes[route].part {
            Part::Anchor => self.routes.heard_copy(route, from.node),
            _ => Some(route),
        };
        let route = self.routes.key(kind, prefix).and_then(here);
        match route.map(|route| self.routes.state(route)) {
            // Also before the confirmation: after a lag, the server is asked again on the same
            // connection, and has tracked the keys all the time. On a new connection this may
            // arrive before the gap; harmless, since the gap clears everything.
            Some(
                SubscriptionState::Confirmed
                | SubscriptionState::Pending
                | SubscriptionState::Ended,
            ) => {
                let message = Message {
                    kind,
                    name: prefix,
                    channel: key,
                    payload: &[],
                };
                let appended = self.deliver(from, message, IfFull::Drop);
                debug_assert!(appended.is_ok(), "only `IfFull::Wait` keeps a push back");
                true
            }
            Some(SubscriptionState::Denied(_) | SubscriptionState::Leaving) | None => false,
        }
    }
}
