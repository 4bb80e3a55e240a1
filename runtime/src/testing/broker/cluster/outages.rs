//! Nodes that fail or are cut off, and links that lose messages.

use std::io;

use super::BrokerCluster;
use super::membership::Direction;
use crate::testing::broker::state::Shared;
use crate::testing::broker::world::World;

/// # Outages
///
/// [`Broker::pause`](crate::testing::Broker::pause) of a node freezes it.
impl BrokerCluster {
    /// Stops a node as a crash does: its connections end, and new ones are refused.
    ///
    /// The other nodes go on to say `MOVED` to it, and its replicas accept sharded subscriptions, until
    /// [`fail_over`](Self::fail_over) promotes one. Unlike a server without persistence it keeps its keys. This is
    /// [`Broker::stop`](crate::testing::Broker::stop) of that node.
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
    /// # let client = redis::Client::open(cluster.node(1).url())?;
    /// cluster.kill(1).await;
    /// assert!(client.get_multiplexed_async_connection().await.is_err());
    ///
    /// cluster.fail_over(1);
    /// cluster.restart(1).await?;
    /// assert_eq!(cluster.primary_of(1), Some(4));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn kill(&self, node: usize) {
        self.node(node).stop().await;
    }

    /// Starts a killed node on its port again. It learns what it has missed before it accepts connections, and
    /// a replica has the keys of its primary. This is
    /// [`Broker::start_again`](crate::testing::Broker::start_again) of that node.
    ///
    /// # Errors
    ///
    /// Returns an error if another process has taken the port.
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
    /// # let client = redis::Client::open(cluster.node(1).url())?;
    /// cluster.kill(1).await;
    /// cluster.restart(1).await?;
    /// assert!(client.get_multiplexed_async_connection().await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn restart(&self, node: usize) -> io::Result<()> {
        self.node(node).start_again().await
    }

    /// Lets nothing pass between a node and the others, until switched off. Clients reach all of them.
    ///
    /// The node hears of no change and no message, and says `cluster_state:fail`; it accepts the sharded
    /// subscriptions of the slots that it used to own. When switched off, it learns what it has missed.
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
    /// # let client = redis::Client::open(cluster.node(1).url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.subscribe("news").await?;
    /// cluster.cut_off(1, true);
    /// assert_eq!(cluster.node(0).publish("news", "unheard"), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cut_off(&self, node: usize, on: bool) {
        self.node(node);
        self.change(|world| {
            let was_on = std::mem::replace(&mut world.member_mut(node).is_cut_off, on);
            let was_primary = world.member(node).primary().is_none();
            world.inform(node);
            world.link();
            // Its clients may have read what nobody else has heard of.
            if was_on && !on && was_primary && world.member(node).is_replica() {
                world.nodes[node].invalidate_everything(super::bus::NOBODY);
            }
        });
    }

    /// Makes all other nodes forget a node, until they [meet](Self::meet) it again.
    ///
    /// Nothing that they publish reaches it, nor the other way round. The node itself notices nothing:
    /// only its links from the others are gone. If it owns slots, the others serve them no more.
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
    /// cluster.forget(4);
    /// cluster.meet(4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn forget(&self, node: usize) {
        self.know(node, false);
    }

    /// Introduces a [forgotten](Self::forget) node to the others.
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
    /// # let client = redis::Client::open(cluster.node(4).url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.subscribe("news").await?;
    /// cluster.forget(4);
    /// assert_eq!(cluster.publish("news", "unheard"), 0);
    ///
    /// cluster.meet(4);
    /// assert_eq!(cluster.publish("news", "heard"), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn meet(&self, node: usize) {
        self.know(node, true);
    }

    fn know(&self, node: usize, on: bool) {
        self.node(node);
        self.change(|world| {
            for other in (0..world.nodes.len()).filter(|other| *other != node) {
                world.nodes[other].learn(|other| {
                    if on {
                        other.known.insert(node);
                    } else {
                        other.known.remove(&node);
                    }
                });
            }
            world.link();
        });
    }

    /// Closes all links between a node and the others, and opens new ones at once: CLUSTER LINKS shows other
    /// times of creation. What a real cluster loses meanwhile is up to [`lose`](Self::lose).
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
    /// cluster.lose(1, 10);
    /// cluster.reset_bus(1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset_bus(&self, node: usize) {
        self.node(node);
        self.change(|world| {
            world.member_mut(node).links.clear();
            for other in (0..world.nodes.len()).filter(|other| *other != node) {
                let links = &mut world.member_mut(other).links;
                links.remove(&(node, Direction::To));
                links.remove(&(node, Direction::From));
            }
            world.link();
        });
    }

    /// Loses the next messages that other nodes forward to a node, classic or sharded. Nobody is told.
    ///
    /// `usize::MAX` makes it deaf while its links stand; 0 ends that.
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
    /// # let client = redis::Client::open(cluster.node(4).url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.subscribe("news").await?;
    /// cluster.lose(4, 1);
    /// assert_eq!(cluster.publish("news", "lost"), 0);
    /// assert_eq!(cluster.publish("news", "heard"), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn lose(&self, node: usize, messages: usize) {
        self.node(node);
        self.change(|world| world.member_mut(node).losing = messages);
    }
}

impl Shared {
    /// Records that this broker stops or starts, if it is a node of a cluster.
    pub(in crate::testing::broker) fn set_down(&self, is_down: bool) {
        let mut state = self.lock();
        if let Some(me) = state.cluster.as_ref().map(|node| node.me) {
            state.world().set_down(me, is_down);
        }
    }
}

impl World {
    fn set_down(&mut self, node: usize, is_down: bool) {
        self.change(|topology| topology.nodes[node].is_down = is_down);
        if !is_down {
            self.synchronize(node);
        }
    }

    /// Makes a new node known to all others that hear of it.
    pub(super) fn introduce(&mut self, node: usize) {
        for other in (0..self.nodes.len())
            .filter(|other| self.hears(*other))
            .collect::<Vec<_>>()
        {
            self.inform(other);
            self.member_mut(other).known.insert(node);
        }
        self.link();
    }
}
