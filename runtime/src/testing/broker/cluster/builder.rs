//! Starting a cluster.

use std::io;
use std::sync::Arc;

use super::{BrokerCluster, Membership, Topology};
use crate::testing::Broker;
use crate::testing::broker::state::{BrokerState, Shared};
use crate::testing::broker::world::World;

/// The settings of a [`BrokerCluster`] that has not started. [`Broker::cluster`] creates it.
#[derive(Clone, Debug)]
#[must_use = "call `start` to start the cluster"]
pub struct ClusterBuilder {
    primaries: usize,
    replicas: usize,
}

impl Broker {
    /// A cluster of embedded brokers, with so many primaries and one replica of each.
    ///
    /// ```
    /// use redis_push::testing::Broker;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cluster = Broker::cluster(3).start().await?;
    /// assert_eq!(cluster.nodes().len(), 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cluster(primaries: usize) -> ClusterBuilder {
        ClusterBuilder {
            primaries,
            replicas: 1,
        }
    }
}

impl ClusterBuilder {
    /// Sets how many replicas each primary has. The default is one; without any,
    /// [`fail_over`](BrokerCluster::fail_over) finds nobody to promote.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cluster = Broker::cluster(3).replicas(0).start().await?;
    /// assert_eq!(cluster.nodes().len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Starts the nodes on free ports of this machine. The slots are spread evenly over the primaries.
    ///
    /// # Errors
    ///
    /// Returns an error if a node cannot listen on a port.
    ///
    /// # Panics
    ///
    /// Panics without a primary, with more than 16384, and outside a tokio runtime with I/O and time enabled.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cluster = Broker::cluster(2).start().await?;
    /// let client = redis::Client::open(cluster.node(0).url())?;
    /// let mut connection = client.get_multiplexed_async_connection().await?;
    /// let key_slot = redis::cmd("CLUSTER").arg("KEYSLOT").arg("foo").to_owned();
    /// assert_eq!(key_slot.query_async::<u16>(&mut connection).await?, 12182);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(self) -> io::Result<BrokerCluster> {
        let slots = usize::from(super::slot::SLOTS);
        assert!(
            (1..=slots).contains(&self.primaries),
            "a cluster needs between 1 and {slots} primaries: each owns a slot at least"
        );
        let count = self.primaries * (1 + self.replicas);
        let world = World::new(count);
        let bound = (0..count).map(|node| Broker::bind(Shared::new(world.clone(), node)));
        let bound: Vec<_> = bound.collect::<io::Result<_>>()?;
        let addrs: Vec<_> = bound.iter().map(|(broker, _)| broker.addr()).collect();
        let topology = Arc::new(Topology::new(&addrs, self.primaries));
        {
            let mut world = World::lock(&world);
            for (index, node) in world.nodes.iter_mut().enumerate() {
                node.cluster = Some(Membership::new(index, topology.clone()));
            }
            world.topology = topology;
            world.link();
        }
        let mut nodes = Vec::new();
        for (broker, socket) in bound {
            broker.listen(socket)?;
            nodes.push(broker);
        }
        Ok(BrokerCluster { nodes, world })
    }
}

impl BrokerCluster {
    /// Starts another primary, which owns no slot yet, and returns its number.
    ///
    /// # Errors
    ///
    /// Returns an error if the node cannot listen on a port.
    ///
    /// ```
    /// # use redis_push::testing::Broker;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut cluster = Broker::cluster(3).start().await?;
    /// let node = cluster.add_node().await?;
    /// assert_eq!(node, 6);
    ///
    /// cluster.move_slot(cluster.slot_of("orders.42"), node);
    /// assert_eq!(cluster.node_of("orders.42"), node);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn add_node(&mut self) -> io::Result<usize> {
        let index = self.nodes.len();
        let (broker, socket) = {
            let mut world = World::lock(&self.world);
            let bound = Broker::bind(Shared::new(self.world.clone(), index))?;
            let changed = world.nodes[0].changed.clone();
            let mut state = BrokerState::new(changed);
            let topology = Arc::make_mut(&mut world.topology);
            topology.add(bound.0.addr());
            state.cluster = Some(Membership::new(index, world.topology.clone()));
            world.nodes.push(state);
            world.introduce(index);
            bound
        };
        broker.listen(socket)?;
        self.nodes.push(broker);
        Ok(index)
    }
}
