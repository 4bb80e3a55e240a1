use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::homes::Homes;
use super::look::Look;
use super::taken::Taken;
use super::topology::Node;
use crate::connection::node_address::NodeAddress;
use crate::connection::slots::{Slot, SlotMap};
use crate::util::clock;

/// How long a slot that has moved counts as still on its way.
const REST: Duration = Duration::from_secs(1);

/// How long a node that still accepts commands keeps the slots that others say it has lost.
///
/// A primary that was demoted accepts messages to sharded channels, and passes them on to its successor. But the
/// successor may not know yet that it is a replica now, and passes nothing on to subscribers there. A node
/// that has lost a slot otherwise answers `MOVED`, which counts at once.
const KEPT: Duration = Duration::from_secs(3);

/// What is known of the nodes. No user code runs under the lock.
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
    homes: Homes,
    /// When slots have last moved, as a `MOVED` said.
    moved: HashMap<Slot, Instant>,
    pub(super) taken: Taken,
    pub(super) look: Look,
}

/// Where a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// To the owner of a slot, as all do that are about a key.
    Key(Slot),
    /// To the owner of a slot, as messages to sharded channels do.
    Shard(Slot),
    /// To the home of a slot, as messages to channels do, which every node accepts: the node that was the owner
    /// when the first map came, or another one since that could not be connected to. If they followed the slot, a
    /// message that reaches subscribers over another way between nodes could overtake the one before it.
    Home(Slot),
}

impl Place {
    pub(super) fn slot(self) -> Slot {
        match self {
            Self::Key(slot) | Self::Shard(slot) | Self::Home(slot) => slot,
        }
    }

    /// Whether it is one of messages.
    pub(super) fn is_of_messages(self) -> bool {
        matches!(self, Self::Shard(_) | Self::Home(_))
    }
}

impl Known {
    pub(super) fn new() -> Self {
        Self {
            map: SlotMap::new(),
            latest: SlotMap::new(),
            losing: BTreeMap::new(),
            epoch: 0,
            nodes: BTreeMap::new(),
            homes: Homes::new(),
            moved: HashMap::new(),
            taken: Taken::new(),
            look: Look::default(),
        }
    }

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
        self.homes
            .find(&self.latest, |home| self.latest.knows(home));
        let (latest, homes) = (&self.latest, &self.homes);
        let owners: Vec<_> = self.map.primaries().collect();
        self.nodes
            .retain(|node, _| latest.knows(node) || owners.contains(&node) || homes.knows(node));
    }

    /// Takes the slots of nodes that were kept for long enough.
    pub(super) fn give_up_late(&mut self) {
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
        for slot in (0..Slot::COUNT).filter_map(Slot::new) {
            if self.map.owner(slot) == Some(node)
                && let Some(latest) = self.latest.owner(slot)
            {
                self.map.set_owner(slot, latest);
            }
        }
    }

    pub(super) fn node_of(&self, place: Place) -> Option<&NodeAddress> {
        match place {
            Place::Key(slot) | Place::Shard(slot) => self.map.owner(slot),
            Place::Home(slot) => self.homes.of(slot),
        }
    }

    /// Whether a node has a slot, by what was said last.
    pub(super) fn is_owner(&self, node: &NodeAddress, slot: Slot) -> bool {
        self.latest.owner(slot) == Some(node)
    }

    /// Returns which other node a command goes to.
    pub(super) fn another(&self, place: Place, than: &NodeAddress) -> Option<NodeAddress> {
        let node = self.node_of(place).cloned();
        node.filter(|node| node != than)
    }

    /// Takes from a node all slots that another one has.
    pub(super) fn leave(&mut self, node: &NodeAddress) {
        self.give_up(node);
        self.homes.find(&self.latest, |home| home != node);
    }

    /// Like [`leave`](Self::leave), for a node that cannot be connected to. If nothing has taken over, messages to
    /// channels are published at other nodes.
    pub(super) fn leave_unreachable(&mut self, node: &NodeAddress) {
        self.give_up(node);
        let nodes = &self.nodes;
        let is_lost = |other: &NodeAddress| {
            let known = nodes.get(other);
            other == node || known.is_some_and(|other| other.is_suspect())
        };
        self.homes.leave_unreachable(node, &self.latest, is_lost);
    }

    /// Whether a slot may still be on its way.
    pub(super) fn has_just_moved(&self, slot: Slot) -> bool {
        let moved = self.moved.get(&slot).copied();
        moved.is_some_and(|moved| clock::now() - moved < REST)
    }

    /// Takes over what a `MOVED` says.
    pub(super) fn moved(&mut self, slot: Slot, to: &NodeAddress) {
        self.map.set_owner(slot, to);
        self.latest.set_owner(slot, to);
        let now = clock::now();
        self.moved.retain(|_, moved| now - *moved < REST);
        self.moved.insert(slot, now);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::connection::Endpoint;

    fn node(port: u16) -> NodeAddress {
        NodeAddress::new("a", port)
    }

    fn map<const N: usize>(owners: [u16; N]) -> SlotMap {
        let mut map = SlotMap::new();
        for (slot, port) in (0..).filter_map(Slot::new).zip(owners) {
            map.set_owner(slot, &node(port));
        }
        map
    }

    #[tokio::test]
    async fn the_home_of_a_slot_stays_until_its_node_is_gone_or_lost() {
        let known = RefCell::new(Known::new());
        let slot = Slot::new(0).unwrap();
        let places = || {
            let known = known.borrow();
            let port = |place| known.node_of(place).map(NodeAddress::port);
            (port(Place::Shard(slot)), port(Place::Home(slot)))
        };
        let learn = |owners| known.borrow_mut().learn(map(owners), 1);
        assert_eq!(places(), (None, None));
        learn([1, 2]);
        assert_eq!(places(), (Some(1), Some(1)));
        // The other slot of node 1 keeps it in the map.
        known.borrow_mut().moved(slot, &node(2));
        learn([2, 1]);
        assert_eq!(places(), (Some(2), Some(1)));
        assert_eq!(
            known.borrow().another(Place::Shard(slot), &node(1)),
            Some(node(2))
        );
        assert_eq!(known.borrow().another(Place::Home(slot), &node(1)), None);
        learn([2, 2]);
        assert_eq!(places(), (Some(2), Some(2)));
        learn([1, 2]);
        known.borrow_mut().leave(&node(2));
        assert_eq!(places(), (Some(1), Some(1)));
    }

    #[tokio::test]
    async fn the_home_of_a_slot_leaves_a_node_that_is_out_of_reach_although_nothing_takes_over() {
        let known = RefCell::new(Known::new());
        let slots = [0, 1].map(|slot| Slot::new(slot).unwrap());
        let homes = || {
            let known = known.borrow();
            slots.map(|slot| known.node_of(Place::Home(slot)).map(NodeAddress::port))
        };
        known.borrow_mut().learn(map([1, 2]), 1);
        known.borrow_mut().leave(&node(1));
        assert_eq!(homes(), [Some(1), Some(2)], "its connection was lost");
        known.borrow_mut().leave_unreachable(&node(1));
        assert_eq!(homes(), [Some(2), Some(2)]);
        assert_eq!(
            known.borrow().node_of(Place::Shard(slots[0])),
            Some(&node(1))
        );
        // It may be back, but messages there could overtake those before.
        known.borrow_mut().learn(map([1, 2]), 1);
        assert_eq!(homes(), [Some(2), Some(2)]);
        known.borrow_mut().leave_unreachable(&node(2));
        assert_eq!(homes(), [Some(1), Some(1)]);
        known.borrow_mut().learn(map([1, 1]), 2);
        known.borrow_mut().leave_unreachable(&node(1));
        assert_eq!(homes(), [Some(1), Some(1)], "there is no other one");
    }

    #[tokio::test(start_paused = true)]
    async fn the_homes_of_two_nodes_that_are_out_of_reach_are_at_a_third() {
        let mut known = Known::new();
        let slots = [0, 1, 2].map(|slot| Slot::new(slot).unwrap());
        known.learn(map([1, 2, 3]), 1);
        for port in [1, 2] {
            let to = Endpoint::new("redis://127.0.0.1:1/").into_destination(true);
            let lost = Node::new(node(port), to.unwrap());
            lost.suspect(true);
            known.nodes.insert(node(port), Arc::new(lost));
            known.leave_unreachable(&node(port));
        }
        for slot in slots {
            assert_eq!(known.node_of(Place::Home(slot)), Some(&node(3)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_others_have_replaced_is_kept_for_a_while_unless_it_is_lost() {
        let known = RefCell::new(Known::new());
        let slot = Slot::new(0).unwrap();
        let owner = || {
            let known = &mut *known.borrow_mut();
            known.give_up_late();
            known.map.owner(slot).map(NodeAddress::port)
        };
        let learn = |owners| known.borrow_mut().learn(map(owners), 1);
        learn([1, 2]);
        learn([2, 2]);
        assert_eq!(owner(), Some(1));
        assert!(known.borrow().is_owner(&node(2), slot));
        tokio::time::advance(KEPT / 2).await;
        learn([2, 2]);
        assert_eq!(owner(), Some(1));
        tokio::time::advance(KEPT / 2).await;
        assert_eq!(owner(), Some(2));
        learn([1, 1]);
        assert_eq!(owner(), Some(2));
        known.borrow_mut().leave(&node(2));
        assert_eq!(owner(), Some(1));
    }
}
