//! Which nodes there are, and which slots each one has.

use std::net::SocketAddr;

use super::slot::SLOTS;

/// What is to be known about a cluster. A node has the one that it last heard of.
#[derive(Clone, Default)]
pub(in crate::testing::broker) struct Topology {
    pub(super) nodes: Vec<Node>,
    /// By slot: the primary that owns it.
    owners: Vec<Option<usize>>,
    /// Grows with each change of an owner.
    pub(super) epoch: u64,
}

#[derive(Clone)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) addr: SocketAddr,
    /// The node that this one is a replica of.
    pub(super) primary: Option<usize>,
    pub(super) is_down: bool,
}

impl Topology {
    /// Spreads the slots evenly over the first `primaries` nodes. Each of the other nodes is a replica of one of these, in turn.
    pub(super) fn new(addrs: &[SocketAddr], primaries: usize) -> Self {
        let mut topology = Self {
            owners: vec![None; usize::from(SLOTS)],
            ..Self::default()
        };
        for (index, addr) in addrs.iter().enumerate() {
            topology.add(*addr);
            topology.nodes[index].primary = (index >= primaries).then(|| index % primaries);
        }
        let first = |node: usize| node * usize::from(SLOTS) / primaries;
        for node in 0..primaries {
            topology.owners[first(node)..first(node + 1)].fill(Some(node));
        }
        topology
    }

    /// Adds a primary without slots. Returns its number.
    pub(super) fn add(&mut self, addr: SocketAddr) -> usize {
        let index = self.nodes.len();
        self.nodes.push(Node {
            id: id(index),
            addr,
            primary: None,
            is_down: false,
        });
        index
    }

    pub(super) fn owner(&self, slot: u16) -> Option<usize> {
        self.owners.get(usize::from(slot)).copied().flatten()
    }

    pub(super) fn give(&mut self, slot: u16, owner: Option<usize>) {
        self.owners[usize::from(slot)] = owner;
        self.epoch += 1;
    }

    /// Returns the primary of the node's part of the cluster: the node itself, or the one it replicates.
    pub(super) fn head(&self, node: usize) -> usize {
        self.nodes[node].primary.unwrap_or(node)
    }

    pub(super) fn replicas(&self, primary: usize) -> impl Iterator<Item = usize> + '_ {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(move |(_, node)| node.primary == Some(primary))
            .map(|(index, _)| index)
    }

    /// Makes a replica the primary of its part of the cluster. The old primary becomes its replica.
    pub(super) fn promote(&mut self, replica: usize) {
        let old = self.head(replica);
        for node in &mut self.nodes {
            if node.primary == Some(old) {
                node.primary = Some(replica);
            }
        }
        self.nodes[replica].primary = None;
        self.nodes[old].primary = Some(replica);
        for owner in &mut self.owners {
            if *owner == Some(old) {
                *owner = Some(replica);
            }
        }
        self.epoch += 1;
    }
}

/// Returns the name of a node in the cluster: 40 hexadecimal digits.
fn id(index: usize) -> String {
    // Multiplied by an odd number, so that they differ from the first digits on, as real ones do.
    let number = (index as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    format!("{number:032x}{index:08x}")
}
