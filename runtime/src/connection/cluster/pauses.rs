//! The pauses that publishers make where a node is used in place of another one.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::node_address::NodeAddress;
use crate::connection::slots::Slot;
use crate::util::clock;

/// How long a publisher pauses before it uses the successor of a node.
///
/// What the node has taken before it was replaced goes to the subscribers of its successor over a link between
/// the two. What is published at the successor meanwhile would overtake it.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// When nodes have replaced others.
///
/// The three are apart, as one of them does not end the pause of another: the homes leave a node that was demoted
/// at once, and its slots do so some seconds later.
#[derive(Default)]
pub(super) struct Pauses {
    /// By the node that has taken all slots of another one of its shard.
    owners: HashMap<NodeAddress, Instant>,
    /// By a slot that a node of the same shard has taken, as a `MOVED` said.
    slots: HashMap<Slot, Instant>,
    /// By the node that is the home of slots in place of another one.
    homes: HashMap<NodeAddress, Instant>,
}

impl Pauses {
    /// Starts a pause for the slots of a node.
    pub(super) fn start_owner(&mut self, node: &NodeAddress) {
        start(&mut self.owners, node.clone());
    }

    /// Starts a pause for one slot.
    pub(super) fn start_slot(&mut self, slot: Slot) {
        start(&mut self.slots, slot);
    }

    /// Starts a pause for the slots whose home is at a node.
    pub(super) fn start_home(&mut self, node: NodeAddress) {
        start(&mut self.homes, node);
    }

    /// Returns what is left of the pause for a slot that a node owns.
    pub(super) fn rest_of_owner(&self, node: &NodeAddress, slot: Slot) -> Duration {
        rest(&self.owners, node).max(rest(&self.slots, &slot))
    }

    /// Returns what is left of the pause for slots whose home is at a node.
    pub(super) fn rest_of_home(&self, node: &NodeAddress) -> Duration {
        rest(&self.homes, node)
    }
}

fn start<K: Eq + Hash>(pauses: &mut HashMap<K, Instant>, key: K) {
    let now = clock::now();
    pauses.retain(|_, start| now - *start < PAUSE);
    pauses.insert(key, now);
}

fn rest<K: Eq + Hash>(pauses: &HashMap<K, Instant>, key: &K) -> Duration {
    let start = pauses.get(key);
    start.map_or(Duration::ZERO, |start| {
        PAUSE.saturating_sub(clock::now().saturating_duration_since(*start))
    })
}
