//! The map of slots.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::Slot;
use crate::connection::node_address::NodeAddress;

/// Which node owns which slot, as one node says it, corrected by what others have said since.
///
/// It takes 32 KiB, whatever the number of nodes, and a look-up is two reads.
#[derive(Clone, Debug)]
pub(crate) struct SlotMap {
    pub(super) shards: Vec<Shard>,
    /// The index of the shard of each slot, or [`NOBODY`].
    pub(super) shard_of: Box<[u16]>,
    pub(super) ids: BTreeMap<Box<str>, NodeAddress>,
}

/// The index of the shard of a slot that nobody owns.
pub(super) const NOBODY: u16 = u16::MAX;

/// A primary and its replicas.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    pub(super) primary: NodeAddress,
    pub(super) replicas: Vec<NodeAddress>,
    /// How many slots it owns. A shard without slots is kept, and does not count.
    pub(super) slots: u16,
}

impl SlotMap {
    /// A map in which nobody owns a slot.
    pub(crate) fn new() -> Self {
        Self {
            shards: Vec::new(),
            shard_of: vec![NOBODY; usize::from(Slot::COUNT)].into(),
            ids: BTreeMap::new(),
        }
    }

    /// The primary that owns a slot.
    pub(crate) fn owner(&self, slot: Slot) -> Option<&NodeAddress> {
        self.shard(slot).map(|shard| &shard.primary)
    }

    /// The replicas of the primary that owns a slot. Some servers leave out those that have no data yet.
    pub(crate) fn replicas(&self, slot: Slot) -> &[NodeAddress] {
        self.shard(slot).map_or(&[], |shard| &shard.replicas)
    }

    fn shard(&self, slot: Slot) -> Option<&Shard> {
        self.shards.get(usize::from(self.shard_of[slot.index()]))
    }

    /// The primaries that own slots, each once.
    pub(crate) fn primaries(&self) -> impl Iterator<Item = &NodeAddress> {
        self.owning().map(|(_, shard)| &shard.primary)
    }

    pub(super) fn owning(&self) -> impl Iterator<Item = (usize, &Shard)> {
        let shards = self.shards.iter().enumerate();
        shards.filter(|(_, shard)| shard.slots > 0)
    }

    /// The slots of a primary, in order.
    pub(crate) fn slots_of(&self, primary: &NodeAddress) -> Vec<RangeInclusive<u16>> {
        let shard = self.index_of(primary);
        let mut ranges: Vec<RangeInclusive<u16>> = Vec::new();
        for slot in (0..Slot::COUNT).filter(|slot| shard == Some(self.shard_of[usize::from(*slot)]))
        {
            match ranges.last_mut() {
                Some(range) if *range.end() + 1 == slot => *range = *range.start()..=slot,
                _ => ranges.push(slot..=slot),
            }
        }
        ranges
    }

    /// The replicas of a primary.
    pub(crate) fn replicas_of(&self, primary: &NodeAddress) -> &[NodeAddress] {
        let shard = self.index_of(primary);
        shard.map_or(&[], |shard| &self.shards[usize::from(shard)].replicas)
    }

    /// Whether a node is a primary with slots, or a replica of one.
    pub(crate) fn knows(&self, node: &NodeAddress) -> bool {
        let mut shards = self.owning().map(|(_, shard)| shard);
        shards.any(|shard| shard.primary == *node || shard.replicas.contains(node))
    }

    /// How many slots have an owner.
    pub(crate) fn covered(&self) -> u16 {
        self.shards.iter().map(|shard| shard.slots).sum()
    }

    /// The address of the node with an id, by which nodes name each other in `CLUSTER LINKS`.
    pub(crate) fn address_of(&self, id: &str) -> Option<&NodeAddress> {
        self.ids.get(id)
    }

    /// Changes the owner of one slot, as a `MOVED` says. Returns whether it had another one, or none.
    pub(crate) fn set_owner(&mut self, slot: Slot, owner: &NodeAddress) -> bool {
        let shard = self.shard_with(owner);
        self.assign(slot, shard)
    }

    /// The index of the shard of a primary, which is added if there is none.
    pub(super) fn shard_with(&mut self, primary: &NodeAddress) -> u16 {
        self.index_of(primary).unwrap_or_else(|| {
            self.shards.push(Shard {
                primary: primary.clone(),
                replicas: Vec::new(),
                slots: 0,
            });
            // A reply has fewer ranges than there are slots, and `MOVED`s name one node for a slot. Only
            // shards that have lost all slots could add up, and their places are used again.
            self.reuse_or_last()
        })
    }

    pub(super) fn assign(&mut self, slot: Slot, shard: u16) -> bool {
        let place = &mut self.shard_of[slot.index()];
        let before = std::mem::replace(place, shard);
        if before == shard {
            return false;
        }
        if let Some(shard) = self.shards.get_mut(usize::from(before)) {
            shard.slots -= 1;
        }
        self.shards[usize::from(shard)].slots += 1;
        true
    }

    pub(super) fn index_of(&self, primary: &NodeAddress) -> Option<u16> {
        let mut shards = self.shards.iter();
        let index = shards.position(|shard| shard.primary == *primary)?;
        u16::try_from(index).ok()
    }

    /// Moves the last shard to the place of one without slots, if there is such a place, so that the
    /// number of shards stays below that of slots.
    fn reuse_or_last(&mut self) -> u16 {
        let last = self.shards.len() - 1;
        let unused = self.shards[..last]
            .iter()
            .position(|shard| shard.slots == 0);
        let index = match unused {
            Some(unused) => {
                self.shards.swap_remove(unused);
                unused
            }
            None => last,
        };
        u16::try_from(index).expect("each shard but one has a slot")
    }
}

/// Two maps are equal if each slot has the same owner with the same replicas.
impl PartialEq for SlotMap {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(own, theirs): (&u16, &u16)| {
            let own = self.shards.get(usize::from(*own));
            let theirs = other.shards.get(usize::from(*theirs));
            match (own, theirs) {
                (Some(own), Some(theirs)) => {
                    own.primary == theirs.primary && own.replicas == theirs.replicas
                }
                (own, theirs) => own.is_none() && theirs.is_none(),
            }
        };
        let mut pairs = self.shard_of.iter().zip(&other.shard_of);
        pairs.all(is_same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> NodeAddress {
        NodeAddress::new("a", port)
    }

    fn slot(number: u16) -> Slot {
        Slot::new(number).unwrap()
    }

    #[test]
    fn a_slot_that_moves_changes_both_primaries() {
        let mut map = SlotMap::new();
        assert_eq!(map.owner(slot(7)), None);
        assert!(map.set_owner(slot(7), &node(1)));
        assert!(!map.set_owner(slot(7), &node(1)));
        assert!(map.set_owner(slot(8), &node(1)));
        assert_eq!(map.slots_of(&node(1)), [7..=8]);
        assert!(map.set_owner(slot(7), &node(2)));
        assert_eq!(map.slots_of(&node(1)), [8..=8]);
        assert_eq!(map.owner(slot(7)), Some(&node(2)));
        assert_eq!(map.primaries().collect::<Vec<_>>(), [&node(1), &node(2)]);
        assert!(map.set_owner(slot(8), &node(2)));
        assert_eq!(map.primaries().collect::<Vec<_>>(), [&node(2)]);
        assert_eq!(map.covered(), 2);
        assert!(map.replicas(slot(8)).is_empty());
    }

    #[test]
    fn a_slot_that_moves_to_ever_new_nodes_does_not_fill_the_map() {
        let mut map = SlotMap::new();
        for port in 1..=u16::MAX {
            map.set_owner(slot(0), &node(port));
            assert_eq!(map.owner(slot(0)), Some(&node(port)));
        }
        assert!(map.shards.len() <= 2);
    }
}
