//! What has changed from one map of slots to the next.

use std::ops::RangeInclusive;

use super::SlotMap;
use crate::connection::node_address::NodeAddress;

/// What has changed from one map of slots to the next.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct MapChanges {
    /// The slots that have another owner, in order. Neighbors with the same change are one entry.
    pub(crate) moves: Vec<Moves>,
    /// The primaries that own slots now, and did not before.
    pub(crate) new: Vec<NodeAddress>,
    /// The primaries that owned slots before, and do not now.
    pub(crate) gone: Vec<NodeAddress>,
}

/// Slots that have moved from one owner to another. `None` is nobody.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moves {
    pub(crate) slots: RangeInclusive<u16>,
    pub(crate) from: Option<NodeAddress>,
    pub(crate) to: Option<NodeAddress>,
}

impl MapChanges {
    pub(crate) fn is_empty(&self) -> bool {
        self.moves.is_empty()
    }
}

impl SlotMap {
    /// What has changed since another map was right.
    pub(crate) fn changes_since(&self, before: &Self) -> MapChanges {
        // The indices of this map's shards in the other one, so that slots are compared by numbers.
        let theirs: Vec<_> = self
            .shards
            .iter()
            .map(|shard| before.index_of(&shard.primary))
            .collect();
        let pairs = self.shard_of.iter().zip(&before.shard_of);
        let changed = (0..).zip(pairs).filter(|(_, (now, before_index))| {
            let now = theirs.get(usize::from(**now));
            // Nobody's index is in neither map.
            match now {
                Some(now) => *now != Some(**before_index),
                None => before.shards.get(usize::from(**before_index)).is_some(),
            }
        });
        let mut moves: Vec<(RangeInclusive<u16>, u16, u16)> = Vec::new();
        for (slot, (to, from)) in changed {
            match moves.last_mut() {
                Some((slots, last_from, last_to))
                    if *slots.end() + 1 == slot && (*last_from, *last_to) == (*from, *to) =>
                {
                    *slots = *slots.start()..=slot;
                }
                _ => moves.push((slot..=slot, *from, *to)),
            }
        }
        let primary = |map: &Self, shard: u16| {
            let shard = map.shards.get(usize::from(shard));
            shard.map(|shard| shard.primary.clone())
        };
        let moves = moves.into_iter().map(|(slots, from, to)| Moves {
            slots,
            from: primary(before, from),
            to: primary(self, to),
        });
        MapChanges {
            moves: moves.collect(),
            new: self.primaries_not_in(before),
            gone: before.primaries_not_in(self),
        }
    }

    fn primaries_not_in(&self, other: &Self) -> Vec<NodeAddress> {
        let owns = |primary: &NodeAddress| other.primaries().any(|other| other == primary);
        self.primaries()
            .filter(|primary| !owns(primary))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::slots::Slot;

    fn node(port: u16) -> NodeAddress {
        NodeAddress::new("a", port)
    }

    fn map(ranges: &[(RangeInclusive<u16>, u16)]) -> SlotMap {
        let mut map = SlotMap::new();
        for (slots, port) in ranges {
            for slot in slots.clone() {
                map.set_owner(Slot::new(slot).unwrap(), &node(*port));
            }
        }
        map
    }

    #[test]
    fn a_move_names_the_slots_and_both_owners() {
        let before = map(&[(0..=9, 1), (10..=19, 2)]);
        let now = map(&[(0..=4, 1), (5..=9, 3), (10..=18, 2)]);
        let moved = |slots, from: Option<u16>, to: Option<u16>| Moves {
            slots,
            from: from.map(node),
            to: to.map(node),
        };
        assert_eq!(
            now.changes_since(&before),
            MapChanges {
                moves: vec![
                    moved(5..=9, Some(1), Some(3)),
                    moved(19..=19, Some(2), None)
                ],
                new: vec![node(3)],
                gone: Vec::new(),
            }
        );
        let back = before.changes_since(&now);
        assert_eq!(
            back.moves,
            [
                moved(5..=9, Some(3), Some(1)),
                moved(19..=19, None, Some(2))
            ]
        );
        assert_eq!(back.gone, [node(3)]);
        assert_ne!(now, before);
    }

    #[test]
    fn maps_are_equal_whatever_the_order_of_their_nodes() {
        let one = map(&[(0..=9, 1), (10..=19, 2)]);
        let other = map(&[(10..=19, 2), (0..=9, 1)]);
        assert_eq!(one, other);
        assert!(one.changes_since(&other).is_empty());
        assert_eq!(one.changes_since(&other), MapChanges::default());
    }

    #[test]
    fn a_replaced_primary_is_gone_and_the_other_one_is_new() {
        let (before, now) = (map(&[(0..=9, 1)]), map(&[(0..=9, 2)]));
        let changes = now.changes_since(&before);
        assert_eq!((changes.new, changes.gone), (vec![node(2)], vec![node(1)]));
        assert_eq!(changes.moves.len(), 1);
    }
}
