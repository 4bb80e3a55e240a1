use redis::Value;

use crate::connection::bus::BusLinks;
use crate::connection::moved::Moved;
use crate::connection::sentinel::{Role, SentinelView, Switched, best};
use crate::connection::slots::{Slot, SlotMap};

/// The slot of a name, to be compared with a server's.
pub fn slot_of(name: &[u8]) -> u16 {
    Slot::of(name).number()
}

/// Checks what reads the topology of clusters and sentinels, with one reply of a server.
///
/// # Panics
///
/// Panics if a map of slots contradicts itself, or differs from itself.
pub fn topology(bytes: &[u8]) {
    let _ = Switched::parse(bytes);
    let Ok(reply) = redis::parse_redis_value(bytes) else {
        return;
    };
    if let Value::ServerError(error) = &reply {
        let _ = Moved::parse(error, "seed");
    }
    let _ = Role::parse(&reply);
    if let Ok(links) = BusLinks::parse(&reply) {
        let none = BusLinks::default();
        assert!(links.changes_since(&none).all(|(id, _)| !none.hears(id)));
    }
    if let Value::Array(replies) = &reply
        && let [address, primary, ..] = &**replies
        && let Ok(view) = SentinelView::parse(address, primary)
    {
        assert_eq!(best([&view, &view].into_iter()), Some(&view));
    }
    match SlotMap::parse(&reply, "seed") {
        Ok(map) => slots(&map),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn slots(map: &SlotMap) {
    let mut covered = 0;
    for primary in map.primaries() {
        for slot in map.slots_of(primary).into_iter().flatten() {
            let owner = Slot::new(slot).and_then(|slot| map.owner(slot));
            assert_eq!(owner, Some(primary));
            covered += 1;
        }
    }
    assert_eq!(covered, map.covered());
    let nothing = SlotMap::new();
    let moves = map.changes_since(&nothing).moves;
    let changed: usize = moves.iter().map(|moves| moves.slots.len()).sum();
    assert_eq!(changed, usize::from(covered));
    assert!(map.changes_since(map).is_empty());
    assert!(map.clone() == *map);
}
