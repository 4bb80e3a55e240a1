//! The effects of subscribing and publishing on the state.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::client::ClientId;
use super::cluster::Message;
use super::glob;
use super::reply::{Frames, Protocol};
use super::state::BrokerState;
use super::subscriptions::Kind;

impl BrokerState {
    /// Subscribes a client. A name that the client already has is confirmed again.
    pub(super) fn subscribe(&mut self, id: ClientId, kind: Kind, name: &Bytes, reply: &mut Frames) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        // The argument is a slice of the read buffer, which it would keep alive.
        let name = Bytes::copy_from_slice(name);
        if client.names[kind as usize].insert(name.clone()) {
            self.subscriptions.0[kind as usize]
                .entry(name.clone())
                .or_default()
                .insert(id);
            self.changed.send_replace(());
        }
        self.confirm(id, kind, kind.subscribed(), Some(&name), reply);
    }

    /// Unsubscribes a client. A name that the client never had is confirmed too.
    pub(super) fn unsubscribe(
        &mut self,
        id: ClientId,
        kind: Kind,
        name: &Bytes,
        reply: &mut Frames,
    ) {
        self.remove_name(id, kind, name);
        self.confirm(id, kind, kind.unsubscribed(), Some(name), reply);
    }

    /// Unsubscribes a client from every name of a kind, with a confirmation for each; without any name,
    /// one confirmation of null.
    pub(super) fn unsubscribe_all(&mut self, id: ClientId, kind: Kind, reply: &mut Frames) {
        let names = self
            .clients
            .get(&id)
            .map(|client| client.names[kind as usize].clone())
            .unwrap_or_default();
        for name in &names {
            self.unsubscribe(id, kind, name, reply);
        }
        if names.is_empty() {
            self.confirm(id, kind, kind.unsubscribed(), None, reply);
        }
    }

    /// Removes every subscription of a client without a confirmation.
    pub(super) fn unsubscribe_everything(&mut self, id: ClientId) {
        for kind in Kind::ALL {
            let names = self
                .clients
                .get(&id)
                .map(|client| client.names[kind as usize].clone())
                .unwrap_or_default();
            for name in &names {
                self.remove_name(id, kind, name);
            }
        }
    }

    pub(super) fn remove_name(&mut self, id: ClientId, kind: Kind, name: &[u8]) {
        if self
            .clients
            .get_mut(&id)
            .is_some_and(|client| client.names[kind as usize].remove(name))
        {
            self.subscriptions.remove(kind, name, id);
            self.changed.send_replace(());
        }
    }

    /// Writes a confirmation. It counts channels and patterns together, and sharded channels
    /// separately.
    pub(super) fn confirm(
        &self,
        id: ClientId,
        kind: Kind,
        what: &str,
        name: Option<&[u8]>,
        reply: &mut Frames,
    ) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let [channels, patterns, shards] = client.names.each_ref().map(BTreeSet::len);
        reply.push(3);
        reply.bulk(what);
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.count(if kind == Kind::Shard {
            shards
        } else {
            channels + patterns
        });
    }

    /// Publishes a message to all nodes of the cluster. Returns the number of frames that were sent here.
    pub(super) fn publish_everywhere(&mut self, channel: &[u8], payload: &[u8]) -> usize {
        self.send_to_cluster(|| Message::publish(channel, payload));
        self.publish(channel, payload)
    }

    /// Publishes a message to the primary and the replicas of this node's part of the cluster. Returns the
    /// number of frames that were sent here.
    pub(super) fn publish_to_shard(&mut self, channel: &[u8], payload: &[u8]) -> usize {
        self.send_to_cluster(|| Message::publish_shard(channel, payload));
        self.publish_shard(channel, payload)
    }

    /// Delivers to the channel's subscribers, then to those of each matching pattern, one frame for
    /// each matching subscription. Returns the number of frames.
    pub(super) fn publish(&mut self, channel: &[u8], payload: &[u8]) -> usize {
        let mut receivers = self.deliver(Kind::Channel, channel, &[channel, payload]);
        let matching: Vec<Bytes> = self
            .subscriptions
            .names(Kind::Pattern)
            .keys()
            .filter(|pattern| glob::matches(pattern, channel))
            .cloned()
            .collect();
        for pattern in matching {
            receivers += self.deliver(Kind::Pattern, &pattern, &[&pattern, channel, payload]);
        }
        receivers
    }

    /// Delivers to the subscribers of a sharded channel. Returns the number of frames.
    pub(super) fn publish_shard(&mut self, channel: &[u8], payload: &[u8]) -> usize {
        self.deliver(Kind::Shard, channel, &[channel, payload])
    }

    fn deliver(&mut self, kind: Kind, name: &[u8], items: &[&[u8]]) -> usize {
        let Some(ids) = self.subscriptions.names(kind).get(name) else {
            return 0;
        };
        let ids: Vec<ClientId> = ids.iter().copied().collect();
        let mut encoded: [Option<Frames>; 2] = [None, None];
        for id in &ids {
            let Some(protocol) = self.clients.get(id).map(|client| client.protocol) else {
                continue;
            };
            let frame =
                encoded[usize::from(protocol == Protocol::Resp3)].get_or_insert_with(|| {
                    let mut frame = Frames::new(protocol);
                    frame.push(items.len() + 1);
                    frame.bulk(kind.message());
                    items.iter().for_each(|item| frame.bulk(item));
                    frame
                });
            self.push(*id, &frame.bytes);
        }
        ids.len()
    }
}
