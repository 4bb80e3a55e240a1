//! What a node knows of its cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bus::Message;
use super::slot::{SLOTS, slot};
use super::topology::{Node, Topology};
use crate::testing::broker::reply::Frames;
use crate::testing::broker::state::BrokerState;
use crate::testing::broker::subscriptions::Kind;

/// A node's part in a cluster.
pub(in crate::testing::broker) struct Membership {
    /// The number of the node.
    pub(super) me: usize,
    pub(super) topology: Arc<Topology>,
    /// The nodes that this one has not been told to forget, itself among them.
    pub(super) known: BTreeSet<usize>,
    /// When each link with another node was created, in milliseconds.
    pub(super) links: BTreeMap<(usize, Direction), i64>,
    /// Whether nothing passes between the node and the others.
    pub(super) is_cut_off: bool,
    /// How many forwarded messages are still to be lost on their way to this node.
    pub(super) losing: usize,
    /// Whether every slot has an owner that this node knows.
    is_covered: bool,
    /// What waits to be delivered to other nodes.
    pub(super) outgoing: Vec<Message>,
}

/// The side of a link that opened it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    To,
    From,
}

impl Membership {
    pub(super) fn new(me: usize, topology: Arc<Topology>) -> Self {
        let mut membership = Self {
            me,
            known: (0..topology.nodes.len()).collect(),
            topology,
            links: BTreeMap::new(),
            is_cut_off: false,
            losing: 0,
            is_covered: false,
            outgoing: Vec::new(),
        };
        membership.look_for_owners();
        membership
    }

    pub(super) fn node(&self) -> &Node {
        &self.topology.nodes[self.me]
    }

    /// The number of the node that this one is a replica of.
    pub(in crate::testing::broker) fn primary(&self) -> Option<usize> {
        self.node().primary
    }

    pub(in crate::testing::broker) fn is_replica(&self) -> bool {
        self.primary().is_some()
    }

    pub(super) fn owner(&self, slot: u16) -> Option<usize> {
        let owner = self.topology.owner(slot);
        owner.filter(|owner| self.known.contains(owner))
    }

    /// Whether the cluster is down, as far as this node can tell: `cluster_state:fail`.
    pub(super) fn is_failing(&self) -> bool {
        self.is_cut_off || !self.is_covered
    }

    /// The nodes that this one knows, by number.
    pub(super) fn known_nodes(&self) -> impl Iterator<Item = (usize, &Node)> {
        let nodes = self.topology.nodes.iter().enumerate();
        nodes.filter(|(index, _)| self.known.contains(index))
    }

    /// The replicas that this node knows and takes for running.
    pub(super) fn running_replicas(&self, primary: usize) -> impl Iterator<Item = &Node> {
        let nodes = self.known_nodes().map(|(_, node)| node);
        nodes.filter(move |node| node.primary == Some(primary) && !node.is_down)
    }

    /// The ranges of slots that have the same owner: first, last, owner.
    pub(super) fn ranges(&self) -> Vec<(u16, u16, usize)> {
        let mut ranges: Vec<(u16, u16, usize)> = Vec::new();
        for slot in 0..SLOTS {
            let Some(owner) = self.owner(slot) else {
                continue;
            };
            match ranges.last_mut() {
                Some((_, last, of)) if *of == owner && *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot, owner)),
            }
        }
        ranges
    }

    fn look_for_owners(&mut self) {
        self.is_covered = (0..SLOTS).all(|slot| self.owner(slot).is_some());
    }
}

impl BrokerState {
    /// Changes what the node knows. Clients are unsubscribed from the sharded channels whose slot gets
    /// another owner, whether the node was the owner or not.
    pub(super) fn learn(&mut self, change: impl FnOnce(&mut Membership)) {
        let Some(node) = &mut self.cluster else {
            return;
        };
        let names = self.subscriptions.names(Kind::Shard).keys().cloned();
        let owned: Vec<_> = names.map(|name| (node.owner(slot(&name)), name)).collect();
        change(node);
        node.look_for_owners();
        let lost: Vec<_> = owned
            .into_iter()
            .filter(|(owner, name)| *owner != node.owner(slot(name)))
            .map(|(_, name)| name)
            .collect();
        for name in lost {
            let subscribed = self.subscriptions.names(Kind::Shard).get(&name).cloned();
            for id in subscribed.unwrap_or_default() {
                let Some(protocol) = self.clients.get(&id).map(|client| client.protocol) else {
                    continue;
                };
                self.remove_name(id, Kind::Shard, &name);
                let mut frame = Frames::new(protocol);
                let what = Kind::Shard.unsubscribed();
                self.confirm(id, Kind::Shard, what, Some(&name), &mut frame);
                self.push(id, &frame.bytes);
            }
        }
    }
}
