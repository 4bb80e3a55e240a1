use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::look::Look;
use super::seeds::Seeds;
use crate::connection::node_address::NodeAddress;
use crate::connection::slots::{Slot, SlotMap};
use crate::connection::{Destination, LazyConnection};
use crate::error::Error;
use crate::util::{Mutex, clock};

/// How long a slot that has moved counts as still on its way.
const REST: Duration = Duration::from_secs(1);

/// How long a node that still accepts commands keeps the slots that others say it has lost.
///
/// A primary that was demoted accepts messages to sharded channels, and passes them on to its successor. But the
/// successor may not know yet that it is a replica now, and passes nothing on to subscribers there. A node
/// that has lost a slot otherwise answers `MOVED`, which counts at once.
const KEPT: Duration = Duration::from_secs(3);

/// How long a publisher pauses before it uses the successor of a node.
///
/// What the node has taken before it was replaced goes to the subscribers of its successor over a link between
/// the two. What is published at the successor meanwhile would overtake it.
const SETTLES: Duration = Duration::from_millis(100);

/// The nodes of a cluster, and which of them has which slots.
pub(super) struct Topology {
    pub(super) seeds: Seeds,
    /// How old the map may be when it is used.
    pub(super) interval: Duration,
    pub(super) known: Mutex<Known>,
    pub(super) stop: CancellationToken,
}

/// What is known of them. No user code runs under the lock.
pub(super) struct Known {
    /// The map that is used. Empty until a node has said one.
    pub(super) map: SlotMap,
    /// The map as a node has said it last.
    latest: SlotMap,
    /// Since when nodes are known to have lost slots that they keep in the map that is used.
    losing: BTreeMap<NodeAddress, Instant>,
    /// The number of the last change that a node has heard of.
    pub(super) epoch: u64,
    /// The nodes that were asked for something and are in the map.
    pub(super) nodes: BTreeMap<NodeAddress, Arc<Node>>,
    /// The nodes at which messages to channels are published.
    homes: SlotMap,
    /// When slots have last moved, as a `MOVED` said.
    moved: HashMap<Slot, Instant>,
    /// When a replica has last taken over from its primary, as far as it is used here.
    succeeded: HashMap<NodeAddress, Instant>,
    pub(super) look: Look,
}

/// Where a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// To the owner of a slot, as all do that are about a key or a sharded channel.
    Owner(Slot),
    /// To the home of a slot, as messages to channels do, which every node accepts: the node that was the owner
    /// when the first map came. If they followed the slot, a message that reaches subscribers over another way
    /// between nodes could overtake the one before it.
    Home(Slot),
}

impl Place {
    pub(super) fn slot(self) -> Slot {
        match self {
            Self::Owner(slot) | Self::Home(slot) => slot,
        }
    }
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
    pub(super) fn new(seeds: Seeds, interval: Duration) -> (Arc<Self>, DropGuard) {
        let known = Mutex::new(Known {
            map: SlotMap::new(),
            latest: SlotMap::new(),
            losing: BTreeMap::new(),
            epoch: 0,
            nodes: BTreeMap::new(),
            homes: SlotMap::new(),
            moved: HashMap::new(),
            succeeded: HashMap::new(),
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

    /// Returns the node that a command goes to, and how long to wait before it is sent. If nobody has the slot,
    /// any node, which says so in its own words.
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
            let rest = known.rest_of(address);
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
        let node = known.nodes.entry(address.clone()).or_insert_with(|| {
            Arc::new(Node {
                address: address.clone(),
                connection: LazyConnection::new(Destination::Server(server)),
                is_suspect: AtomicBool::new(false),
            })
        });
        Ok(Arc::clone(node))
    }

    /// Whether a node has a slot, by what was said last.
    pub(super) fn is_owner(&self, node: &NodeAddress, slot: Slot) -> bool {
        self.known.lock().latest.owner(slot) == Some(node)
    }

    /// Returns which other node a command goes to, as far as is known.
    pub(super) fn another(&self, place: Place, than: &NodeAddress) -> Option<NodeAddress> {
        let known = self.known.lock();
        let node = known.node_of(place).cloned();
        node.filter(|node| node != than)
    }

    /// Takes from a node all slots that another one has. It is lost, for us at least.
    pub(super) fn leave(&self, node: &NodeAddress) {
        let known = &mut *self.known.lock();
        known.give_up(node);
        known.find_homes(|_, home| home != node);
    }

    /// Whether a slot may still be on its way.
    pub(super) fn has_just_moved(&self, slot: Slot) -> bool {
        let moved = self.known.lock().moved.get(&slot).copied();
        moved.is_some_and(|moved| clock::now() - moved < REST)
    }

    /// Takes over what a `MOVED` says, and has the map looked at soon: other slots may have moved too.
    pub(super) fn moved(self: &Arc<Self>, slot: Slot, to: &NodeAddress) {
        let known = &mut *self.known.lock();
        if let Some(owner) = known.map.owner(slot).cloned() {
            known.note_successor(&owner, to);
        }
        known.map.set_owner(slot, to);
        known.latest.set_owner(slot, to);
        let now = clock::now();
        known.moved.retain(|_, moved| now - *moved < REST);
        known.moved.insert(slot, now);
        self.look_soon_with(known);
    }
}

impl Known {
    /// Takes over a map. Nodes that are not in it are forgotten, with their connections.
    pub(super) fn learn(&mut self, map: SlotMap, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
        self.latest = map;
        if self.map.covered() == 0 {
            self.map = self.latest.clone();
        }
        let now = clock::now();
        let mut losing = std::mem::take(&mut self.losing);
        for slot in (0..Slot::COUNT).filter_map(Slot::new) {
            let (owner, latest) = (self.map.owner(slot), self.latest.owner(slot));
            match (owner, latest) {
                (Some(owner), Some(latest)) if owner != latest => {
                    let since = losing.remove(owner).unwrap_or(now);
                    self.losing.entry(owner.clone()).or_insert(since);
                }
                (None, Some(latest)) => _ = self.map.set_owner(slot, latest),
                _ => {}
            }
        }
        self.give_up_late();
        self.find_homes(SlotMap::knows);
        let (map, latest, homes) = (&self.map, &self.latest, &self.homes);
        self.nodes
            .retain(|node, _| latest.knows(node) || map.knows(node) || homes.knows(node));
    }

    /// Notes that a node is used now in place of another one, if it was a replica of that.
    fn note_successor(&mut self, of: &NodeAddress, successor: &NodeAddress) {
        let now = clock::now();
        if self.map.replicas_of(of).contains(successor) {
            // All of its slots have come at once, however late each of them is used.
            self.succeeded.retain(|_, since| now - *since < KEPT);
            self.succeeded.entry(successor.clone()).or_insert(now);
        }
    }

    /// Takes the slots of nodes that were kept for long enough.
    fn give_up_late(&mut self) {
        if self.losing.is_empty() {
            return;
        }
        let now = clock::now();
        let late = self
            .losing
            .iter()
            .filter(|(_, since)| now - **since >= KEPT);
        let late: Vec<_> = late.map(|(node, _)| node.clone()).collect();
        late.iter().for_each(|node| self.give_up(node));
    }

    /// Takes from a node the slots that another one has by what was said last.
    fn give_up(&mut self, node: &NodeAddress) {
        self.losing.remove(node);
        let successors: Vec<_> = self.latest.primaries().cloned().collect();
        for successor in successors {
            self.note_successor(node, &successor);
        }
        for slot in (0..Slot::COUNT).filter_map(Slot::new) {
            if self.map.owner(slot) == Some(node)
                && let Some(latest) = self.latest.owner(slot)
            {
                self.map.set_owner(slot, latest);
            }
        }
    }

    /// Makes the owner of a slot its home, unless that is kept.
    fn find_homes(&mut self, is_kept: impl Fn(&SlotMap, &NodeAddress) -> bool) {
        let (homes, map) = (&mut self.homes, &self.latest);
        let old: Vec<_> = homes.primaries().cloned().collect();
        let kept: Vec<_> = old.iter().filter(|home| is_kept(map, home)).collect();
        if kept.len() == old.len() && homes.covered() == Slot::COUNT {
            return;
        }
        for slot in (0..Slot::COUNT).filter_map(Slot::new) {
            let home = homes.owner(slot);
            if let Some(owner) = map.owner(slot)
                && home.is_none_or(|home| !kept.contains(&home))
            {
                homes.set_owner(slot, owner);
            }
        }
    }

    /// Returns how long to wait before a command is sent to a node, because it has taken over just now.
    fn rest_of(&self, node: &NodeAddress) -> Duration {
        let since = self.succeeded.get(node);
        since.map_or(Duration::ZERO, |since| {
            SETTLES.saturating_sub(clock::now().saturating_duration_since(*since))
        })
    }

    fn node_of(&self, place: Place) -> Option<&NodeAddress> {
        match place {
            Place::Owner(slot) => self.map.owner(slot),
            Place::Home(slot) => self.homes.owner(slot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> NodeAddress {
        NodeAddress::new("a", port)
    }

    fn map(owners: [u16; 2]) -> SlotMap {
        let mut map = SlotMap::new();
        for (slot, port) in (0..).filter_map(Slot::new).zip(owners) {
            map.set_owner(slot, &node(port));
        }
        map
    }

    #[tokio::test]
    async fn the_home_of_a_slot_stays_until_its_node_is_gone_or_lost() {
        let known = Topology::new(Seeds::none(), REST).0;
        let slot = Slot::new(0).unwrap();
        let places = || {
            let known = known.known.lock();
            let port = |place| known.node_of(place).map(NodeAddress::port);
            (port(Place::Owner(slot)), port(Place::Home(slot)))
        };
        let learn = |owners| known.known.lock().learn(map(owners), 1);
        assert_eq!(places(), (None, None));
        learn([1, 2]);
        assert_eq!(places(), (Some(1), Some(1)));
        // The other slot of node 1 keeps it in the map.
        known.moved(slot, &node(2));
        learn([2, 1]);
        assert_eq!(places(), (Some(2), Some(1)));
        assert_eq!(known.another(Place::Owner(slot), &node(1)), Some(node(2)));
        assert_eq!(known.another(Place::Home(slot), &node(1)), None);
        learn([2, 2]);
        assert_eq!(places(), (Some(2), Some(2)));
        learn([1, 2]);
        known.leave(&node(2));
        assert_eq!(places(), (Some(1), Some(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_takes_over_is_used_after_a_pause() {
        let known = Topology::new(Seeds::none(), REST).0;
        let at = |port| {
            let host = redis::Value::BulkString(b"a".to_vec());
            let id = redis::Value::BulkString(vec![b'0'; 40]);
            redis::Value::Array(vec![host, redis::Value::Int(port), id])
        };
        let range = [redis::Value::Int(0), redis::Value::Int(1)];
        let nodes = [at(1), at(2)];
        let shard = redis::Value::Array(range.into_iter().chain(nodes).collect());
        let map = SlotMap::parse(&redis::Value::Array(vec![shard]), "a").unwrap();
        known.known.lock().learn(map, 1);
        let places = [0, 1].map(|slot| Place::Owner(Slot::new(slot).unwrap()));
        let rest = |at: usize| {
            let known = known.known.lock();
            known.rest_of(known.node_of(places[at]).unwrap())
        };
        assert_eq!(rest(0), Duration::ZERO);
        // A slot that moves to another shard has no such way.
        known.moved(places[1].slot(), &node(3));
        assert_eq!(rest(1), Duration::ZERO);
        known.moved(places[0].slot(), &node(2));
        assert_eq!(rest(0), SETTLES);
        tokio::time::advance(SETTLES / 2).await;
        known.moved(places[1].slot(), &node(2));
        assert_eq!(rest(0), SETTLES / 2);
        tokio::time::advance(SETTLES / 2).await;
        assert_eq!(rest(0), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_others_have_replaced_is_kept_for_a_while_unless_it_is_lost() {
        let known = Topology::new(Seeds::none(), REST).0;
        let slot = Slot::new(0).unwrap();
        let owner = || {
            let known = &mut *known.known.lock();
            known.give_up_late();
            known.map.owner(slot).map(NodeAddress::port)
        };
        let learn = |owners| known.known.lock().learn(map(owners), 1);
        learn([1, 2]);
        learn([2, 2]);
        assert_eq!(owner(), Some(1));
        assert!(known.is_owner(&node(2), slot));
        tokio::time::advance(KEPT / 2).await;
        learn([2, 2]);
        assert_eq!(owner(), Some(1));
        tokio::time::advance(KEPT / 2).await;
        assert_eq!(owner(), Some(2));
        learn([1, 1]);
        assert_eq!(owner(), Some(2));
        known.leave(&node(2));
        assert_eq!(owner(), Some(1));
    }
}
