use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::known::{Known, Place};
use super::seeds::Seeds;
use crate::connection::node_address::NodeAddress;
use crate::connection::slots::Slot;
use crate::connection::{Destination, LazyConnection};
use crate::error::Error;
use crate::util::Mutex;

/// The nodes of a cluster, and which of them has which slots.
pub(super) struct Topology {
    pub(super) seeds: Seeds,
    /// How old the map may be when it is used.
    pub(super) interval: Duration,
    pub(super) known: Mutex<Known>,
    pub(super) stop: CancellationToken,
}

/// A node.
pub(super) struct Node {
    pub(super) address: NodeAddress,
    pub(super) connection: LazyConnection,
    /// Whether it did not answer the last time.
    is_suspect: AtomicBool,
}

impl Node {
    pub(super) fn new(address: NodeAddress, to: Destination) -> Self {
        Self {
            address,
            connection: LazyConnection::new(to),
            is_suspect: AtomicBool::new(false),
        }
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.is_suspect.load(Relaxed)
    }

    pub(super) fn suspect(&self, on: bool) {
        self.is_suspect.store(on, Relaxed);
    }
}

impl Topology {
    pub(super) fn new(seeds: Seeds, interval: Duration) -> (Arc<Self>, DropGuard) {
        let stop = CancellationToken::new();
        let end = stop.clone().drop_guard();
        let topology = Self {
            seeds,
            interval,
            known: Mutex::new(Known::new()),
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
        self.first_looked().await?;
        if self.known.lock().map.covered() > 0 {
            return Ok(());
        }
        Err(Error::connection(
            "no node of the cluster has slots: the cluster is not set up yet",
        ))
    }

    /// Returns the node that a command goes to, and how long to wait before it is sent, so that it does not overtake
    /// what another node has taken. If nobody has the slot, any node, which says so in its own words.
    ///
    /// # Errors
    ///
    /// Returns an error if the node cannot be connected to from here.
    pub(super) fn node_of(self: &Arc<Self>, place: Place) -> Result<(Arc<Node>, Duration), Error> {
        let (address, rest) = {
            let known = &mut *self.known.lock();
            if known.look.is_older_than(self.interval) {
                self.look_soon_with(known);
            }
            known.give_up_late();
            let slot = place.slot();
            let address = known.node_of(place).or_else(|| {
                let count = known.map.primaries().count().max(1);
                known.map.primaries().nth(slot.index() % count)
            });
            let address = address.ok_or_else(|| {
                Error::connection(format!("no node of the cluster serves slot {slot}"))
            })?;
            let rest = known.taken.rest(place, address);
            if let Some(node) = known.nodes.get(address) {
                return Ok((Arc::clone(node), rest));
            }
            (address.clone(), rest)
        };
        Ok((self.node(&address)?, rest))
    }

    /// Returns the node at an address.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be connected to from here.
    pub(super) fn node(&self, address: &NodeAddress) -> Result<Arc<Node>, Error> {
        if let Some(node) = self.known.lock().nodes.get(address) {
            return Ok(Arc::clone(node));
        }
        // Without the lock, because this asks the user's map of addresses.
        let server = self.seeds.node(address)?;
        let mut known = self.known.lock();
        let node = known
            .nodes
            .entry(address.clone())
            .or_insert_with(|| Arc::new(Node::new(address.clone(), Destination::Server(server))));
        Ok(Arc::clone(node))
    }

    /// Notes that a node has taken a message, or may have.
    pub(super) fn taken(&self, place: Place, node: &NodeAddress) {
        self.known.lock().taken.note(place, node);
    }

    /// Whether a node has a slot, by what was said last.
    pub(super) fn is_owner(&self, node: &NodeAddress, slot: Slot) -> bool {
        self.known.lock().is_owner(node, slot)
    }

    /// Returns which other node a command goes to, as far as is known.
    pub(super) fn another(&self, place: Place, than: &NodeAddress) -> Option<NodeAddress> {
        self.known.lock().another(place, than)
    }

    /// Takes from a node all slots that another one has. It is lost, for us at least.
    pub(super) fn leave(&self, node: &NodeAddress) {
        self.known.lock().leave(node);
    }

    /// Like [`leave`](Self::leave), for a node that cannot be connected to.
    pub(super) fn leave_unreachable(&self, node: &NodeAddress) {
        self.known.lock().leave_unreachable(node);
    }

    /// Whether a slot may still be on its way.
    pub(super) fn has_just_moved(&self, slot: Slot) -> bool {
        self.known.lock().has_just_moved(slot)
    }

    /// Takes over what a `MOVED` says, and has the map looked at soon: other slots may have moved too.
    pub(super) fn moved(self: &Arc<Self>, slot: Slot, to: &NodeAddress) {
        let known = &mut *self.known.lock();
        known.moved(slot, to);
        self.look_soon_with(known);
    }
}
