//! What happens to the nodes of a cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use redis_push::Kind;
use tests::{First, Node, RealCluster};
use tokio::time::sleep;

use super::load::Load;
use crate::stream::Lane;

/// Something that happens to the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Slots move to other nodes and back, key by key.
    SlotsMove,
    /// Slots move to other nodes and back as a whole.
    SlotsMoveAtOnce,
    /// A replica takes over from its primary.
    PlannedFailover,
    /// A replica takes over, and later its old primary again.
    FailoverAndBack,
    /// A primary is killed, and replaced.
    Kill,
    /// A primary freezes, is replaced, and thaws.
    Freeze,
    /// The links of a node with all others are reset.
    BusReset,
    /// A primary receives nothing from the others, and is replaced.
    CutOff,
    /// The others forget a node that was replaced.
    Forgotten,
    /// A new node takes slots.
    NewNode,
    /// Each node is replaced by a new one.
    AllReplaced,
}

/// The lanes that a scenario concerns, by index.
#[derive(Default)]
pub(super) struct Concerned {
    /// Those that may receive a gap.
    pub(super) may: BTreeSet<usize>,
    /// Those that have to.
    pub(super) must: BTreeSet<usize>,
}

/// Where each lane was before.
struct Before<'a> {
    lanes: &'a [Lane],
    owners: Vec<Node>,
}

/// After how long publishers have left a node that was replaced and still takes messages. What they publish
/// at its successor must not overtake what the node has taken.
const LEFT: Duration = Duration::from_secs(4);

impl Scenario {
    pub(super) const ALL: [Self; 11] = [
        Self::SlotsMove,
        Self::SlotsMoveAtOnce,
        Self::PlannedFailover,
        Self::FailoverAndBack,
        Self::Kill,
        Self::Freeze,
        Self::BusReset,
        Self::CutOff,
        Self::Forgotten,
        Self::NewNode,
        Self::AllReplaced,
    ];

    /// The name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::SlotsMove => "C1, slots move",
            Self::SlotsMoveAtOnce => "C1, slots move at once",
            Self::PlannedFailover => "C2, planned failover",
            Self::FailoverAndBack => "C2, planned failover and back",
            Self::Kill => "C3, a primary is killed",
            Self::Freeze => "C4, a primary freezes and thaws",
            Self::BusReset => "C5, links between nodes are reset",
            Self::CutOff => "C6, a primary is cut off from the others",
            Self::Forgotten => "C7, the others forget a node",
            Self::NewNode => "C8, a new node takes slots",
            Self::AllReplaced => "C9, all nodes are replaced",
        }
    }

    /// Whether the servers can do what this needs.
    pub(super) async fn is_possible(self, cluster: &RealCluster) -> bool {
        match self {
            Self::SlotsMoveAtOnce => cluster.can_migrate_slots().await,
            Self::CutOff => cluster.can_cut_off().await,
            _ => true,
        }
    }

    /// Does it, and returns whom it concerns.
    pub(super) async fn strike(
        self,
        cluster: &RealCluster,
        lanes: &[Lane],
        load: &Load,
        rng: &mut fastrand::Rng,
    ) -> Concerned {
        let mut owners = Vec::new();
        for lane in lanes {
            owners.push(cluster.node_of(lane.subscription.name()).await);
        }
        let before = Before { lanes, owners };
        let (slot, owner) = cluster.place_of(lanes[0].subscription.name()).await;
        match self {
            Self::SlotsMove | Self::SlotsMoveAtOnce => {
                let mut moved = BTreeSet::new();
                // Each of these lanes there and back.
                for lane in [rng.usize(..3), 3 + rng.usize(..3)] {
                    moved.insert(lane);
                    self.move_there_and_back(cluster, &lanes[lane], rng).await;
                }
                Concerned {
                    may: moved.clone(),
                    must: moved,
                }
            }
            Self::PlannedFailover => {
                cluster.fail_over(&owner).await;
                before.moves_from(&owner)
            }
            Self::FailoverAndBack => {
                for _ in 0..2 {
                    cluster.fail_over(&owner).await;
                    sleep(LEFT).await;
                }
                before.moves_from(&owner)
            }
            Self::Kill => {
                cluster.kill(&owner).await;
                cluster.new_owner(slot, &owner).await;
                before.is_lost(&owner)
            }
            Self::Freeze => {
                cluster.freeze(&owner);
                cluster.new_owner(slot, &owner).await;
                sleep(Duration::from_millis(rng.u64(..500))).await;
                cluster.thaw(&owner);
                cluster.settle().await;
                before.is_lost(&owner)
            }
            Self::BusReset => {
                for _ in 0..3 {
                    cluster.reset_bus(&owner).await;
                    sleep(Duration::from_millis(rng.u64(50..300))).await;
                }
                Concerned {
                    may: before.heard_everywhere().collect(),
                    must: before
                        .heard_everywhere()
                        .filter(|lane| before.is_on(*lane, &owner))
                        .collect(),
                }
            }
            Self::CutOff => {
                load.avoid(&owner).await;
                cluster.cut_off(&owner).await;
                cluster.new_owner(slot, &owner).await;
                sleep(Duration::from_secs(1)).await;
                cluster.join_again(&owner).await;
                // It learns that it was replaced.
                sleep(Duration::from_secs(1)).await;
                before.is_lost(&owner)
            }
            Self::Forgotten => {
                load.avoid(&owner).await;
                // It goes on as a replica, which hears every channel.
                cluster.fail_over(&owner).await;
                cluster.forget(&owner).await;
                sleep(Duration::from_secs(1)).await;
                before.is_lost(&owner)
            }
            Self::NewNode => {
                let new = cluster.add_node().await;
                let moved = rng.usize(..6);
                let slot = cluster.slot_of(lanes[moved].subscription.name()).await;
                cluster.move_slot(slot, &new, First::Target).await;
                // A node that is known and not heard yet may have published something.
                Concerned {
                    may: before.heard_everywhere().chain([moved]).collect(),
                    must: [moved].into(),
                }
            }
            Self::AllReplaced => {
                replace_all(cluster, load).await;
                Concerned {
                    may: (0..lanes.len()).collect(),
                    must: (0..lanes.len()).collect(),
                }
            }
        }
    }

    /// Moves the slot of a lane to another primary and back.
    async fn move_there_and_back(
        self,
        cluster: &RealCluster,
        lane: &Lane,
        rng: &mut fastrand::Rng,
    ) {
        let (slot, owner) = cluster.place_of(lane.subscription.name()).await;
        let mut others = cluster.primaries().await;
        others.retain(|node| *node != owner);
        let there = others[rng.usize(..others.len())].clone();
        for to in [there, owner] {
            if self == Self::SlotsMoveAtOnce {
                cluster.migrate_slots(slot..=slot, &to).await;
            } else {
                let first = [First::Target, First::Source][rng.usize(..2)];
                cluster.move_slot(slot, &to, first).await;
            }
            sleep(Duration::from_millis(rng.u64(20..200))).await;
        }
    }
}

/// Replaces one primary after the other by a new node, which was its replica before, and then the old
/// replicas. The old ones are forgotten and then killed.
async fn replace_all(cluster: &RealCluster, load: &Load) {
    let old = cluster.nodes();
    for primary in cluster.primaries().await {
        let new = cluster.add_node().await;
        cluster.replicate(&new, &primary).await;
        cluster.fail_over(&new).await;
    }
    for node in old {
        load.avoid(&node).await;
        cluster.settle().await;
        cluster.forget(&node).await;
        sleep(Duration::from_millis(300)).await;
        cluster.kill(&node).await;
    }
}

impl Before<'_> {
    fn is_on(&self, lane: usize, node: &Node) -> bool {
        self.owners[lane] == *node
    }

    fn is_shard(&self, lane: usize) -> bool {
        self.lanes[lane].subscription.kind() == Kind::Shard
    }

    /// The lanes that every node hears.
    fn heard_everywhere(&self) -> impl Iterator<Item = usize> {
        (0..self.lanes.len()).filter(|lane| !self.is_shard(*lane))
    }

    /// The slots of a node move, and it stays.
    fn moves_from(&self, node: &Node) -> Concerned {
        let lanes = 0..self.lanes.len();
        let moved: BTreeSet<_> = lanes
            .filter(|lane| self.is_shard(*lane) && self.is_on(*lane, node))
            .collect();
        Concerned {
            may: moved.clone(),
            must: moved,
        }
    }

    /// A node is lost with its links to the others, which its own channels may have been published over.
    fn is_lost(&self, node: &Node) -> Concerned {
        let lanes = 0..self.lanes.len();
        let moved: BTreeSet<_> = lanes.filter(|lane| self.is_on(*lane, node)).collect();
        Concerned {
            may: moved
                .iter()
                .copied()
                .chain(self.heard_everywhere())
                .collect(),
            must: moved,
        }
    }
}
