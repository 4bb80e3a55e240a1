//! Client-side caching: the invalidations that a change of a key causes.
//!
//! There are two modes, as in the server. By prefix (BCAST), changes are gathered while one client's
//! pipelined commands run, and then the keys of each prefix are sent in one push. By key (without
//! BCAST), a key that a client has read is invalidated once, at the moment of the change.

use bytes::Bytes;

use super::client::ClientId;
use super::reply::{Frames, Protocol};
use super::state::BrokerState;

impl BrokerState {
    /// Switches tracking on, or adds prefixes to it. The latest call decides on NOLOOP.
    pub(super) fn start_tracking(
        &mut self,
        id: ClientId,
        by_prefix: bool,
        no_loop: bool,
        prefixes: Vec<Bytes>,
    ) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let tracking = client.tracking.get_or_insert_default();
        (tracking.by_prefix, tracking.no_loop) = (by_prefix, no_loop);
        if by_prefix {
            let prefixes = if prefixes.is_empty() {
                vec![Bytes::new()]
            } else {
                prefixes
            };
            for prefix in prefixes {
                self.tracking
                    .prefixes
                    .entry(prefix.clone())
                    .or_default()
                    .clients
                    .insert(id);
                tracking.prefixes.insert(prefix);
            }
        }
    }

    pub(super) fn stop_tracking(&mut self, id: ClientId) {
        let Some(tracking) = self
            .clients
            .get_mut(&id)
            .and_then(|client| client.tracking.take())
        else {
            return;
        };
        for prefix in tracking.prefixes {
            if let Some(entry) = self.tracking.prefixes.get_mut(&prefix) {
                entry.clients.remove(&id);
                if entry.clients.is_empty() {
                    self.tracking.prefixes.remove(&prefix);
                }
            }
        }
        if !tracking.by_prefix {
            self.tracking
                .readers
                .retain(|_, readers| !readers.remove(&id) || !readers.is_empty());
        }
    }

    /// Records that a client has read a key, if the client tracks by key.
    pub(super) fn remember_read(&mut self, id: ClientId, key: &[u8]) {
        let tracking = self
            .clients
            .get(&id)
            .and_then(|client| client.tracking.as_ref());
        if tracking.is_some_and(|tracking| !tracking.by_prefix) {
            self.tracking
                .readers
                .entry(Bytes::copy_from_slice(key))
                .or_default()
                .insert(id);
        }
    }

    /// Invalidates a changed key: at once for clients that have read it, and in the next
    /// [flush](Self::flush_invalidations) for clients that track a prefix of it.
    pub(super) fn invalidate(&mut self, by: Option<ClientId>, key: &Bytes) {
        for (prefix, entry) in &mut self.tracking.prefixes {
            if key.starts_with(prefix) {
                entry.changed.insert(Bytes::copy_from_slice(key), by);
            }
        }
        for id in self.tracking.readers.remove(key).unwrap_or_default() {
            if by != Some(id) || !self.no_loop(id) {
                self.send_invalidation(id, Some(&[key]));
            }
        }
    }

    /// Invalidates all keys for every tracking client.
    pub(super) fn invalidate_everything(&mut self, by: ClientId) {
        let mut tracking: Vec<ClientId> = self
            .clients
            .iter()
            .filter(|(_, client)| client.tracking.is_some())
            .map(|(id, _)| *id)
            .collect();
        tracking.sort_unstable_by_key(|id| (*id == by, *id));
        for id in tracking {
            self.send_invalidation(id, None);
        }
        self.tracking.readers.clear();
    }

    /// Sends the keys that were gathered for each prefix. Called after the commands of a client.
    pub(super) fn flush_invalidations(&mut self) {
        let due: Vec<_> = self
            .tracking
            .prefixes
            .values_mut()
            .filter(|prefix| !prefix.changed.is_empty())
            .map(|prefix| (prefix.clients.clone(), std::mem::take(&mut prefix.changed)))
            .collect();
        for (clients, changed) in due {
            for id in clients {
                let own = self.no_loop(id).then_some(id);
                let keys: Vec<&Bytes> = changed
                    .iter()
                    .filter(|(_, by)| own.is_none() || **by != own)
                    .map(|(key, _)| key)
                    .collect();
                if !keys.is_empty() {
                    self.send_invalidation(id, Some(&keys));
                }
            }
        }
    }

    fn no_loop(&self, id: ClientId) -> bool {
        self.clients
            .get(&id)
            .and_then(|client| client.tracking.as_ref())
            .is_some_and(|tracking| tracking.no_loop)
    }

    /// Sends an invalidation of these keys, or of all keys. RESP2 has no frame for it: as in the
    /// server, a RESP2 client gets none.
    fn send_invalidation(&mut self, id: ClientId, keys: Option<&[&Bytes]>) {
        let Some(client) = self
            .clients
            .get(&id)
            .filter(|client| client.protocol == Protocol::Resp3)
        else {
            return;
        };
        let mut frame = Frames::new(Protocol::Resp3);
        frame.push(2);
        frame.bulk("invalidate");
        match keys {
            Some(keys) => {
                frame.array(keys.len());
                keys.iter().for_each(|key| frame.bulk(key));
            }
            None => frame.null(),
        }
        match &mut self.running {
            Some(running) if running.id == id => {
                running.invalidations.extend_from_slice(&frame.bytes);
            }
            _ => client.outbox.append(&frame.bytes),
        }
    }
}
