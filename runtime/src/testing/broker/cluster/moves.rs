//! Slots and roles that move from one node to another.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::BrokerCluster;
use super::slot::{SLOTS, slot};
use super::topology::Topology;
use crate::testing::broker::events::Class;
use crate::testing::broker::state::BrokerState;
use crate::testing::broker::value::owned;
use crate::testing::broker::world::World;

/// # Moves
///
/// A move is done, and known to all nodes that hear of it, when the function returns. Clients have then been
/// told what a server tells them, as far as they read it.
impl BrokerCluster {
    /// Gives a slot to another primary, with its keys.
    ///
    /// The old owner, its replicas and those of the new owner push an unsolicited `sunsubscribe` to the
    /// subscribers of each sharded channel in the slot, and answer with `MOVED` from then on. Classic
    /// subscriptions stay. Each key is deleted at the old owner (event `del`) and restored at the new one
    /// (`restore`); both invalidate it.
    ///
    /// # Panics
    ///
    /// Panics if there is no such slot or node, or if the node is a replica.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// let slot = cluster.slot_of("orders.42");
    /// cluster.move_slot(slot, 0);
    /// assert_eq!(cluster.node_of("orders.42"), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn move_slot(&self, slot: u16, to: usize) {
        self.move_slots(slot..=slot, to);
    }

    /// Gives several slots to another primary at once. See [`move_slot`](Self::move_slot).
    ///
    /// # Panics
    ///
    /// As [`move_slot`](Self::move_slot).
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// // All of them.
    /// cluster.move_slots(0..=16383, 1);
    /// assert_eq!(cluster.node_of("orders.42"), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn move_slots(&self, slots: RangeInclusive<u16>, to: usize) {
        self.node(to);
        check(&slots);
        self.change(|world| {
            assert!(
                world.topology.nodes[to].primary.is_none(),
                "node {to} is a replica, and only a primary can own a slot"
            );
            world.move_keys(&slots, to);
            world.change(|topology| slots.for_each(|slot| topology.give(slot, Some(to))));
        });
    }

    /// Takes a slot from its owner, and gives it to nobody. Its keys stay where they are.
    ///
    /// Subscribers of its sharded channels get a `sunsubscribe`. Then nodes answer with
    /// `CLUSTERDOWN Hash slot not served`, and refuse all commands on keys, until the slot is
    /// [moved](Self::move_slot) to a node.
    ///
    /// # Panics
    ///
    /// Panics if there is no such slot.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(1).start().await?;
    /// # let client = redis::Client::open(cluster.node(0).url())?;
    /// # let mut connection = client.get_multiplexed_async_connection().await?;
    /// cluster.drop_slot(cluster.slot_of("orders.42"));
    /// let publish = redis::cmd("SPUBLISH").arg("orders.42").arg("paid").to_owned();
    /// let error = publish.exec_async(&mut connection).await.unwrap_err();
    /// assert_eq!(error.code(), Some("CLUSTERDOWN"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn drop_slot(&self, slot: u16) {
        check(&(slot..=slot));
        self.change(|world| world.change(|topology| topology.give(slot, None)));
    }

    /// Promotes a replica, and returns its number: `node` itself, or, if that is a primary, its first replica
    /// that runs and is not [cut off](Self::cut_off).
    ///
    /// The replica owns all slots of its primary, which becomes its replica, at once or, if it is
    /// [killed](Self::kill), when it is [restarted](Self::restart). No connection is closed. Subscribers of
    /// sharded channels get a `sunsubscribe` at all nodes of the shard, classic ones hear on, and nobody tells
    /// those of key events and invalidations that their node is a replica now.
    ///
    /// # Panics
    ///
    /// Panics if there is no such node, or no replica to promote.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// assert_eq!(cluster.fail_over(1), 4);
    /// assert_eq!(cluster.primary_of(1), Some(4));
    /// # Ok(())
    /// # }
    /// ```
    pub fn fail_over(&self, node: usize) -> usize {
        self.node(node);
        self.change(|world| {
            let replica = match world.topology.nodes[node].primary {
                Some(_) => Some(node),
                None => world.topology.replicas(node).find(|one| world.hears(*one)),
            };
            let replica = replica.filter(|replica| world.hears(*replica));
            let replica = replica.unwrap_or_else(|| {
                panic!(
                    "node {node} cannot fail over: no replica of it runs and hears of the others"
                )
            });
            world.change(|topology| topology.promote(replica));
            replica
        })
    }
}

fn check(slots: &RangeInclusive<u16>) {
    let last = *slots.end();
    assert!(
        last < SLOTS,
        "there is no slot {last}: the last one is {}",
        SLOTS - 1
    );
}

impl World {
    /// Changes the topology, and tells all nodes that hear of it.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Topology)) {
        change(Arc::make_mut(&mut self.topology));
        for node in 0..self.nodes.len() {
            self.inform(node);
        }
        self.link();
    }

    /// Tells a node what there is to know, if it can hear it.
    pub(super) fn inform(&mut self, node: usize) {
        if !self.hears(node) {
            return;
        }
        let before = self.member(node).primary();
        let topology = self.topology.clone();
        self.nodes[node].learn(|node| node.topology = topology);
        if self.member(node).primary() != before {
            self.synchronize(node);
        }
    }

    fn move_keys(&mut self, slots: &RangeInclusive<u16>, to: usize) {
        for from in (0..self.nodes.len()).filter(|from| *from != to) {
            if self.topology.nodes[from].primary.is_some() {
                continue;
            }
            for key in self.nodes[from].keys_of(slots) {
                // The source deletes a key when the target has it.
                if let Some(entry) = self.nodes[from].keys.databases[0].get(&key).cloned() {
                    let target = &mut self.nodes[to];
                    target.keys.insert(0, &key, entry.value, entry.deadline);
                    target.touch(None, 0, &key);
                    target.notify(Class::Generic, "restore", 0, &key);
                }
                let source = &mut self.nodes[from];
                source.keys.remove(0, &key);
                source.touch(None, 0, &key);
                source.notify(Class::Generic, "del", 0, &key);
            }
        }
    }
}

impl BrokerState {
    fn keys_of(&self, slots: &RangeInclusive<u16>) -> Vec<bytes::Bytes> {
        let keys = self.keys.databases[0].keys();
        keys.filter(|key| slots.contains(&slot(key)))
            .map(owned)
            .collect()
    }
}
