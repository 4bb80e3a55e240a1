use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::look::Look;
use crate::connection::node_address::NodeAddress;
use crate::connection::slots::{Slot, SlotMap};
use crate::connection::{Destination, LazyConnection, Server};
use crate::error::Error;
use crate::util::{Mutex, clock};

/// How long a slot that has moved counts as still on its way.
const REST: Duration = Duration::from_secs(1);

/// The nodes of a cluster, and which of them has which slots.
pub(super) struct Topology {
    /// The nodes that the user has named, at least one. The others are connected to like the first.
    pub(super) seeds: Vec<Arc<Server>>,
    /// How old the map may be when it is used.
    pub(super) interval: Duration,
    pub(super) known: Mutex<Known>,
    pub(super) stop: CancellationToken,
}

/// What is known of them. No user code runs under the lock.
pub(super) struct Known {
    /// Empty until a node has said it.
    pub(super) map: SlotMap,
    /// The number of the last change that a node has heard of.
    pub(super) epoch: u64,
    /// The nodes that were asked for something and are in the map.
    pub(super) nodes: BTreeMap<NodeAddress, Arc<Node>>,
    /// When slots have last moved, as a `MOVED` said.
    moved: HashMap<Slot, Instant>,
    pub(super) look: Look,
}

/// A node.
pub(super) struct Node {
    pub(super) address: NodeAddress,
    pub(super) connection: LazyConnection,
    /// Whether it did not answer the last time.
    is_suspect: AtomicBool,
}

impl Node {
    pub(super) fn is_suspect(&self) -> bool {
        self.is_suspect.load(Relaxed)
    }

    pub(super) fn suspect(&self, on: bool) {
        self.is_suspect.store(on, Relaxed);
    }
}

impl Topology {
    pub(super) fn new(seeds: Vec<Arc<Server>>, interval: Duration) -> (Arc<Self>, DropGuard) {
        let known = Mutex::new(Known {
            map: SlotMap::new(),
            epoch: 0,
            nodes: BTreeMap::new(),
            moved: HashMap::new(),
            look: Look::default(),
        });
        let stop = CancellationToken::new();
        let end = stop.clone().drop_guard();
        let topology = Self {
            seeds,
            interval,
            known,
            stop,
        };
        (Arc::new(topology), end)
    }

    /// Waits until there is a map.
    ///
    /// # Errors
    ///
    /// Returns an error if no node says which node has which slots.
    pub(super) async fn learned(self: &Arc<Self>) -> Result<(), Error> {
        if self.known.lock().map.covered() > 0 {
            return Ok(());
        }
        self.looked().await?;
        if self.known.lock().map.covered() > 0 {
            return Ok(());
        }
        Err(Error::connection(
            "no node of the cluster has slots: the cluster is not set up yet",
        ))
    }

    /// Returns the node that has a slot. If nobody has it, any node, which says so in its own words.
    ///
    /// # Errors
    ///
    /// Returns an error if a certificate cannot contain the node's host.
    pub(super) fn node_of(self: &Arc<Self>, slot: Slot) -> Result<Arc<Node>, Error> {
        let known = &mut *self.known.lock();
        if known.look.is_older_than(self.interval) {
            self.look_soon_with(known);
        }
        let owner = known.map.owner(slot).or_else(|| {
            let count = known.map.primaries().count().max(1);
            known.map.primaries().nth(slot.index() % count)
        });
        let owner = owner.cloned();
        let owner = owner.ok_or_else(|| {
            Error::connection(format!("no node of the cluster serves slot {slot}"))
        })?;
        self.node_with(known, &owner)
    }

    /// Returns the node at an address.
    ///
    /// # Errors
    ///
    /// Returns an error if a certificate cannot contain its host.
    pub(super) fn node(&self, address: &NodeAddress) -> Result<Arc<Node>, Error> {
        self.node_with(&mut self.known.lock(), address)
    }

    fn node_with(&self, known: &mut Known, address: &NodeAddress) -> Result<Arc<Node>, Error> {
        if let Some(node) = known.nodes.get(address) {
            return Ok(Arc::clone(node));
        }
        let server = Arc::new(self.seeds[0].at(address)?);
        let node = Arc::new(Node {
            address: address.clone(),
            connection: LazyConnection::new(Destination::Server(server)),
            is_suspect: AtomicBool::new(false),
        });
        known.nodes.insert(address.clone(), Arc::clone(&node));
        Ok(node)
    }

    /// Whether a node has a slot, as far as is known.
    pub(super) fn is_owner(&self, node: &NodeAddress, slot: Slot) -> bool {
        self.known.lock().map.owner(slot) == Some(node)
    }

    /// Returns which node has a slot, as far as is known.
    pub(super) fn owner(&self, slot: Slot) -> Option<NodeAddress> {
        self.known.lock().map.owner(slot).cloned()
    }

    /// Whether a slot may still be on its way.
    pub(super) fn has_just_moved(&self, slot: Slot) -> bool {
        let moved = self.known.lock().moved.get(&slot).copied();
        moved.is_some_and(|moved| clock::now() - moved < REST)
    }

    /// Takes over what a `MOVED` says, and has the map looked at soon: other slots may have moved too.
    pub(super) fn moved(self: &Arc<Self>, slot: Slot, to: &NodeAddress) {
        let known = &mut *self.known.lock();
        known.map.set_owner(slot, to);
        let now = clock::now();
        known.moved.retain(|_, moved| now - *moved < REST);
        known.moved.insert(slot, now);
        self.look_soon_with(known);
    }
}

impl Known {
    /// Takes over a map. Nodes that are not in it are forgotten, with their connections.
    pub(super) fn learn(&mut self, map: SlotMap, epoch: u64) {
        self.map = map;
        self.epoch = self.epoch.max(epoch);
        let primaries: Vec<_> = self.map.primaries().collect();
        self.nodes.retain(|address, _| primaries.contains(&address));
    }
}
