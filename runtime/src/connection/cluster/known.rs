use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::homes::Homes;
use super::look::Look;
use super::pauses::Pauses;
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
    pauses: Pauses,
    pub(super) look: Look,
}

/// Where a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// To the owner of a slot, as all do that are about a key or a sharded channel.
    Owner(Slot),
    /// To the home of a slot, as messages to channels do, which every node accepts: the node that was the owner
    /// when the first map came, or another one since that could not be connected to. If they followed the slot, a
    /// message that reaches subscribers over another way between nodes could overtake the one before it.
    Home(Slot),
}

impl Place {
    pub(super) fn slot(self) -> Slot {
        match self {
            Self::Owner(slot) | Self::Home(slot) => slot,
        }
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
            pauses: Pauses::default(),
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
        for primary in self.latest.primaries() {
            // A node that was demoted keeps those that it had: one of them is its successor.
            self.map
                .set_replicas(primary, self.latest.replicas_of(primary));
        }
        self.give_up_late();
        let successors = self
            .homes
            .find(&self.latest, |home| self.latest.knows(home));
        self.note_homes(successors);
        let (map, latest, homes) = (&self.map, &self.latest, &self.homes);
        self.nodes
            .retain(|node, _| latest.knows(node) || map.knows(node) || homes.knows(node));
    }

    /// Whether two nodes are of one shard, of which one has slots now that the other one had. Then the other one
    /// counts as its replica: it may take over again, before a node says whose replica it is.
    fn note_successor(&mut self, owner: &NodeAddress, to: &NodeAddress) -> bool {
        let replicas = self.map.replicas_of(owner);
        // It may have been the primary before, or have become one while nobody asked.
        let was_replica = |map: &SlotMap| map.replicas_of(to).contains(owner);
        let is_noted = was_replica(&self.map);
        if !replicas.contains(to) && !is_noted && !was_replica(&self.latest) {
            return false;
        }
        if !is_noted {
            let others = replicas.iter().filter(|replica| *replica != to);
            let replicas: Vec<_> = others.chain([owner]).cloned().collect();
            self.map.set_replicas(to, &replicas);
        }
        true
    }

    /// Notes that nodes are used now in place of others.
    fn note_homes(&mut self, successors: Vec<NodeAddress>) {
        for home in successors {
            self.pauses.start_home(home);
        }
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
        let mut successors: Vec<&NodeAddress> = Vec::new();
        for slot in (0..Slot::COUNT).filter_map(Slot::new) {
            if self.map.owner(slot) == Some(node)
                && let Some(latest) = self.latest.owner(slot).filter(|latest| *latest != node)
            {
                self.map.set_owner(slot, latest);
                if !successors.contains(&latest) {
                    successors.push(latest);
                }
            }
        }
        let successors: Vec<_> = successors.into_iter().cloned().collect();
        for successor in successors {
            if self.note_successor(node, &successor) {
                self.pauses.start_owner(&successor);
            }
        }
    }

    /// Returns how long to wait before a command is sent, because its node has taken over just now.
    pub(super) fn rest_of(&self, place: Place) -> Duration {
        let rest = self.node_of(place).map(|node| match place {
            Place::Owner(slot) => self.pauses.rest_of_owner(node, slot),
            Place::Home(_) => self.pauses.rest_of_home(node),
        });
        rest.unwrap_or_default()
    }

    pub(super) fn node_of(&self, place: Place) -> Option<&NodeAddress> {
        match place {
            Place::Owner(slot) => self.map.owner(slot),
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
        let successors = self.homes.find(&self.latest, |home| home != node);
        self.note_homes(successors);
    }

    /// Like [`leave`](Self::leave), for a node that cannot be connected to. If nothing has taken over, messages to
    /// channels are published at other nodes, after the pause that is made for a successor.
    pub(super) fn leave_unreachable(&mut self, node: &NodeAddress) {
        self.give_up(node);
        let nodes = &self.nodes;
        let is_lost = |other: &NodeAddress| {
            let known = nodes.get(other);
            other == node || known.is_some_and(|other| other.is_suspect())
        };
        let successors = self.homes.leave_unreachable(node, &self.latest, is_lost);
        self.note_homes(successors);
    }

    /// Whether a slot may still be on its way.
    pub(super) fn has_just_moved(&self, slot: Slot) -> bool {
        let moved = self.moved.get(&slot).copied();
        moved.is_some_and(|moved| clock::now() - moved < REST)
    }

    /// Takes over what a `MOVED` says.
    pub(super) fn moved(&mut self, slot: Slot, to: &NodeAddress) {
        let owner = self.map.owner(slot).filter(|owner| *owner != to).cloned();
        self.map.set_owner(slot, to);
        if owner.is_some_and(|owner| self.note_successor(&owner, to)) {
            self.pauses.start_slot(slot);
        }
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
    use crate::connection::cluster::pauses::PAUSE;

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
            (port(Place::Owner(slot)), port(Place::Home(slot)))
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
            known.borrow().another(Place::Owner(slot), &node(1)),
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
            known.borrow().node_of(Place::Owner(slots[0])),
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
            assert_eq!(known.rest_of(Place::Home(slot)), PAUSE);
            assert_eq!(known.rest_of(Place::Owner(slot)), Duration::ZERO);
        }
        tokio::time::advance(PAUSE).await;
        assert_eq!(known.rest_of(Place::Home(slots[0])), Duration::ZERO);
        // Again, long after the last time.
        tokio::time::advance(KEPT).await;
        known.learn(map([1, 2, 3]), 2);
        known.homes = Homes::new();
        _ = known.homes.find(&known.latest, |_| true);
        known.leave_unreachable(&node(1));
        assert_eq!(known.rest_of(Place::Home(slots[0])), PAUSE);
    }

    /// A map with one shard, which owns the first two slots.
    fn shard<const N: usize>(primary_and_replicas: [u16; N]) -> SlotMap {
        let at = |port| {
            let host = redis::Value::BulkString(b"a".to_vec());
            let id = redis::Value::BulkString(vec![b'0'; 40]);
            redis::Value::Array(vec![host, redis::Value::Int(port), id])
        };
        let range = [redis::Value::Int(0), redis::Value::Int(1)];
        let nodes = primary_and_replicas.map(|port| at(port.into()));
        let shard = redis::Value::Array(range.into_iter().chain(nodes).collect());
        SlotMap::parse(&redis::Value::Array(vec![shard]), "a").unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn nodes_of_a_shard_that_take_over_in_turn_are_used_after_a_pause_each_time() {
        let slot = Slot::new(0).unwrap();
        // By `MOVED`, or by the maps of nodes that know the replicas at once, or later.
        for (is_moved, knows) in [(true, false), (false, true), (false, false)] {
            let mut known = Known::new();
            known.learn(shard([1, 2, 3]), 1);
            for port in [2, 1, 3, 2, 3, 1] {
                let of_shard = match port {
                    _ if !knows => shard([port]),
                    1 => shard([1, 2, 3]),
                    2 => shard([2, 1, 3]),
                    _ => shard([3, 1, 2]),
                };
                match is_moved {
                    true => known.moved(slot, &node(port)),
                    false => {
                        known.learn(of_shard, 1);
                        tokio::time::advance(KEPT).await;
                        known.give_up_late();
                    }
                }
                assert_eq!(known.node_of(Place::Owner(slot)), Some(&node(port)));
                assert_eq!(known.rest_of(Place::Owner(slot)), PAUSE, "{port}");
                tokio::time::advance(PAUSE * 2).await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_primary_that_takes_over_again_unseen_is_used_after_a_pause() {
        let slot = Slot::new(0).unwrap();
        let mut known = Known::new();
        known.learn(shard([1, 2]), 1);
        known.moved(slot, &node(2));
        // It is restarted, and not listed.
        known.learn(shard([2]), 2);
        tokio::time::advance(KEPT).await;
        known.moved(slot, &node(1));
        assert_eq!(known.rest_of(Place::Owner(slot)), PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_home_is_used_after_a_pause_although_the_slots_have_moved_long_before() {
        let slot = Slot::new(0).unwrap();
        let mut known = Known::new();
        known.learn(shard([1, 2]), 1);
        known.learn(shard([2, 1]), 2);
        tokio::time::advance(KEPT).await;
        known.give_up_late();
        tokio::time::advance(KEPT).await;
        assert_eq!(known.node_of(Place::Home(slot)), Some(&node(1)));
        assert_eq!(known.rest_of(Place::Home(slot)), Duration::ZERO);
        known.leave(&node(1));
        assert_eq!(known.node_of(Place::Home(slot)), Some(&node(2)));
        assert_eq!(known.rest_of(Place::Home(slot)), PAUSE);
        // Each change of the home starts a new pause.
        tokio::time::advance(PAUSE).await;
        known.learn(shard([3]), 3);
        assert_eq!(known.node_of(Place::Home(slot)), Some(&node(3)));
        assert_eq!(known.rest_of(Place::Home(slot)), PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_was_not_known_is_used_after_a_pause() {
        let slot = Slot::new(0).unwrap();
        let mut known = Known::new();
        known.learn(shard([1]), 1);
        known.learn(shard([2, 1]), 2);
        tokio::time::advance(KEPT).await;
        known.give_up_late();
        assert_eq!(known.node_of(Place::Owner(slot)), Some(&node(2)));
        assert_eq!(known.rest_of(Place::Owner(slot)), PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_takes_over_is_used_after_a_pause() {
        let known = RefCell::new(Known::new());
        known.borrow_mut().learn(shard([1, 2]), 1);
        let places = [0, 1].map(|slot| Place::Owner(Slot::new(slot).unwrap()));
        let rest = |at: usize| known.borrow().rest_of(places[at]);
        assert_eq!(rest(0), Duration::ZERO);
        // A slot that moves to another shard has no such way.
        known.borrow_mut().moved(places[1].slot(), &node(3));
        assert_eq!(rest(1), Duration::ZERO);
        known.borrow_mut().moved(places[0].slot(), &node(2));
        assert_eq!(rest(0), PAUSE);
        tokio::time::advance(PAUSE / 2).await;
        // Another command that was under way is told the same.
        known.borrow_mut().moved(places[0].slot(), &node(2));
        assert_eq!(rest(0), PAUSE / 2);
        tokio::time::advance(PAUSE / 2).await;
        assert_eq!(rest(0), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn slots_that_are_left_later_than_the_home_are_used_after_a_pause_too() {
        let slot = Slot::new(0).unwrap();
        let mut known = Known::new();
        known.learn(shard([1, 2]), 1);
        known.learn(shard([2, 1]), 2);
        let later = Duration::from_millis(1);
        tokio::time::advance(later).await;
        // The home leaves the node now.
        known.learn(shard([2]), 2);
        assert_eq!(known.rest_of(Place::Home(slot)), PAUSE);
        assert_eq!(known.rest_of(Place::Owner(slot)), Duration::ZERO);
        tokio::time::advance(KEPT - later).await;
        known.give_up_late();
        assert_eq!(known.node_of(Place::Owner(slot)), Some(&node(2)));
        assert_eq!(known.rest_of(Place::Owner(slot)), PAUSE);
        assert_eq!(known.rest_of(Place::Home(slot)), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn each_slot_is_used_after_a_pause_however_late_it_follows_another_one() {
        let slots = [0, 1].map(|slot| Slot::new(slot).unwrap());
        for is_moved in [true, false] {
            let mut known = Known::new();
            known.learn(shard([1, 2]), 1);
            known.moved(slots[0], &node(2));
            known.learn(shard([2, 1]), 2);
            tokio::time::advance(PAUSE * 2).await;
            // Messages were sent to the node for this slot until now.
            assert_eq!(known.node_of(Place::Owner(slots[1])), Some(&node(1)));
            match is_moved {
                true => known.moved(slots[1], &node(2)),
                false => known.leave(&node(1)),
            }
            assert_eq!(known.node_of(Place::Owner(slots[1])), Some(&node(2)));
            assert_eq!(known.rest_of(Place::Owner(slots[1])), PAUSE);
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
