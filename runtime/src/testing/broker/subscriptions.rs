use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::client::ClientId;

/// The three kinds of names a client can subscribe to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Channel,
    Pattern,
    Shard,
}

impl Kind {
    pub(super) const COUNT: usize = 3;
    pub(super) const ALL: [Self; Self::COUNT] = [Self::Channel, Self::Pattern, Self::Shard];

    pub(super) fn subscribed(self) -> &'static str {
        ["subscribe", "psubscribe", "ssubscribe"][self as usize]
    }

    pub(super) fn unsubscribed(self) -> &'static str {
        ["unsubscribe", "punsubscribe", "sunsubscribe"][self as usize]
    }

    pub(super) fn message(self) -> &'static str {
        ["message", "pmessage", "smessage"][self as usize]
    }
}

/// The subscribed clients, by kind and name.
#[derive(Default)]
pub(super) struct Subscriptions(pub(super) [BTreeMap<Bytes, BTreeSet<ClientId>>; Kind::COUNT]);

impl Subscriptions {
    pub(super) fn names(&self, kind: Kind) -> &BTreeMap<Bytes, BTreeSet<ClientId>> {
        &self.0[kind as usize]
    }

    pub(super) fn count(&self, kind: Kind, name: &[u8]) -> usize {
        self.names(kind).get(name).map_or(0, BTreeSet::len)
    }

    pub(super) fn remove(&mut self, kind: Kind, name: &[u8], id: ClientId) {
        if let Some(clients) = self.0[kind as usize].get_mut(name) {
            clients.remove(&id);
            if clients.is_empty() {
                self.0[kind as usize].remove(name);
            }
        }
    }
}
