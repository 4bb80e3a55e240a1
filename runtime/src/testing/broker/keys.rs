//! Keys, their deadlines, and the events that changes to them cause.

use bytes::Bytes;
use tokio::time::Instant;

use super::call::Target;
use super::client::ClientId;
use super::events::Class;
use super::state::BrokerState;

/// The number of databases, as in the server's default configuration.
pub(super) const DATABASES: usize = 16;

// The order of events and invalidations is that of the server: for a change the invalidation precedes
// the event, for an expiry the event comes first. (Invalidations by prefix come later: see `tracking`.)
impl BrokerState {
    /// Reads a key: a client that tracks by key hears of its next change.
    pub(super) fn read_any(&mut self, target: Target<'_>) -> Option<&Bytes> {
        self.remember_read(target.by, target.key);
        if self.keys.get(target.db, target.key).is_none() {
            self.notify(Class::Missed, "keymiss", target.db, target.key);
        }
        self.keys.get(target.db, target.key)
    }

    pub(super) fn set(&mut self, target: Target<'_>, value: &[u8], deadline: Option<Instant>) {
        let Target { by, db, key } = target;
        let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        let is_new = self.keys.get(db, &key).is_none();
        self.keys.insert(db, &key, value, deadline);
        if is_new {
            self.notify(Class::New, "new", db, &key);
        }
        self.invalidate(Some(by), &key);
        self.notify(Class::String, "set", db, &key);
    }

    pub(super) fn delete(&mut self, target: Target<'_>) -> bool {
        let Target { by, db, key } = target;
        if self.keys.remove(db, key).is_none() {
            return false;
        }
        self.invalidate(Some(by), key);
        self.notify(Class::Generic, "del", db, key);
        true
    }

    /// Sets or removes a key's deadline. A deadline in the past deletes the key.
    pub(super) fn set_deadline(&mut self, target: Target<'_>, deadline: Option<Instant>) -> bool {
        let Target { by, db, key } = target;
        if deadline.is_some_and(|time| time <= Instant::now()) {
            return self.delete(target);
        }
        let Some(entry) = self.keys.remove(db, key) else {
            return false;
        };
        self.keys
            .insert(db, &Bytes::copy_from_slice(key), entry.value, deadline);
        self.invalidate(Some(by), key);
        let event = if deadline.is_some() {
            "expire"
        } else {
            "persist"
        };
        self.notify(Class::Generic, event, db, key);
        true
    }

    /// Empties one database, or all of them. This causes no key event, only an invalidation of all
    /// keys.
    pub(super) fn flush(&mut self, by: ClientId, db: Option<usize>) {
        for (index, keys) in self.keys.databases.iter_mut().enumerate() {
            if db.is_none_or(|db| db == index) {
                keys.clear();
            }
        }
        self.keys
            .deadlines
            .retain(|(_, index, _)| db.is_some_and(|db| db != *index));
        self.invalidate_everything(by);
    }

    /// Deletes the keys whose deadline has passed.
    pub(super) fn expire(&mut self) {
        if self.keys.deadlines.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some((_, db, key)) = self
            .keys
            .deadlines
            .first()
            .filter(|(time, ..)| *time <= now)
            .cloned()
        {
            self.keys.remove(db, &key);
            self.notify(Class::Expired, "expired", db, &key);
            self.invalidate(None, &key);
        }
    }

    /// Publishes a key event on the channels that are switched on.
    pub(super) fn notify(&mut self, class: Class, event: &str, db: usize, key: &[u8]) {
        let events = self.keys.events;
        if !events.holds(class) {
            return;
        }
        if events.holds(Class::Keyspace) {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.publish(&channel, event.as_bytes());
        }
        if events.holds(Class::Keyevent) {
            self.publish(format!("__keyevent@{db}__:{event}").as_bytes(), key);
        }
    }
}
