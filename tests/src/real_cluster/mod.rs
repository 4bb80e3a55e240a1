//! A real cluster, which lives for one test.
//!
//! | file | contents |
//! | --- | --- |
//! | `start` | how a cluster is made, and when it is ready |
//! | `node`, `view` | [`Node`], and what a node says of the cluster |
//! | `moves` | slots that move |
//! | `failover` | nodes that are replaced, killed or frozen |
//! | `members` | nodes that are added or forgotten |
//! | `bus` | faults of the cluster bus, which carries `PUBLISH` from node to node |
//! | `access` | passwords and users |

mod access;
mod bus;
mod failover;
mod members;
mod moves;
mod node;
mod start;
mod view;

use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use moves::{First, SlotMove};
pub use node::Node;

use access::Access;
use view::View;

use crate::ServerBinary;
use crate::wait::eventually;

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

/// What a [`RealCluster`] consists of.
#[derive(Clone, Debug)]
pub struct ClusterShape {
    /// How many primaries share the slots evenly. At least three, if a failed one is to be replaced.
    pub primaries: usize,
    /// How many replicas there are. They are assigned to the primaries in turn.
    pub replicas: usize,
    /// How long a node may be silent until the others replace it (`cluster-node-timeout`).
    pub node_timeout: Duration,
    /// More arguments for each server, such as `["--cluster-allow-pubsubshard-when-down", "no"]`.
    pub arguments: Vec<String>,
}

impl Default for ClusterShape {
    fn default() -> Self {
        Self {
            primaries: 3,
            replicas: 3,
            node_timeout: Duration::from_millis(500),
            arguments: Vec::new(),
        }
    }
}

/// A temporary cluster on free ports of this machine. Its servers are killed on drop.
///
/// The methods that change something return when all members agree about it, unless they say
/// otherwise. Members are the nodes that run and have neither been cut off nor forgotten.
///
/// ```no_run
/// # async fn example(binary: tests::ServerBinary) {
/// use tests::{First, RealCluster};
///
/// let cluster = RealCluster::start(&binary).await;
/// let (slot, owner) = cluster.place_of("{a}.news").await;
/// let others = cluster.primaries().await.into_iter();
/// let other = others.filter(|node| *node != owner).next().unwrap();
/// cluster.move_slot(slot, &other, First::Target).await;
/// assert_eq!(cluster.primary_of(slot).await, other);
/// # }
/// ```
pub struct RealCluster {
    binary: ServerBinary,
    shape: ClusterShape,
    nodes: Mutex<Vec<Node>>,
    access: Mutex<Access>,
}

impl RealCluster {
    /// The first version that has what these clusters need, such as sharded channels.
    pub const SINCE: (u32, u32) = (7, 0);

    /// The name and version of the servers, such as `redis-server 7.0.15`.
    pub fn name(&self) -> &str {
        self.binary.name()
    }

    /// All nodes: first the primaries and then the replicas of the start, then those that were added.
    pub fn nodes(&self) -> Vec<Node> {
        lock(&self.nodes).clone()
    }

    /// The URLs of all nodes, without credentials.
    pub fn urls(&self) -> Vec<String> {
        self.nodes().iter().map(Node::url).collect()
    }

    /// The nodes that run and have neither been cut off nor forgotten.
    pub fn members(&self) -> Vec<Node> {
        let mut nodes = self.nodes();
        nodes.retain(Node::is_member);
        nodes
    }

    /// A member that can be asked for what all members agree about.
    fn any_member(&self) -> Node {
        let members = self.members().into_iter();
        members.last().expect("a cluster with a member")
    }

    fn by_id(&self, id: &str) -> Option<Node> {
        self.nodes().into_iter().find(|node| node.id() == id)
    }

    /// The slot of a channel or a key, as the server computes it.
    pub async fn slot_of(&self, name: &str) -> u16 {
        let command = ["CLUSTER", "KEYSLOT", name];
        let slot = self.any_member().command(&command).await;
        redis::from_redis_value(slot).expect("a slot")
    }

    /// The node that owns a slot, as soon as all members agree about that.
    ///
    /// # Panics
    ///
    /// If they do not agree for too long, as while a failed node is not replaced yet.
    pub async fn primary_of(&self, slot: u16) -> Node {
        let mut found = None;
        eventually(
            "an owner of the slot on which all members agree",
            async || {
                let views = self.views().await;
                let owner = views[0].owner(slot);
                let is_agreed = views.iter().all(|view| view.owner(slot) == owner);
                found = owner.and_then(|id| self.by_id(id));
                is_agreed && found.is_some()
            },
        )
        .await;
        found.expect("an owner")
    }

    /// The slot of a channel or a key, and the node that owns it.
    pub async fn place_of(&self, name: &str) -> (u16, Node) {
        let slot = self.slot_of(name).await;
        (slot, self.primary_of(slot).await)
    }

    /// The node that owns the slot of a channel or a key.
    pub async fn node_of(&self, name: &str) -> Node {
        self.place_of(name).await.1
    }

    /// The members that own slots.
    pub async fn primaries(&self) -> Vec<Node> {
        let view = self.any_member().view().await;
        let mut nodes = self.members();
        nodes.retain(|node| !view.slots_of(node.id()).is_empty());
        nodes
    }

    /// The slots of a node.
    pub async fn slots_of(&self, node: &Node) -> Vec<RangeInclusive<u16>> {
        self.any_member().view().await.slots_of(node.id())
    }

    /// The members that are replicas of a node, as they say themselves.
    pub async fn replicas_of(&self, primary: &Node) -> Vec<Node> {
        let mut found = Vec::new();
        for node in self.members() {
            let role = node.role().await;
            if role.replica_of == Some(primary.addr().port()) {
                found.push(node);
            }
        }
        found
    }

    /// A name whose slot a node owns: the first of `{prefix}0`, `{prefix}1` and so on.
    pub async fn name_at(&self, node: &Node, prefix: &str) -> String {
        for number in 0..10_000 {
            let name = format!("{prefix}{number}");
            if self.node_of(&name).await == *node {
                return name;
            }
        }
        panic!("{node:?} owns the slot of no {prefix}*");
    }

    async fn views(&self) -> Vec<View> {
        let mut views = Vec::new();
        for node in self.members() {
            views.push(node.view().await);
        }
        views
    }

    /// Waits until a node owns these slots in the view of every member.
    async fn wait_for_owner(&self, owner: &Node, slots: &[RangeInclusive<u16>]) {
        let what = format!("all members to say that {owner:?} owns {slots:?}");
        eventually(&what, async || {
            let views = self.views().await;
            views.iter().all(|view| view.owns(owner.id(), slots))
        })
        .await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
