//! Brokers as the nodes of a cluster.
//!
//! Each node is a [`Broker`] with a port of its own. What real servers do with a name, a key or a node that
//! moves was measured, and the nodes do the same: the conformance tests compare them.
//!
//! | file | contents |
//! | --- | --- |
//! | `builder` | starting a cluster |
//! | `slot`, `topology` | the slot of a name; which node owns it |
//! | `membership` | what one node knows, which may be out of date |
//! | `routing` | refusing what another node has to run: MOVED, CROSSSLOT, CLUSTERDOWN |
//! | `commands`, `report` | CLUSTER, ROLE, INFO, READONLY |
//! | `bus` | what nodes send each other, and the links between them |
//! | `moves` | slots and roles that move |
//! | `outages` | nodes and links that fail |
//! | `waiting` | waiting for subscribers |
//!
//! There is one truth, the topology of the [world](super::world), and what each node knows of it. A change
//! is told to all nodes that hear of it before the verb returns, so a test never waits for gossip. Nodes
//! that are cut off keep what they know, and answer accordingly.

mod builder;
mod bus;
mod commands;
mod membership;
mod moves;
mod outages;
mod report;
pub(super) mod routing;
mod slot;
#[cfg(test)]
mod tests;
mod topology;
mod waiting;

pub use builder::ClusterBuilder;
pub(super) use bus::Message;
pub(super) use commands::COMMANDS;
pub(super) use membership::Membership;
pub(super) use topology::Topology;

use std::fmt;
use std::sync::{Arc, Mutex};

use super::Broker;
use super::world::World;

/// A cluster of embedded brokers.
///
/// Its nodes are [`Broker`]s, each on a port of its own, and know the same as the nodes of a Redis or Valkey
/// cluster: keys and sharded channels belong to slots, each slot to a primary, and what belongs to another
/// node is answered with `MOVED`. [`move_slot`](Self::move_slot) and [`fail_over`](Self::fail_over) give slots
/// to other nodes, whose subscribers then hear what those of a real cluster hear.
///
/// ```
/// use redis_push::testing::Broker;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cluster = Broker::cluster(3).start().await?;
///
/// let owner = cluster.node_of("orders.42");
/// let client = redis::Client::open(cluster.node(owner).url())?;
/// let mut connection = client.get_multiplexed_async_connection().await?;
/// let publish = redis::cmd("SPUBLISH").arg("orders.42").arg("paid").to_owned();
/// publish.exec_async(&mut connection).await?;
///
/// cluster.move_slot(cluster.slot_of("orders.42"), (owner + 1) % 3);
/// let error = publish.exec_async(&mut connection).await.unwrap_err();
/// assert_eq!(error.code(), Some("MOVED"));
/// # Ok(())
/// # }
/// ```
///
/// # Nodes
///
/// A node is named by its number. The primaries come first, then their replicas in turn: with three
/// primaries, nodes 3, 4 and 5 are the replicas of nodes 0, 1 and 2. A number stays the same when
/// roles change.
///
/// [`node`](Self::node) returns the broker, with all that a broker can do. Its
/// [faults](Broker#faults) concern only this node: `cluster.node(1).pause(true)` freezes node 1. Its
/// settings do so too, as on a server; [`set_key_events`](Self::set_key_events) sets those of all nodes.
///
/// # What passes between nodes
///
/// - PUBLISH reaches the subscribers of all nodes, and returns the number of those at the node itself.
///   SPUBLISH reaches the owner of the slot and its replicas.
/// - A primary's keys are also at its replicas, without any delay. Key events and invalidations are sent by
///   the primary and by its replicas, and by nobody else.
///
/// As in the newest Valkey, a slot that gets another owner takes its sharded channels away from all
/// subscribers, also from those of a replica that is promoted. Only database 0 exists.
///
/// # What is simpler
///
/// Every change is known to all nodes at once, nobody notices by itself that a node is down, and no slot is ever
/// half moved: no node says `ASK` or `TRYAGAIN`. [`cut_off`](Self::cut_off) keeps a node from learning of a
/// change, so that nodes contradict each other as they do on a network.
///
/// It runs on the tokio runtime that started it. Dropping it ends all nodes.
pub struct BrokerCluster {
    nodes: Vec<Broker>,
    world: Arc<Mutex<World>>,
}

impl BrokerCluster {
    /// Returns a node's broker.
    ///
    /// # Panics
    ///
    /// Panics if there is no such node.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// assert_ne!(cluster.node(0).addr(), cluster.node(1).addr());
    /// # Ok(())
    /// # }
    /// ```
    pub fn node(&self, node: usize) -> &Broker {
        let count = self.nodes.len();
        self.nodes
            .get(node)
            .unwrap_or_else(|| panic!("there is no node {node}: the nodes are 0 to {}", count - 1))
    }

    /// Returns the brokers of all nodes, in the order of their numbers.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// // Three primaries and three replicas.
    /// assert_eq!(cluster.nodes().len(), 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn nodes(&self) -> &[Broker] {
        &self.nodes
    }

    /// Returns the URLs of all nodes, in the order of their numbers.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// assert_eq!(cluster.urls()[2], cluster.node(2).url());
    /// # Ok(())
    /// # }
    /// ```
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Broker::url).collect()
    }

    /// Returns the slot of a key or a channel, from 0 to 16383.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// assert_eq!(cluster.slot_of("foo"), 12182);
    /// assert_eq!(cluster.slot_of("{foo}.bar"), 12182);
    /// # Ok(())
    /// # }
    /// ```
    pub fn slot_of(&self, name: impl AsRef<[u8]>) -> u16 {
        slot::slot(name.as_ref())
    }

    /// Returns the primary that owns the slot of a key or a channel.
    ///
    /// # Panics
    ///
    /// Panics if the slot has no owner.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// assert_eq!(cluster.node_of("foo"), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn node_of(&self, name: impl AsRef<[u8]>) -> usize {
        let slot = self.slot_of(name);
        let owner = World::lock(&self.world).topology.owner(slot);
        owner.unwrap_or_else(|| panic!("no node owns slot {slot}"))
    }

    /// Returns the primary that a node is a replica of, or `None` for a primary.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// assert_eq!(cluster.primary_of(1), None);
    /// assert_eq!(cluster.primary_of(4), Some(1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn primary_of(&self, node: usize) -> Option<usize> {
        self.node(node);
        World::lock(&self.world).topology.nodes[node].primary
    }

    /// Publishes a message, and returns the number of subscriptions of all nodes that it was sent to.
    ///
    /// It is published at the node that owns the channel's slot, or at another one while that is down. To
    /// publish at a certain node, use [`Broker::publish`] of that node.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// # let client = redis::Client::open(cluster.node(5).url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.subscribe("news").await?;
    /// assert_eq!(cluster.publish("news", "hello"), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish(&self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> usize {
        let (channel, payload) = (channel.as_ref(), payload.as_ref());
        let owner = self.slot_of(channel);
        self.change(|world| {
            let owner = world
                .topology
                .owner(owner)
                .filter(|owner| world.hears(*owner));
            let running = owner.or_else(|| (0..world.nodes.len()).find(|node| world.hears(*node)));
            running.map_or(0, |node| {
                let message = Message::publish(channel, payload);
                world.nodes[node].publish(channel, payload) + world.send(node, &message)
            })
        })
    }

    /// Publishes a message on a sharded channel, and returns the number of clients that it was sent to, those
    /// of replicas among them. While the owner of the slot is down, nobody can publish on it.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// // Nobody is subscribed.
    /// assert_eq!(cluster.publish_shard("orders.42", "paid"), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish_shard(&self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> usize {
        let (channel, payload) = (channel.as_ref(), payload.as_ref());
        let slot = self.slot_of(channel);
        self.change(|world| {
            let owner = world
                .topology
                .owner(slot)
                .filter(|owner| world.hears(*owner));
            owner.map_or(0, |node| {
                let message = Message::publish_shard(channel, payload);
                world.nodes[node].publish_shard(channel, payload) + world.send(node, &message)
            })
        })
    }

    /// Sets the key events that each node publishes. See [`Broker::set_key_events`].
    ///
    /// # Panics
    ///
    /// Panics if a letter does not name a class of events.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// cluster.set_key_events("KEA");
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_key_events(&self, classes: &str) {
        for node in &self.nodes {
            node.set_key_events(classes);
        }
    }

    /// Changes the world, delivers what follows from that, and wakes those who wait for deadlines.
    fn change<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        let mut world = World::lock(&self.world);
        let result = change(&mut world);
        world.deliver();
        drop(world);
        for node in &self.nodes {
            node.shared.deadline.notify_one();
        }
        result
    }
}

impl fmt::Debug for BrokerCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerCluster")
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}
