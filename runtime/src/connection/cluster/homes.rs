//! Where messages to channels are published, which every node passes on to all others.

use crate::connection::node_address::NodeAddress;
use crate::connection::slots::{Slot, SlotMap};

/// The node of each slot at which messages to its channels are published.
///
/// It stays while it can be connected to: on different ways between nodes, messages could overtake each other.
pub(super) struct Homes(SlotMap);

impl Homes {
    pub(super) fn new() -> Self {
        Self(SlotMap::new())
    }

    pub(super) fn of(&self, slot: Slot) -> Option<&NodeAddress> {
        self.0.owner(slot)
    }

    /// Whether a node is the home of a slot.
    pub(super) fn knows(&self, node: &NodeAddress) -> bool {
        self.0.knows(node)
    }

    /// Makes the owner of a slot its home, unless the home that it has is kept.
    pub(super) fn find(&mut self, owners: &SlotMap, is_kept: impl Fn(&NodeAddress) -> bool) {
        let old: Vec<_> = self.0.primaries().cloned().collect();
        let kept: Vec<_> = old.iter().filter(|home| is_kept(home)).collect();
        if kept.len() == old.len() && self.0.covered() == Slot::COUNT {
            return;
        }
        for slot in (0..Slot::COUNT).filter_map(Slot::new) {
            let home = self.of(slot);
            if let Some(owner) = owners.owner(slot)
                && home.is_none_or(|home| !kept.contains(&home))
            {
                self.0.set_owner(slot, owner);
            }
        }
    }

    /// Gives the slots of a node to the nodes that have taken over, or else to other primaries, of which none is
    /// lost if there is such a one.
    pub(super) fn leave_unreachable(
        &mut self,
        node: &NodeAddress,
        owners: &SlotMap,
        is_lost: impl Fn(&NodeAddress) -> bool,
    ) {
        let slots = (0..Slot::COUNT).filter_map(Slot::new);
        let here: Vec<_> = slots.filter(|slot| self.of(*slot) == Some(node)).collect();
        self.find(owners, |home| home != node);
        let mut others: Vec<_> = owners.primaries().filter(|other| !is_lost(other)).collect();
        if others.is_empty() {
            // One of those that did not answer may do so now.
            others = owners.primaries().filter(|other| *other != node).collect();
        }
        for slot in here {
            let is_replaced = self.of(slot).is_some_and(|home| !is_lost(home));
            if !is_replaced && !others.is_empty() {
                let other = others[slot.index() % others.len()];
                self.0.set_owner(slot, other);
            }
        }
    }
}
