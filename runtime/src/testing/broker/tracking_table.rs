use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::client::ClientId;

/// What one client asked to be told.
#[derive(Default)]
pub(super) struct Tracking {
    pub(super) by_prefix: bool,
    /// Not told of its own changes. A flush is told all the same.
    pub(super) no_loop: bool,
    pub(super) prefixes: BTreeSet<Bytes>,
}

/// Who is to be told of what.
#[derive(Default)]
pub(super) struct TrackingTable {
    pub(super) prefixes: BTreeMap<Bytes, Prefix>,
    pub(super) readers: HashMap<Bytes, BTreeSet<ClientId>>,
}

#[derive(Default)]
pub(super) struct Prefix {
    pub(super) clients: BTreeSet<ClientId>,
    /// The keys that changed, and who changed each last.
    pub(super) changed: BTreeMap<Bytes, Option<ClientId>>,
}
