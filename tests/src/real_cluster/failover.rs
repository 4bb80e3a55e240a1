//! Nodes that are replaced, killed or frozen.

use super::node::State;
use super::{Node, RealCluster};
use crate::wait::eventually;

impl RealCluster {
    /// Lets a replica take over from its primary, which becomes its replica (`CLUSTER FAILOVER`). Of
    /// a primary it takes a replica. Returns the new primary when all members agree about it.
    ///
    /// # Panics
    ///
    /// If there is no replica, or this takes too long.
    pub async fn fail_over(&self, node: &Node) -> Node {
        let (replica, primary) = match node.role().await.replica_of {
            Some(port) => {
                let mut nodes = self.nodes().into_iter();
                let primary = nodes.find(|node| node.addr().port() == port);
                (node.clone(), primary.expect("a primary in this cluster"))
            }
            None => {
                let replicas = self.replicas_of(node).await.into_iter();
                (replicas.last().expect("a replica"), node.clone())
            }
        };
        // A primary ignores the request of a node that it does not know as its replica, as after the last
        // failover. The replica would then give up after five seconds.
        self.settle().await;
        let slots = self.slots_of(&primary).await;
        replica.command(&["CLUSTER", "FAILOVER"]).await;
        self.wait_for_owner(&replica, &slots).await;
        replica
    }

    /// Kills a node (SIGKILL). Returns when its process has ended, before the others notice it:
    /// [`new_owner`](Self::new_owner) waits for its replacement.
    pub async fn kill(&self, node: &Node) {
        node.set_state(State::Killed);
        node.server().stop().await;
    }

    /// Starts a node again that was killed, on the same port. It has lost its keys. Returns when it is
    /// back in the cluster, as a replica if it was replaced.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn restart(&self, node: &Node) {
        node.server().start_again().await;
        self.grant_access(node).await;
        node.set_state(State::Member);
        self.wait_until_all_know_all().await;
        self.settle().await;
    }

    /// Freezes a node (SIGSTOP): it is silent, and its connections stay open. Returns before the
    /// others notice it.
    pub fn freeze(&self, node: &Node) {
        node.set_state(State::Frozen);
        node.server().freeze(true);
    }

    /// Resumes a frozen node (SIGCONT). Returns before it knows what has happened meanwhile:
    /// [`settle`](Self::settle) waits for that.
    pub fn thaw(&self, node: &Node) {
        node.server().freeze(false);
        node.set_state(State::Member);
    }

    /// Waits until all members say that a slot belongs to another node than this one, which was killed,
    /// frozen or cut off, and returns the new owner.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn new_owner(&self, slot: u16, old: &Node) -> Node {
        let what = format!("another owner of slot {slot} than {old:?}");
        let mut found = None;
        eventually(&what, async || {
            let owner = self.primary_of(slot).await;
            let is_another = owner != *old;
            found = Some(owner);
            is_another
        })
        .await;
        found.expect("an owner")
    }
}
