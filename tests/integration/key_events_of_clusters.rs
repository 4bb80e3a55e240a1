//! Key events and invalidations of a cluster: each primary has those of its own keys. Every key is written
//! once, so whoever hears of it once has heard everything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use redis::aio::MultiplexedConnection;
use redis_push::{Event, Gap, Handle, Mount, Subscriber, Subscription};
use tests::{First, Node, RealCluster, within};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::*;

/// The tasks that write, each to keys of its own in all slots.
const WRITERS: usize = 4;

struct Running {
    handle: Handle,
    events: Journal,
    invalidations: Journal,
    load: Load,
}

/// Writes new keys until it is dropped.
struct Load {
    /// The keys that a primary has acknowledged, with the times before and after.
    written: Arc<Mutex<Vec<Write>>>,
    tasks: JoinSet<()>,
}

#[derive(Clone, Debug)]
struct Write {
    key: String,
    sent: SystemTime,
    acknowledged: SystemTime,
}

struct Writer {
    nodes: Vec<Node>,
    connections: HashMap<usize, MultiplexedConnection>,
}

async fn running(cluster: &RealCluster) -> Running {
    let (events, seen) = recorder("events", Subscription::keyspace("k.{name*}").unwrap());
    let (invalidations, invalidated) = recorder("invalidations", Subscription::invalidation("k."));
    let mounts: Vec<Mount<()>> = vec![events, invalidations];
    let subscriber = Subscriber::cluster(cluster.urls())
        .configure_keyspace_events(true)
        .start_deadline(Duration::from_secs(20))
        .topology_interval(Duration::from_millis(300))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(200));
    let starting = subscriber.handlers(mounts).start();
    let mut running = Running {
        handle: within("the start", starting).await.unwrap(),
        events: seen,
        invalidations: invalidated,
        load: Load::begin(cluster),
    };
    running.events.begins().await;
    running.invalidations.begins().await;
    sleep(Duration::from_millis(300)).await;
    running
}

impl Load {
    fn begin(cluster: &RealCluster) -> Self {
        let written = Arc::<Mutex<Vec<Write>>>::default();
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS {
            let mut connections = Writer {
                nodes: cluster.members(),
                connections: HashMap::new(),
            };
            let written = Arc::clone(&written);
            tasks.spawn(async move {
                let mut node = 0;
                for number in 0.. {
                    let key = format!("k.{writer}.{number}");
                    if let Some(write) = connections.write(key, &mut node).await {
                        written.lock().unwrap().push(write);
                    }
                    sleep(Duration::from_millis(2)).await;
                }
            });
        }
        Self { written, tasks }
    }

    fn written(&self) -> Vec<Write> {
        self.written.lock().unwrap().clone()
    }
}

impl Writer {
    /// Writes a key at the node that has it. Returns `None` if no node has acknowledged it.
    async fn write(&mut self, key: String, node: &mut usize) -> Option<Write> {
        for _ in 0..5 {
            if !self.connections.contains_key(node) {
                let connecting = self.nodes[*node].server().connect();
                let connected = timeout(Duration::from_millis(300), connecting).await;
                match connected.ok().and_then(Result::ok) {
                    Some(connection) => _ = self.connections.insert(*node, connection),
                    None => {
                        *node = (*node + 1) % self.nodes.len();
                        continue;
                    }
                }
            }
            let connection = self.connections.get_mut(node).unwrap();
            let sent = SystemTime::now();
            let setting = redis::cmd("SET").arg(&key).arg(1).to_owned();
            let setting = setting.exec_async(connection);
            match timeout(Duration::from_millis(300), setting).await {
                Ok(Ok(())) => {
                    return Some(Write {
                        key,
                        sent,
                        acknowledged: SystemTime::now(),
                    });
                }
                Ok(Err(error)) if error.code() == Some("MOVED") => {
                    let to = error
                        .detail()
                        .and_then(|detail| detail.split(' ').next_back());
                    let is_it = |node: &Node| Some(&*node.addr().to_string()) == to;
                    *node = self.nodes.iter().position(is_it)?;
                }
                _ => {
                    self.connections.remove(node);
                    *node = (*node + 1) % self.nodes.len();
                    return None;
                }
            }
        }
        None
    }
}

/// What a journal says until all keys that were written by now are there or missing.
async fn heard(journal: &mut Journal) -> (HashMap<String, u32>, Vec<Gap>) {
    let (mut keys, mut gaps) = (HashMap::new(), Vec::new());
    while let Some(seen) = journal.try_next(Duration::from_millis(500)).await {
        match seen {
            Seen::Gap(gap) => gaps.push(gap),
            Seen::Message(channel, payload) => {
                // A slot that moves restores its keys in one place and removes them in another.
                if matches!(&*payload, "set" | "") {
                    let key = channel.trim_start_matches("__keyspace@0__:");
                    *keys.entry(key.to_owned()).or_default() += 1;
                }
            }
        }
    }
    (keys, gaps)
}

fn check(what: &str, written: &[Write], keys: &HashMap<String, u32>, gaps: &[Gap]) {
    let told = |write: &Write| {
        let mut gaps = gaps.iter();
        gaps.any(|gap| gap.since <= write.acknowledged && write.sent <= gap.until)
    };
    let missing: Vec<_> = written
        .iter()
        .filter(|write| !keys.contains_key(&write.key))
        .collect();
    let untold: Vec<_> = missing.iter().filter(|write| !told(write)).collect();
    eprintln!(
        "{what}: {} written, {} missing, {} gaps",
        written.len(),
        missing.len(),
        gaps.len()
    );
    assert!(
        untold.is_empty(),
        "{what}: {} of {} are missing outside of {gaps:#?}: {untold:#?}",
        untold.len(),
        written.len()
    );
}

impl Running {
    /// Waits until the subscriber is ready, ends the load, and compares what was heard with it. Returns how
    /// many gaps there were, and how many events came twice outside of a gap.
    async fn check(mut self) -> (usize, usize) {
        sleep(Duration::from_secs(1)).await;
        within("ready again", self.handle.ready()).await;
        sleep(Duration::from_secs(1)).await;
        within("ready again", self.handle.ready()).await;
        let now = SystemTime::now();
        sleep(Duration::from_millis(500)).await;
        self.load.tasks.shutdown().await;
        let written = self.load.written();
        let (keys, gaps) = heard(&mut self.events).await;
        check("key events", &written, &keys, &gaps);
        let is_late = |write: &&Write| write.sent > now;
        let late: Vec<_> = written.iter().filter(is_late).collect();
        assert!(!late.is_empty(), "the load has gone on");
        for write in late {
            assert!(
                keys.contains_key(&write.key),
                "{write:?} is missing at the end"
            );
        }
        let outside = |write: &&Write| {
            let mut gaps = gaps.iter();
            keys.get(&write.key).is_some_and(|times| *times > 1)
                && !gaps.any(|gap| gap.since <= write.acknowledged && write.sent <= gap.until)
        };
        let twice = written.iter().filter(outside).count();
        let count = gaps.len();
        let (keys, gaps) = heard(&mut self.invalidations).await;
        check("invalidations", &written, &keys, &gaps);
        self.handle.shutdown(Duration::from_secs(1)).await;
        (count, twice)
    }
}

pub(crate) async fn events_of_keys_come_from_every_primary(cluster: RealCluster) {
    let running = running(&cluster).await;
    assert_eq!(running.check().await, (0, 0));
}

pub(crate) async fn events_of_keys_go_on_after_a_planned_failover(cluster: RealCluster) {
    let running = running(&cluster).await;
    let primary = cluster.primaries().await.remove(0);
    cluster.fail_over(&primary).await;
    let (gaps, twice) = running.check().await;
    assert!(gaps > 0 && twice <= 1, "{gaps} gaps, {twice} twice");
}

pub(crate) async fn events_of_keys_go_on_after_the_end_of_a_primary(cluster: RealCluster) {
    let running = running(&cluster).await;
    let (slot, owner) = cluster.place_of("k.1").await;
    cluster.kill(&owner).await;
    cluster.new_owner(slot, &owner).await;
    let (gaps, twice) = running.check().await;
    assert!(gaps > 0 && twice == 0, "{gaps} gaps, {twice} twice");
}

pub(crate) async fn events_of_keys_go_on_after_a_primary_was_frozen(cluster: RealCluster) {
    let running = running(&cluster).await;
    let (slot, owner) = cluster.place_of("k.1").await;
    cluster.freeze(&owner);
    cluster.new_owner(slot, &owner).await;
    cluster.thaw(&owner);
    let (gaps, _) = running.check().await;
    assert!(gaps > 0);
}

pub(crate) async fn events_of_keys_come_from_a_node_that_has_come(cluster: RealCluster) {
    let new = cluster.add_node().await;
    let running = running(&cluster).await;
    let owner = cluster.node_of("k.1.1").await;
    let first = *cluster.slots_of(&owner).await[0].start();
    let slots = first..=first + 100;
    cluster.move_slots(slots, &new, First::Target).await;
    let (gaps, _) = running.check().await;
    assert!(gaps > 0);
}

pub(crate) async fn streams_of_key_events_come_and_go_in_a_cluster(cluster: RealCluster) {
    let subscriber = Subscriber::cluster(cluster.urls()).configure_keyspace_events(true);
    let handle = within("the start", subscriber.start()).await.unwrap();
    let load = Load::begin(&cluster);
    for round in 0..3 {
        let events = Subscription::keyspace("k.{name*}").unwrap();
        let subscribing = handle.subscribe(events);
        let mut stream = within("a stream", async { subscribing.await })
            .await
            .unwrap();
        let begun = SystemTime::now();
        let mut heard = 0;
        let reading = async {
            while let Some(event) = stream.next().await {
                let event = matches!(event, Event::Message(event) if event == "set");
                heard += usize::from(event);
            }
        };
        let _ = timeout(Duration::from_millis(700), reading).await;
        drop(stream);
        let until = SystemTime::now() - Duration::from_millis(200);
        let written = load.written();
        let all = written.iter();
        let all = all.filter(|write| write.sent > begun && write.acknowledged < until);
        let all = all.count();
        assert!(all > 10, "round {round}: {all} were written");
        assert!(heard >= all, "round {round}: {heard} of {all}");
    }
    handle.shutdown(Duration::from_secs(1)).await;
}
