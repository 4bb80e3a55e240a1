//! What nodes send each other: published messages over the bus, and a primary's changes to its replicas.

use std::mem;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::membership::{Direction, Membership};
use crate::testing::broker::events::Class;
use crate::testing::broker::state::BrokerState;
use crate::testing::broker::value::owned;
use crate::testing::broker::world::World;

/// What one node sends to others.
#[derive(Clone)]
pub(in crate::testing::broker) enum Message {
    /// To all nodes.
    Publish { channel: Bytes, payload: Bytes },
    /// To the primary and the replicas of the sender's part of the cluster.
    PublishShard { channel: Bytes, payload: Bytes },
    /// To replicas: what has happened to a key.
    KeyEvent {
        class: Class,
        event: String,
        key: Bytes,
    },
    /// To replicas: a key has another value now, or none.
    Changed(Bytes),
    /// To replicas: there are no keys any more.
    Flush,
}

impl Message {
    pub(in crate::testing::broker) fn publish(channel: &[u8], payload: &[u8]) -> Self {
        let [channel, payload] = [channel, payload].map(Bytes::copy_from_slice);
        Self::Publish { channel, payload }
    }

    pub(in crate::testing::broker) fn publish_shard(channel: &[u8], payload: &[u8]) -> Self {
        let [channel, payload] = [channel, payload].map(Bytes::copy_from_slice);
        Self::PublishShard { channel, payload }
    }

    /// A replica is told to delete what has expired, so it does not call it an expiry.
    pub(in crate::testing::broker) fn key_event(class: Class, event: &str, key: &[u8]) -> Self {
        let (class, event) = match class {
            Class::Expired => (Class::Generic, "del"),
            _ => (class, event),
        };
        Self::KeyEvent {
            class,
            event: event.to_owned(),
            key: Bytes::copy_from_slice(key),
        }
    }
}

impl BrokerState {
    /// Queues a message to other nodes, if this is a node of a cluster.
    pub(in crate::testing::broker) fn send_to_cluster(
        &mut self,
        message: impl FnOnce() -> Message,
    ) {
        if let Some(node) = &mut self.cluster {
            node.outgoing.push(message());
        }
    }

    /// Queues a message to the replicas of this node, if it is a primary of a cluster.
    pub(in crate::testing::broker) fn replicate(&mut self, message: impl FnOnce() -> Message) {
        if let Some(node) = self.cluster.as_mut().filter(|node| !node.is_replica()) {
            node.outgoing.push(message());
        }
    }
}

impl World {
    /// Delivers what nodes have queued for others.
    pub(in crate::testing::broker) fn deliver(&mut self) {
        for from in 0..self.nodes.len() {
            let Some(node) = &mut self.nodes[from].cluster else {
                return;
            };
            for message in mem::take(&mut node.outgoing) {
                self.send(from, &message);
            }
        }
        for node in &mut self.nodes {
            node.flush_invalidations();
        }
    }

    /// Delivers a message to the other nodes. Returns the number of frames that a published one was sent in.
    pub(super) fn send(&mut self, from: usize, message: &Message) -> usize {
        let others = (0..self.nodes.len()).filter(|to| *to != from);
        others.map(|to| self.send_to(from, to, message)).sum()
    }

    fn send_to(&mut self, from: usize, to: usize, message: &Message) -> usize {
        match message {
            Message::Publish { channel, payload } if self.passes_bus(from, to) => {
                return self.nodes[to].publish(channel, payload);
            }
            Message::PublishShard { channel, payload }
                if self.is_near(from, to) && self.passes_bus(from, to) =>
            {
                return self.nodes[to].publish_shard(channel, payload);
            }
            Message::Publish { .. } | Message::PublishShard { .. } => {}
            _ if !self.replicates(from, to) => {}
            Message::KeyEvent { class, event, key } => self.nodes[to].notify(*class, event, 0, key),
            Message::Changed(key) => {
                let entry = self.nodes[from].keys.databases[0].get(key).cloned();
                let replica = &mut self.nodes[to];
                match entry {
                    Some(entry) => {
                        let key = owned(key);
                        replica.keys.insert(0, &key, entry.value, entry.deadline);
                    }
                    None => drop(replica.keys.remove(0, key)),
                }
                replica.touch(None, 0, key);
            }
            Message::Flush => self.nodes[to].flush(NOBODY, None),
        }
        0
    }

    /// Whether two nodes are of the same part of the cluster, as the first one sees it.
    fn is_near(&self, from: usize, to: usize) -> bool {
        let topology = &self.member(from).topology;
        to < topology.nodes.len() && topology.head(from) == topology.head(to)
    }

    /// Whether a published message passes from one node to another. One that is lost is counted.
    fn passes_bus(&mut self, from: usize, to: usize) -> bool {
        // A message of a node that the receiver does not know is ignored.
        let is_linked = self.member(from).links.contains_key(&(to, Direction::To))
            && self.member(to).known.contains(&from);
        let node = self.member_mut(to);
        let is_lost = is_linked && node.losing > 0;
        node.losing -= usize::from(is_lost);
        is_linked && !is_lost
    }

    fn replicates(&self, from: usize, to: usize) -> bool {
        self.member(to).primary() == Some(from) && !self.topology.nodes[to].is_down
    }

    /// Copies the keys of a replica's primary to it.
    pub(super) fn synchronize(&mut self, replica: usize) {
        if let Some(primary) = self.member(replica).primary() {
            let keys = self.nodes[primary].keys.clone();
            let events = self.nodes[replica].keys.events;
            self.nodes[replica].keys = keys;
            self.nodes[replica].keys.events = events;
        }
    }

    /// Creates the links that are missing between nodes, and removes those that cannot stand.
    pub(super) fn link(&mut self) {
        let hears: Vec<bool> = (0..self.nodes.len()).map(|node| self.hears(node)).collect();
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                let is_open = hears[from] && hears[to] && self.member(from).known.contains(&to);
                // The receiver cannot say whose link it is if it does not know the sender.
                let is_named = is_open && self.member(to).known.contains(&from);
                self.set_link(from, (to, Direction::To), is_open);
                self.set_link(to, (from, Direction::From), is_named);
            }
        }
    }

    fn set_link(&mut self, node: usize, link: (usize, Direction), stands: bool) {
        if !stands {
            self.member_mut(node).links.remove(&link);
        } else if !self.member(node).links.contains_key(&link) {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
            let now =
                since_epoch.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
            // Never the same time twice, so that a new link can be told from an old one.
            self.last_link = now.max(self.last_link + 1);
            let created = self.last_link;
            self.member_mut(node).links.insert(link, created);
        }
    }

    /// Whether changes and messages reach a node.
    pub(super) fn hears(&self, node: usize) -> bool {
        !self.topology.nodes[node].is_down && !self.member(node).is_cut_off
    }

    pub(super) fn member(&self, node: usize) -> &Membership {
        self.nodes[node].cluster.as_ref().expect(MEMBER)
    }

    pub(super) fn member_mut(&mut self, node: usize) -> &mut Membership {
        self.nodes[node].cluster.as_mut().expect(MEMBER)
    }
}

const MEMBER: &str = "every node of a cluster is a member of it";

/// The number of no client.
pub(super) const NOBODY: u64 = 0;
