use super::publisher::Publisher;
use crate::connection::Endpoint;
#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;

/// # Clusters
impl Publisher {
    /// Creates a publisher with its own connections to the nodes of a Redis Cluster or a Valkey Cluster, of which
    /// these are some: one is enough to find the others. For TLS options or credentials, pass
    /// [`Endpoint::cluster`] to [`new`](Self::new).
    ///
    /// ```
    /// use redis_push::Publisher;
    /// use redis_push::testing::Broker;
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cluster = Broker::cluster(3).start().await?;
    /// let publisher = Publisher::cluster(cluster.urls())?;
    /// publisher.publish_to_shard("orders.42", "paid").await?;
    /// publisher.publish_to("news", "hello").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A message to a sharded channel goes to the node that has the slot of its name. When the slot moves or
    /// another node takes over, so do the messages. One to another channel, which every node passes on to all
    /// others, goes to the node that had the slot at first: messages on different ways between nodes could overtake
    /// each other. If that node cannot be connected to and nothing has replaced it, the message goes to another node,
    /// and so do those after it, for good.
    ///
    /// Nothing is sent twice: what a node refuses because another one has the slot is sent there, at most five
    /// times and within the [`timeout`](Self::timeout), and so is what could not be sent to a node that cannot
    /// be connected to. What was sent to a node that is lost is "not known to be published".
    ///
    /// Which node has which slots is asked for with the first message, after such an event, and when a
    /// message is published after the [`topology_interval`](Endpoint::topology_interval). The user needs the right
    /// `+cluster|slots`. With `+cluster|info`, what a node says that is cut off from the others is not believed.
    ///
    /// # Errors
    ///
    /// Returns an error if the list of URLs is empty, or if a URL is not valid ([`Error::is_config`]). No
    /// connection is made.
    ///
    /// [`Error::is_config`]: crate::Error::is_config
    pub fn cluster<U: Into<String>>(nodes: impl IntoIterator<Item = U>) -> Result<Self> {
        Self::new(Endpoint::cluster(nodes))
    }
}
