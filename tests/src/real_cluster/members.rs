//! Nodes that are added or forgotten.

use super::node::State;
use super::start::introduce;
use super::{Node, RealCluster, lock};

impl RealCluster {
    /// Adds a primary without slots. Returns when all members know it.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn add_node(&self) -> Node {
        let node = Node::new(self.another_server().await).await;
        self.grant_access(&node).await;
        introduce(&node, &self.members()).await;
        lock(&self.nodes).push(node.clone());
        self.wait_until_all_know_all().await;
        self.settle().await;
        node
    }

    /// Makes a node the replica of another one. Returns when all members show it.
    ///
    /// # Panics
    ///
    /// If the node has slots, or this takes too long.
    pub async fn replicate(&self, node: &Node, primary: &Node) {
        node.command(&["CLUSTER", "REPLICATE", primary.id()]).await;
        self.settle().await;
    }

    /// Lets all other members forget a node (`CLUSTER FORGET`), which does not notice it. It stays
    /// forgotten for a minute.
    ///
    /// # Panics
    ///
    /// If the node has replicas, which refuse that, or slots, which nobody would own.
    pub async fn forget(&self, node: &Node) {
        assert!(
            self.slots_of(node).await.is_empty(),
            "{node:?} owns slots: let a replica take over before it is forgotten"
        );
        node.set_state(State::Outside);
        for other in self.members() {
            match other.ask(&["CLUSTER", "FORGET", node.id()]).await {
                Ok(_) => {}
                // Redis passes it on, so that another node may have told this one.
                Err(error) if error.to_string().contains("Unknown node") => {}
                Err(error) => panic!("CLUSTER FORGET {} at {other:?}: {error}", node.id()),
            }
        }
    }
}
