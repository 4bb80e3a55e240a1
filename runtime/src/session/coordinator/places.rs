use std::collections::HashMap;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::NOWHERE;
use crate::connection::slots::Slot;
use crate::push::NodeId;

/// The node of each slot, for names that come.
pub(crate) struct Places(Box<[AtomicU16]>);

impl Places {
    pub(crate) fn new() -> Self {
        let nowhere = || AtomicU16::new(u16::try_from(NOWHERE.index()).unwrap_or_default());
        Self((0..Slot::COUNT).map(|_| nowhere()).collect())
    }

    /// Returns the node of a slot, or [`NOWHERE`].
    pub(crate) fn get(&self, slot: Slot) -> NodeId {
        NodeId::at(self.0[slot.index()].load(Relaxed).into())
    }

    pub(super) fn set(&self, slot: Slot, node: NodeId) {
        let index = u16::try_from(node.index()).unwrap_or(u16::MAX);
        self.0[slot.index()].store(index, Relaxed);
    }
}

/// Pauses before a slot is followed again that has just moved.
///
/// While a slot moves, two nodes may each say that the other one has it, until both know.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// When each slot has last moved, and how often since it was at rest.
    moves: HashMap<u16, (Instant, u32)>,
}

impl Pauses {
    /// How often a slot may move without a pause. One name after another of the same slot is no reason
    /// for one.
    const FREE: u32 = 2;
    const FIRST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_millis(100);
    /// A slot is at rest when it has not moved for this long.
    const REST: Duration = Duration::from_secs(1);

    /// Returns whether a slot has moved so recently that not every node may know.
    pub(super) fn has_moved(&self, slot: Slot, now: Instant) -> bool {
        let moved = self.moves.get(&slot.number());
        moved.is_some_and(|(moved, _)| now.saturating_duration_since(*moved) < Self::REST)
    }

    /// Records that a slot has moved, and returns how long to wait before that is followed.
    pub(super) fn before(&mut self, slot: Slot, now: Instant) -> Duration {
        self.moves
            .retain(|_, (moved, _)| now.saturating_duration_since(*moved) < Self::REST);
        let (moved, count) = self.moves.entry(slot.number()).or_insert((now, 0));
        *moved = now;
        *count += 1;
        match count.checked_sub(Self::FREE + 1) {
            None => Duration::ZERO,
            Some(more) => (Self::FIRST * 2_u32.pow(more.min(5))).min(Self::LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::clock;

    #[test]
    fn a_slot_that_keeps_moving_is_followed_after_longer_and_longer_pauses() {
        let (mut pauses, now) = (Pauses::default(), clock::now());
        let slot = Slot::of(b"a");
        let millis = [0, 0, 5, 10, 20, 40, 80, 100, 100];
        for pause in millis.map(Duration::from_millis) {
            assert_eq!(pauses.before(slot, now), pause);
        }
        assert_eq!(pauses.before(Slot::of(b"b"), now), Duration::ZERO);
        let later = now + Pauses::REST;
        assert!(pauses.has_moved(slot, now) && !pauses.has_moved(slot, later));
        assert_eq!(pauses.before(slot, later), Duration::ZERO);
    }

    #[test]
    fn a_slot_is_nowhere_until_it_has_a_node() {
        let places = Places::new();
        let slot = Slot::of(b"a");
        assert_eq!(places.get(slot), NOWHERE);
        places.set(slot, NodeId::at(3));
        assert_eq!(places.get(slot), NodeId::at(3));
    }
}
