//! A subscriber of a cluster, under numbered messages: whatever happens to the nodes, no message is lost
//! untold, none comes twice or out of order outside of a gap, and no name stays deaf.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis_push::{GapCause, Handle, Mount, Subscriber, Subscription};
use tests::{First, Node, RealCluster, within};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::*;

/// The names: half of them sharded channels, the others channels. Each is in a slot of its own.
const SHARDED: [&str; 6] = ["s.a", "s.b", "s.c", "s.d", "s.e", "s.f"];
const CLASSIC: [&str; 6] = ["c.a", "c.b", "c.c", "c.d", "c.e", "c.f"];

struct Running {
    handle: Handle,
    journals: HashMap<&'static str, Journal>,
    load: Load,
}

/// Publishes numbers to every name until it is stopped.
struct Load {
    stop: Arc<AtomicBool>,
    /// Returns the numbers that a server has acknowledged.
    task: JoinHandle<HashMap<&'static str, Vec<u64>>>,
}

fn subscriber_of(cluster: &RealCluster) -> Subscriber {
    Subscriber::cluster(cluster.urls())
        .start_deadline(Duration::from_secs(20))
        .topology_interval(Duration::from_millis(300))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(200))
}

async fn running(cluster: &RealCluster) -> Running {
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
    let load = Load::begin(cluster).await;
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
    async fn begin(cluster: &RealCluster) -> Self {
        let mut publishers = Vec::new();
        let sharded = SHARDED.map(|name| (name, "SPUBLISH"));
        for (name, command) in sharded
            .into_iter()
            .chain(CLASSIC.map(|name| (name, "PUBLISH")))
        {
            let owner = cluster.node_of(name).await;
            let nodes = cluster.members();
            let at = nodes.iter().position(|node| *node == owner).unwrap();
            publishers.push(Publisher {
                name,
                command,
                connection: None,
                next: (at + nodes.len() - 1) % nodes.len(),
                nodes,
            });
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let each = publishers.into_iter().map(|mut publisher| {
                let stopped = Arc::clone(&stopped);
                tokio::spawn(async move {
                    let mut acknowledged = Vec::new();
                    let mut number = 0;
                    while !stopped.load(SeqCst) {
                        number += 1;
                        if publisher.publish(number).await {
                            acknowledged.push(number);
                        }
                        sleep(Duration::from_millis(2)).await;
                    }
                    // The last one, so that a deaf name is noticed.
                    let last = async {
                        loop {
                            number += 1;
                            if publisher.publish(number).await {
                                break number;
                            }
                        }
                    };
                    acknowledged.push(within("the last message", last).await);
                    (publisher.name, acknowledged)
                })
            });
            let mut all = HashMap::new();
            for one in each.collect::<Vec<_>>() {
                let (name, acknowledged) = one.await.unwrap();
                all.insert(name, acknowledged);
            }
            all
        });
        Self { stop, task }
    }
}

impl Running {
    /// Ends the load when the subscriber is ready again, and compares what was heard with what was
    /// published. Returns the names that were told a gap.
    async fn check(mut self) -> Vec<&'static str> {
        within("ready again", self.handle.ready()).await;
        sleep(Duration::from_millis(200)).await;
        within("ready again", self.handle.ready()).await;
        self.load.stop.store(true, SeqCst);
        let acknowledged = within("the end of the load", self.load.task).await.unwrap();
        let mut told = Vec::new();
        for (name, published) in &acknowledged {
            let journal = self.journals.get_mut(name).unwrap();
            let last = *published.last().unwrap();
            let (mut heard, mut has_gap) = (0, false);
            // Losses on the way between two nodes, which are reported a look later.
            let mut late = Vec::new();
            let mut waiting = published.iter().copied().peekable();
            while heard < last || !late.is_empty() {
                match journal.next().await {
                    Seen::Gap(gap) => {
                        has_gap = true;
                        told.push(*name);
                        if gap.cause == GapCause::Bus {
                            late.clear();
                        }
                    }
                    Seen::Message(_, number) => {
                        let number: u64 = number.parse().unwrap();
                        // A frozen node publishes it when it thaws, after what its successor has
                        // published.
                        if !published.contains(&number) {
                            continue;
                        }
                        assert!(number > heard, "{name}: {number} came after {heard}");
                        let mut missed = Vec::new();
                        while let Some(next) = waiting.next_if(|next| *next < number) {
                            missed.push(next);
                        }
                        waiting.next_if_eq(&number);
                        if !has_gap && !missed.is_empty() {
                            let what =
                                format!("{missed:?} are missing between {heard} and {number}");
                            assert!(CLASSIC.contains(name), "{name}: {what}");
                            late.push(what);
                        }
                        (heard, has_gap) = (number, false);
                    }
                }
            }
        }
        told.sort_unstable();
        told
    }
}

pub(crate) async fn names_of_a_cluster_are_heard_from_their_nodes(cluster: RealCluster) {
    let running = running(&cluster).await;
    let told = running.check().await;
    assert_eq!(told, Vec::<&str>::new());
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
    assert!(told.iter().all(|name| *name == "s.a"), "{told:?}");
    assert!(!told.is_empty());
}

pub(crate) async fn a_planned_failover_is_followed(cluster: RealCluster) {
    let running = running(&cluster).await;
    let owner = cluster.node_of("s.a").await;
    cluster.fail_over(&owner).await;
    let told = running.check().await;
    assert!(told.contains(&"s.a"), "{told:?}");
    assert!(told.iter().all(|name| name.starts_with("s.")), "{told:?}");
}

pub(crate) async fn names_of_a_killed_primary_are_heard_from_others(cluster: RealCluster) {
    let running = running(&cluster).await;
    let (slot, owner) = cluster.place_of("s.a").await;
    cluster.kill(&owner).await;
    cluster.new_owner(slot, &owner).await;
    let told = running.check().await;
    assert!(told.contains(&"s.a"), "{told:?}");
}

pub(crate) async fn names_of_a_frozen_primary_are_heard_from_others(cluster: RealCluster) {
    let running = running(&cluster).await;
    let (slot, owner) = cluster.place_of("s.a").await;
    cluster.freeze(&owner);
    cluster.new_owner(slot, &owner).await;
    cluster.thaw(&owner);
    let told = running.check().await;
    assert!(told.contains(&"s.a"), "{told:?}");
}
