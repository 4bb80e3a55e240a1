//! Waiting for subscribers, wherever they are.

use super::BrokerCluster;
use crate::testing::broker::state::BrokerState;
use crate::testing::broker::world::World;

impl BrokerCluster {
    /// Waits until at least `n` connections of all nodes have a subscription of any kind; with `n = 0`, until
    /// no connection has one.
    ///
    /// The wait is unbounded: wrap it in a `tokio::time::timeout`. Cancel safe.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// # let client = redis::Client::open(cluster.node(1).url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.subscribe("news").await?;
    /// cluster.wait_for_subscribers(1).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_subscribers(&self, n: usize) {
        self.wait_until(n, BrokerState::subscribers).await;
    }

    /// Waits until at least `n` connections of all nodes are subscribed to this channel, pattern or sharded
    /// channel; with `n = 0`, until no connection is.
    ///
    /// The wait is unbounded: wrap it in a `tokio::time::timeout`. Cancel safe.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cluster = Broker::cluster(3).start().await?;
    /// # let client = redis::Client::open(cluster.node(1).url())?;
    /// # let mut pubsub = client.get_async_pubsub().await?;
    /// pubsub.subscribe("news").await?;
    /// cluster.wait_for_subscribers_of("news", 1).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_subscribers_of(&self, name: impl AsRef<[u8]>, n: usize) {
        let name = name.as_ref();
        self.wait_until(n, |node| node.subscribers_of(name)).await;
    }

    async fn wait_until(&self, n: usize, count: impl Fn(&BrokerState) -> usize) {
        let mut changed = World::lock(&self.world).nodes[0].changed.subscribe();
        loop {
            let found: usize = World::lock(&self.world).nodes.iter().map(&count).sum();
            let is_reached = if n == 0 { found == 0 } else { found >= n };
            if is_reached {
                return;
            }
            // This handle keeps the world, and its nodes the sender: this cannot fail.
            let _ = changed.changed().await;
        }
    }
}
