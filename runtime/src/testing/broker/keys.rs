//! Keys, their deadlines, and the events that changes to them cause.

use std::mem;

use bytes::Bytes;
use tokio::time::Instant;

use super::call::Target;
use super::client::ClientId;
use super::cluster::{Membership, Message};
use super::error::{ErrorReply, WRONG_TYPE};
use super::events::Class;
use super::state::BrokerState;
use super::value::{Value, ValueType, owned};

/// The number of databases, as in the server's default configuration.
pub(super) const DATABASES: usize = 16;

impl BrokerState {
    /// Returns the number of databases that a client can select.
    pub(super) fn databases(&self) -> usize {
        if self.cluster.is_some() { 1 } else { DATABASES }
    }
}

// The order of events and invalidations is that of the server: for most changes the invalidation precedes
// the event, for an expiry the event comes first. (Invalidations by prefix come later: see `tracking`.)
impl BrokerState {
    /// Reads a value of one type. A client that tracks by key hears of the next change of this key.
    pub(super) fn read<T: ValueType>(
        &mut self,
        target: Target<'_>,
    ) -> Result<Option<&T>, ErrorReply> {
        typed(self.read_any(target))
    }

    pub(super) fn read_any(&mut self, target: Target<'_>) -> Option<&Value> {
        self.remember_read(target.by, target.key);
        self.look_up_any(target)
    }

    /// Looks up a value for a command that replies with it, and may then change it.
    pub(super) fn look_up<T: ValueType>(
        &mut self,
        target: Target<'_>,
    ) -> Result<Option<&T>, ErrorReply> {
        typed(self.look_up_any(target))
    }

    fn look_up_any(&mut self, target: Target<'_>) -> Option<&Value> {
        let Target { db, key, .. } = target;
        if self.keys.get(db, key).is_none() {
            self.notify(Class::Missed, "keymiss", db, key);
        }
        self.keys.get(db, key)
    }

    /// Returns a value for a command that changes it. Its absence is not an event.
    pub(super) fn stored<T: ValueType>(
        &self,
        target: Target<'_>,
    ) -> Result<Option<&T>, ErrorReply> {
        typed(self.keys.get(target.db, target.key))
    }

    /// Stores a string, whatever the key held before.
    pub(super) fn set(
        &mut self,
        target: Target<'_>,
        value: impl Into<Bytes>,
        deadline: Option<Instant>,
        event: &str,
    ) {
        let Target { db, key, .. } = target;
        let is_new = self.keys.get(db, key).is_none();
        let value = Value::String(value.into());
        self.keys.insert(db, &owned(key), value, deadline);
        if is_new {
            self.notify(Class::New, "new", db, key);
        }
        self.changed(target, Class::String, event);
    }

    /// Changes a collection in place. A key that does not exist is created with an empty one; a
    /// collection without elements is deleted afterwards. The caller reports the change.
    pub(super) fn update<T: ValueType + Default, R>(
        &mut self,
        target: Target<'_>,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<R, ErrorReply> {
        let Target { db, key, .. } = target;
        if let Some(value) = self.keys.get_mut(db, key) {
            let result = change(T::of_mut(value).ok_or(WRONG_TYPE)?);
            if value.is_empty_collection() {
                self.keys.remove(db, key);
            }
            return Ok(result);
        }
        let mut created = T::default();
        let result = change(&mut created);
        let created = created.into_value();
        if !created.is_empty_collection() {
            self.keys.insert(db, &owned(key), created, None);
            self.notify(Class::New, "new", db, key);
        }
        Ok(result)
    }

    /// Reports a change of a key: the invalidation, then the event, then `del` if the key is gone.
    pub(super) fn changed(&mut self, target: Target<'_>, class: Class, event: &str) {
        self.touch(Some(target.by), target.db, target.key);
        self.notify_change(target, class, event);
    }

    /// Like [`changed`](Self::changed), with the invalidation last. The server does so for some of the
    /// commands that take elements out of a collection.
    pub(super) fn taken(&mut self, target: Target<'_>, class: Class, event: &str) {
        self.notify_change(target, class, event);
        self.touch(Some(target.by), target.db, target.key);
    }

    /// Tells those that watch or track a key that it has changed. An expiry is no client's change.
    pub(super) fn touch(&mut self, by: Option<ClientId>, db: usize, key: &Bytes) {
        self.spoil_watches(db, key);
        self.invalidate(by, key);
        self.replicate(|| Message::Changed(key.clone()));
    }

    fn notify_change(&mut self, target: Target<'_>, class: Class, event: &str) {
        let Target { db, key, .. } = target;
        self.notify(class, event, db, key);
        if self.keys.get(db, key).is_none() {
            self.notify(Class::Generic, "del", db, key);
        }
    }

    pub(super) fn delete(&mut self, target: Target<'_>) -> bool {
        let Target { by, db, key } = target;
        if self.keys.remove(db, key).is_none() {
            return false;
        }
        self.touch(Some(by), db, key);
        self.notify(Class::Generic, "del", db, key);
        true
    }

    /// Removes a key's deadline. Returns whether it had one.
    pub(super) fn persist(&mut self, target: Target<'_>) -> bool {
        let deadline = self.keys.deadline(target.db, target.key).flatten();
        if deadline.is_some() {
            self.set_deadline(target, None);
        }
        deadline.is_some()
    }

    /// Sets or removes a key's deadline, if there is such a key.
    pub(super) fn set_deadline(&mut self, target: Target<'_>, deadline: Option<Instant>) {
        let Target { db, key, .. } = target;
        let Some(entry) = self.keys.remove(db, key) else {
            return;
        };
        self.keys.insert(db, &owned(key), entry.value, deadline);
        let event = if deadline.is_some() {
            "expire"
        } else {
            "persist"
        };
        self.changed(target, Class::Generic, event);
    }

    /// Empties one database, or all of them. This causes no key event, only an invalidation of all
    /// keys.
    pub(super) fn flush(&mut self, by: ClientId, db: Option<usize>) {
        for index in (0..DATABASES).filter(|index| db.is_none_or(|db| db == *index)) {
            for key in mem::take(&mut self.keys.databases[index]).keys() {
                self.spoil_watches(index, key);
            }
        }
        self.keys
            .deadlines
            .retain(|(_, index, _)| db.is_some_and(|db| db != *index));
        self.invalidate_everything(by);
        self.replicate(|| Message::Flush);
    }

    /// Returns the time at which the next key expires here. A replica waits for what its primary says.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let is_replica = self.cluster.as_ref().is_some_and(Membership::is_replica);
        self.keys.next_deadline().filter(|_| !is_replica)
    }

    /// Deletes the keys whose deadline has passed.
    pub(super) fn expire(&mut self) {
        if self.next_deadline().is_none() {
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
            self.touch(None, db, &key);
        }
    }

    /// Publishes a key event on the channels that are switched on, here and at the replicas.
    pub(super) fn notify(&mut self, class: Class, event: &str, db: usize, key: &[u8]) {
        if !matches!(class, Class::Missed) {
            self.replicate(|| Message::key_event(class, event, key));
        }
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

fn typed<T: ValueType>(value: Option<&Value>) -> Result<Option<&T>, ErrorReply> {
    let typed = value.map(|value| T::of(value).ok_or(WRONG_TYPE));
    Ok(typed.transpose()?)
}
