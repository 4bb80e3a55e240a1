//! What a node says of the cluster: `CLUSTER SLOTS` and `ROLE`.

use std::ops::RangeInclusive;

use redis::{Value, from_redis_value};

/// The reply to `CLUSTER SLOTS`, with the ids of nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    ranges: Vec<Range>,
}

#[derive(Clone, Debug, PartialEq)]
struct Range {
    slots: RangeInclusive<u16>,
    owner: String,
    replicas: Vec<String>,
}

impl View {
    pub(super) fn read(reply: Value) -> Self {
        let entries: Vec<Vec<Value>> = from_redis_value(reply).expect("ranges of slots");
        let mut ranges: Vec<_> = entries.into_iter().map(Range::read).collect();
        ranges.sort_by_key(|range| *range.slots.start());
        Self { ranges }
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&str> {
        let range = self.ranges.iter().find(|range| range.slots.contains(&slot));
        range.map(|range| range.owner.as_str())
    }

    pub(super) fn owns(&self, id: &str, slots: &[RangeInclusive<u16>]) -> bool {
        let mut all = slots.iter().cloned().flatten();
        all.all(|slot| self.owner(slot) == Some(id))
    }

    pub(super) fn slots_of(&self, id: &str) -> Vec<RangeInclusive<u16>> {
        let own = self.ranges.iter().filter(|range| range.owner == id);
        own.map(|range| range.slots.clone()).collect()
    }

    /// Whether this shows the replica wherever it shows the primary.
    pub(super) fn shows(&self, primary: &str, replica: &str) -> bool {
        let mut own = self.ranges.iter().filter(|range| range.owner == primary);
        own.all(|range| range.replicas.iter().any(|id| id == replica))
    }

    /// The owners, without the replicas, which some members may see earlier than others.
    pub(super) fn owners(&self) -> Vec<(RangeInclusive<u16>, &str)> {
        let owner = |range: &'_ Range| range.slots.clone();
        let mut owners: Vec<(RangeInclusive<u16>, &str)> = Vec::new();
        for range in &self.ranges {
            match owners.last_mut() {
                Some((slots, id))
                    if *id == range.owner && *slots.end() + 1 == *range.slots.start() =>
                {
                    *slots = *slots.start()..=*range.slots.end();
                }
                _ => owners.push((owner(range), &range.owner)),
            }
        }
        owners
    }

    /// How many slots have an owner.
    pub(super) fn covered(&self) -> usize {
        self.ranges.iter().map(|range| range.slots.len()).sum()
    }
}

impl Range {
    fn read(entry: Vec<Value>) -> Self {
        let mut entry = entry.into_iter();
        let mut number = || from_redis_value(entry.next().expect("a slot")).expect("a number");
        let slots = number()..=number();
        let mut ids = entry.map(|node| {
            let node: Vec<Value> = from_redis_value(node).expect("a node");
            from_redis_value(node[2].clone()).expect("an id")
        });
        Self {
            slots,
            owner: ids.next().expect("an owner"),
            replicas: ids.collect(),
        }
    }
}

/// The reply to `ROLE`.
pub(super) struct Role {
    /// The port of the primary, if this is a replica.
    pub(super) replica_of: Option<u16>,
    /// Whether a replica is connected to its primary and up to date.
    pub(super) is_synced: bool,
}

impl Role {
    pub(super) fn read(reply: Value) -> Self {
        let reply: Vec<Value> = from_redis_value(reply).expect("a role");
        let text = |index: usize| from_redis_value::<String>(reply[index].clone()).unwrap();
        if text(0) != "slave" {
            return Self {
                replica_of: None,
                is_synced: true,
            };
        }
        Self {
            replica_of: Some(from_redis_value(reply[2].clone()).expect("a port")),
            is_synced: text(3) == "connected",
        }
    }
}
