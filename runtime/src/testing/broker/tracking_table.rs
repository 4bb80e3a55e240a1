use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::client::ClientId;

/// The tracking of one client.
#[derive(Default)]
pub(super) struct Tracking {
    pub(super) by_prefix: bool,
    /// Whether the client's own changes are left out. A flush is not left out.
    pub(super) no_loop: bool,
    pub(super) prefixes: BTreeSet<Bytes>,
}

/// The tracking of all clients.
#[derive(Default)]
pub(super) struct TrackingTable {
    pub(super) prefixes: BTreeMap<Bytes, Prefix>,
    /// By key: the clients that have read it and track by key.
    pub(super) readers: HashMap<Bytes, BTreeSet<ClientId>>,
}

/// A tracked prefix.
#[derive(Default)]
pub(super) struct Prefix {
    pub(super) clients: BTreeSet<ClientId>,
    /// The keys that have changed since the last flush, and the client that last changed each; `None`
    /// for an expiry.
    pub(super) changed: BTreeMap<Bytes, Option<ClientId>>,
}
