//! A subscriber of a cluster, under numbered messages: whatever happens to the nodes, no message is lost
//! untold, none comes twice or out of order outside of a gap, and no name stays deaf.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis_push::{GapCause, Handle, Mount, NodeRole, NodeTopology, Subscriber, Subscription};
use tests::{First, Node, RealCluster, within};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::*;

/// The names: half of them sharded channels, the others channels. Each is in a slot of its own.
const SHARDED: [&str; 6] = ["s.a", "s.b", "s.c", "s.d", "s.e", "s.f"];
const CLASSIC: [&str; 6] = ["c.a", "c.b", "c.c", "c.d", "c.e", "c.f"];

pub(crate) struct Running {
    handle: Handle,
    journals: HashMap<&'static str, Journal>,
    load: Load,
}

/// Publishes numbers to every name until it is dropped.
struct Load {
    /// The numbers that a server has acknowledged.
    acknowledged: HashMap<&'static str, Arc<Mutex<Vec<u64>>>>,
    /// Whether no message may overtake another one on the way between two nodes.
    is_in_order: bool,
    tasks: JoinSet<()>,
}

fn subscriber_of(cluster: &RealCluster) -> Subscriber {
    Subscriber::cluster(cluster.urls())
        .start_deadline(Duration::from_secs(20))
        .topology_interval(Duration::from_millis(300))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(200))
}

async fn running(cluster: &RealCluster) -> Running {
    running_without(cluster, None).await
}

/// The same, but nobody publishes at one of the nodes.
async fn running_without(cluster: &RealCluster, avoided: Option<&Node>) -> Running {
    running_under(cluster, Load::begin(cluster, avoided)).await
}

/// The same, but it is a publisher of a cluster that publishes.
pub(crate) async fn running_by(cluster: &RealCluster, publisher: redis_push::Publisher) -> Running {
    running_under(cluster, async { Load::by(&publisher) }).await
}

async fn running_under(cluster: &RealCluster, load: impl Future<Output = Load>) -> Running {
    let sharded = SHARDED.map(|name| (name, Subscription::shard(name)));
    let classic = CLASSIC.map(|name| (name, Subscription::channel(name)));
    let mut mounts: Vec<Mount<()>> = Vec::new();
    let mut journals = HashMap::new();
    for (name, subscription) in sharded.into_iter().chain(classic) {
        let (mount, journal) = recorder(name, subscription);
        mounts.push(mount);
        journals.insert(name, journal);
    }
    let handle = within("the start", subscriber_of(cluster).handlers(mounts).start())
        .await
        .unwrap();
    for journal in journals.values_mut() {
        journal.begins().await;
    }
    let load = load.await;
    let running = Running {
        handle,
        journals,
        load,
    };
    sleep(Duration::from_millis(200)).await;
    running
}

/// A connection for publishing to one name, to the node that is thought to have it.
struct Publisher {
    name: &'static str,
    command: &'static str,
    connection: Option<MultiplexedConnection>,
    nodes: Vec<Node>,
    next: usize,
}

impl Publisher {
    /// Publishes a number. Returns whether a node has acknowledged it.
    async fn publish(&mut self, number: u64) -> bool {
        if self.connection.is_none() {
            self.next = (self.next + 1) % self.nodes.len();
            let connecting = self.nodes[self.next].server().connect();
            let connected = timeout(Duration::from_millis(300), connecting).await;
            self.connection = connected.ok().and_then(Result::ok);
        }
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let mut command = redis::cmd(self.command);
        command.arg(self.name).arg(number);
        let sending = command.exec_async(connection);
        match timeout(Duration::from_millis(300), sending).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) if error.code() == Some("MOVED") => {
                let to = error
                    .detail()
                    .and_then(|detail| detail.split(' ').next_back());
                let is_it = |node: &Node| Some(&*node.addr().to_string()) == to;
                if let Some(index) = self.nodes.iter().position(is_it) {
                    // One before, as the next attempt is made at the one after.
                    self.next = (index + self.nodes.len() - 1) % self.nodes.len();
                }
                self.connection = None;
                false
            }
            _ => {
                self.connection = None;
                false
            }
        }
    }
}

impl Load {
    /// Publishes with a publisher of a cluster.
    fn by(publisher: &redis_push::Publisher) -> Self {
        let mut acknowledged = HashMap::new();
        let mut tasks = JoinSet::new();
        for name in [SHARDED, CLASSIC].concat() {
            let numbers = Arc::new(Mutex::new(Vec::new()));
            acknowledged.insert(name, Arc::clone(&numbers));
            let publisher = publisher.clone();
            tasks.spawn(async move {
                for number in 1_u64.. {
                    let text = number.to_string();
                    let published = match SHARDED.contains(&name) {
                        true => publisher.publish_to_shard(name, &*text).await,
                        false => publisher.publish_to(name, &*text).await,
                    };
                    if published.is_ok() {
                        numbers.lock().unwrap().push(number);
                    }
                    sleep(Duration::from_millis(2)).await;
                }
            });
        }
        Self {
            acknowledged,
            is_in_order: true,
            tasks,
        }
    }

    async fn begin(cluster: &RealCluster, avoided: Option<&Node>) -> Self {
        let mut publishers = Vec::new();
        let sharded = SHARDED.map(|name| (name, "SPUBLISH"));
        for (name, command) in sharded
            .into_iter()
            .chain(CLASSIC.map(|name| (name, "PUBLISH")))
        {
            let owner = cluster.node_of(name).await;
            let mut nodes = cluster.members();
            nodes.retain(|node| Some(node) != avoided);
            let at = nodes.iter().position(|node| *node == owner).unwrap_or(1);
            publishers.push(Publisher {
                name,
                command,
                connection: None,
                next: (at + nodes.len() - 1) % nodes.len(),
                nodes,
            });
        }
        let mut acknowledged = HashMap::new();
        let mut tasks = JoinSet::new();
        for mut publisher in publishers {
            let numbers = Arc::new(Mutex::new(Vec::new()));
            acknowledged.insert(publisher.name, Arc::clone(&numbers));
            tasks.spawn(async move {
                for number in 1.. {
                    if publisher.publish(number).await {
                        numbers.lock().unwrap().push(number);
                    }
                    sleep(Duration::from_millis(2)).await;
                }
            });
        }
        Self {
            acknowledged,
            is_in_order: false,
            tasks,
        }
    }
}

impl Running {
    /// Accepts messages that come after later ones: a node that was frozen passes what it has acknowledged on when
    /// it thaws.
    pub(crate) fn in_any_order(mut self) -> Self {
        self.load.is_in_order = false;
        self
    }

    /// Waits until the subscriber is ready again, and compares what is heard from then on with what was
    /// published. Returns the names that were told a gap.
    pub(crate) async fn check(self) -> BTreeSet<&'static str> {
        self.check_of(&[SHARDED, CLASSIC].concat()).await
    }

    /// Compares it for some of the names.
    async fn check_of(mut self, names: &[&'static str]) -> BTreeSet<&'static str> {
        within("ready again", self.handle.ready()).await;
        // What the links between the nodes have lost is reported at the next look, which may wait for a
        // node that does not answer.
        sleep(Duration::from_secs(3)).await;
        within("ready again", self.handle.ready()).await;
        let mut told = BTreeSet::new();
        for name in names {
            let published = || self.load.acknowledged[name].lock().unwrap().clone();
            let target = published().last().copied().unwrap_or_default();
            let journal = self.journals.get_mut(name).unwrap();
            let mut heard: Vec<(u64, bool)> = Vec::new();
            let mut has_gap = false;
            // Where a loss on the way between two nodes was reported, a look later.
            let mut late = 0;
            while heard.last().is_none_or(|(number, _)| *number <= target) {
                match journal.next().await {
                    Seen::Gap(gap) => {
                        has_gap = true;
                        told.insert(*name);
                        if gap.cause == GapCause::Bus {
                            late = heard.len();
                        }
                    }
                    Seen::Message(_, number) => {
                        heard.push((number.parse().unwrap(), std::mem::take(&mut has_gap)));
                    }
                }
            }
            let mut waiting = published().into_iter().peekable();
            let mut last = 0;
            // Since the last number that was acknowledged.
            let (mut missed, mut is_told) = (Vec::new(), false);
            let (mut skipped, mut overtaken) = (BTreeSet::new(), Vec::new());
            for (index, (number, after_gap)) in heard.iter().copied().enumerate() {
                is_told |= after_gap || index < late;
                while let Some(next) = waiting.next_if(|next| *next < number) {
                    missed.push(next);
                    skipped.insert(next);
                }
                if waiting.next_if_eq(&number).is_none() {
                    overtaken.extend(skipped.take(&number));
                    // Nobody has acknowledged it: a frozen node publishes it when it thaws, after what
                    // its successor has published.
                    continue;
                }
                assert!(number > last, "{name}: {number} came after {last}");
                assert!(
                    missed.is_empty() || is_told,
                    "{name}: {missed:?} are missing between {last} and {number}: {:?}",
                    &heard[index.saturating_sub(5)..heard.len().min(index + 5)]
                );
                missed.clear();
                (last, is_told) = (number, false);
            }
            assert!(
                overtaken.is_empty() || !self.load.is_in_order,
                "{name}: {overtaken:?} came after later ones"
            );
        }
        self.load.tasks.abort_all();
        told
    }
}

pub(crate) async fn names_of_a_cluster_are_heard_from_their_nodes(cluster: RealCluster) {
    let running = running(&cluster).await;
    let topology = running.handle.topology();
    let names: u64 = topology.nodes.iter().map(|node| node.names).sum();
    let slots = topology.nodes.iter().flat_map(|node| node.slots.clone());
    let slots: usize = slots.map(std::iter::Iterator::count).sum();
    let is_up = |node: &NodeTopology| {
        node.is_connected && node.role == NodeRole::Primary && node.names == node.confirmed
    };
    assert!(topology.nodes.iter().all(is_up), "{topology}");
    assert_eq!((topology.nodes.len(), names, slots), (3, 12, 16_384));
    running.check().await;
}

pub(crate) async fn a_sharded_name_follows_its_slot(cluster: RealCluster) {
    let running = running(&cluster).await;
    for first in [First::Target, First::Source] {
        let (slot, owner) = cluster.place_of("s.a").await;
        let primaries = cluster.primaries().await;
        let target = primaries.iter().find(|node| **node != owner).unwrap();
        cluster.move_slot(slot, target, first).await;
    }
    let told = running.check().await;
    assert!(told.contains("s.a"), "{told:?}");
}

pub(crate) async fn a_planned_failover_is_followed(cluster: RealCluster) {
    let running = running(&cluster).await;
    let owner = cluster.node_of("s.a").await;
    cluster.fail_over(&owner).await;
    let told = running.check().await;
    assert!(told.contains("s.a"), "{told:?}");
}

pub(crate) async fn names_of_a_killed_primary_are_heard_from_others(cluster: RealCluster) {
    let running = running(&cluster).await;
    let (slot, owner) = cluster.place_of("s.a").await;
    cluster.kill(&owner).await;
    let new = cluster.new_owner(slot, &owner).await;
    let handle = running.handle.clone();
    let told = running.check().await;
    assert!(told.contains("s.a"), "{told:?}");
    let topology = handle.topology();
    let at = |node: &Node| {
        let address = node.addr().to_string();
        let mut nodes = topology.nodes.iter();
        nodes.find(|node| node.address == address)
    };
    // It is let go of in the end.
    let is_left = |owner: &NodeTopology| !owner.is_connected && owner.names == 0;
    assert!(at(&owner).is_none_or(is_left), "{topology}");
    let new = at(&new).expect("the new primary");
    assert!(
        new.is_connected && new.role == NodeRole::Primary && new.names > 0,
        "{topology}"
    );
}

pub(crate) async fn names_of_a_frozen_primary_are_heard_from_others(cluster: RealCluster) {
    let running = running(&cluster).await;
    let (slot, owner) = cluster.place_of("s.a").await;
    cluster.freeze(&owner);
    cluster.new_owner(slot, &owner).await;
    cluster.thaw(&owner);
    let told = running.check().await;
    assert!(told.contains("s.a"), "{told:?}");
}

pub(crate) async fn a_sharded_name_follows_a_slot_that_moves_at_once(cluster: RealCluster) {
    if !cluster.can_migrate_slots().await {
        return eprintln!("skipped: {} has no CLUSTER MIGRATESLOTS", cluster.name());
    }
    let running = running(&cluster).await;
    let (slot, owner) = cluster.place_of("s.a").await;
    let primaries = cluster.primaries().await;
    let target = primaries.iter().find(|node| **node != owner).unwrap();
    cluster.migrate_slots(slot..=slot, target).await;
    let told = running.check().await;
    assert!(told.contains("s.a"), "{told:?}");
}

pub(crate) async fn a_sharded_name_follows_its_slot_to_a_new_node(cluster: RealCluster) {
    let new = cluster.add_node().await;
    let running = running(&cluster).await;
    let (slot, _) = cluster.place_of("s.a").await;
    cluster.move_slot(slot, &new, First::Target).await;
    let told = running.check().await;
    assert!(told.contains("s.a"), "{told:?}");
}

pub(crate) async fn what_reset_links_between_nodes_lose_is_reported(cluster: RealCluster) {
    let running = running(&cluster).await;
    let owner = cluster.node_of("c.a").await;
    for _ in 0..3 {
        cluster.reset_bus(&owner).await;
        sleep(Duration::from_millis(100)).await;
    }
    let handle = running.handle.clone();
    let told = running.check().await;
    assert!(told.contains("c.a"), "{told:?}");
    let topology = handle.topology();
    assert!(
        topology.nodes.iter().any(|node| node.bus_losses > 0),
        "{topology}"
    );
}

pub(crate) async fn names_leave_a_node_that_the_others_have_forgotten(cluster: RealCluster) {
    let owner = cluster.node_of("c.a").await;
    let running = running_without(&cluster, Some(&owner)).await;
    // It goes on with its channels as a replica, also with sharded ones.
    cluster.fail_over(&owner).await;
    cluster.forget(&owner).await;
    sleep(Duration::from_secs(1)).await;
    let told = running.check().await;
    assert!(told.contains("c.a"), "{told:?}");
}

pub(crate) async fn names_leave_a_primary_that_is_cut_off_from_the_others(cluster: RealCluster) {
    if !cluster.can_cut_off().await {
        return eprintln!("skipped: {} cannot drop every packet", cluster.name());
    }
    let (slot, owner) = cluster.place_of("s.a").await;
    let running = running_without(&cluster, Some(&owner)).await;
    cluster.cut_off(&owner).await;
    cluster.new_owner(slot, &owner).await;
    sleep(Duration::from_secs(1)).await;
    let told = running.check().await;
    assert!(told.contains("s.a"), "{told:?}");
}
