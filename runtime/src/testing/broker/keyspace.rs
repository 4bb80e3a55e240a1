use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tokio::time::Instant;

use super::events::Classes;
use super::keys::DATABASES;
use super::value::Value;

/// The databases, the deadlines of their keys, and the key events that are switched on.
#[derive(Clone, Default)]
pub(super) struct Keyspace {
    pub(super) databases: [BTreeMap<Bytes, Entry>; DATABASES],
    /// The keys with a deadline, the earliest first.
    pub(super) deadlines: BTreeSet<(Instant, usize, Bytes)>,
    pub(super) events: Classes,
}

#[derive(Clone)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) deadline: Option<Instant>,
}

impl Keyspace {
    pub(super) fn get(&self, db: usize, key: &[u8]) -> Option<&Value> {
        self.databases[db].get(key).map(|entry| &entry.value)
    }

    pub(super) fn get_mut(&mut self, db: usize, key: &[u8]) -> Option<&mut Value> {
        self.databases[db]
            .get_mut(key)
            .map(|entry| &mut entry.value)
    }

    /// Returns the deadline of a key: `None` if the key does not exist, `Some(None)` if it has no
    /// deadline.
    pub(super) fn deadline(&self, db: usize, key: &[u8]) -> Option<Option<Instant>> {
        self.databases[db].get(key).map(|entry| entry.deadline)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(time, ..)| *time)
    }

    pub(super) fn insert(
        &mut self,
        db: usize,
        key: &Bytes,
        value: Value,
        deadline: Option<Instant>,
    ) {
        self.remove(db, key);
        self.databases[db].insert(key.clone(), Entry { value, deadline });
        self.deadlines
            .extend(deadline.map(|time| (time, db, key.clone())));
    }

    pub(super) fn remove(&mut self, db: usize, key: &Bytes) -> Option<Entry> {
        let entry = self.databases[db].remove(key)?;
        if let Some(time) = entry.deadline {
            self.deadlines.remove(&(time, db, key.clone()));
        }
        Some(entry)
    }
}
