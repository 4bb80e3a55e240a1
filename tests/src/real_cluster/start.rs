//! How a cluster is made, and when it is ready.

use std::time::Duration;

use futures_util::future::join_all;

use super::node::command;
use super::{ClusterShape, Node, RealCluster, SLOTS, lock};
use crate::wait::{eventually, eventually_in};
use crate::{RealServer, ServerBinary};

impl RealCluster {
    /// Starts three primaries and a replica of each, and waits until the cluster is ready. That takes
    /// two seconds: a new primary waits for that long until it is `ok`.
    ///
    /// # Panics
    ///
    /// If that takes too long, or the servers are older than [`SINCE`](Self::SINCE).
    pub async fn start(binary: &ServerBinary) -> Self {
        Self::start_with(binary, ClusterShape::default()).await
    }

    /// Like [`start`](Self::start), for a cluster of another shape.
    ///
    /// # Panics
    ///
    /// Like [`start`](Self::start).
    pub async fn start_with(binary: &ServerBinary, shape: ClusterShape) -> Self {
        assert!(
            binary.version() >= Self::SINCE,
            "{} is too old for a cluster",
            binary.name()
        );
        let servers = (0..shape.primaries + shape.replicas).map(|_| server(binary, &shape));
        let servers = join_all(servers).await;
        let nodes = join_all(servers.into_iter().map(Node::new)).await;
        let cluster = Self {
            binary: binary.clone(),
            shape,
            nodes: nodes.into(),
            access: Default::default(),
        };
        cluster.assign_slots().await;
        cluster.introduce_everyone().await;
        cluster.attach_replicas().await;
        cluster.settle().await;
        cluster
    }

    /// Starts another server, which is not in the cluster yet.
    pub(super) async fn another_server(&self) -> RealServer {
        server(&self.binary, &self.shape).await
    }

    /// Gives each primary its slots. Different epochs save the nodes from agreeing on them.
    async fn assign_slots(&self) {
        let primaries = self.shape.primaries;
        let first = |index: usize| index * usize::from(SLOTS) / primaries;
        let nodes = self.nodes();
        let assigned = nodes.iter().enumerate().map(async |(index, node)| {
            let epoch = (index + 1).to_string();
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            if index < primaries {
                let (start, end) = (first(index).to_string(), (first(index + 1) - 1).to_string());
                node.command(&["CLUSTER", "ADDSLOTSRANGE", &start, &end])
                    .await;
            }
        });
        join_all(assigned).await;
    }

    /// Introduces each node to each other: with one that meets all the others it takes twice as long
    /// until all know all.
    async fn introduce_everyone(&self) {
        let nodes = self.nodes();
        let met = nodes.iter().map(|node| introduce(node, &nodes));
        join_all(met).await;
        self.wait_until_all_know_all().await;
    }

    pub(super) async fn wait_until_all_know_all(&self) {
        let members = self.members();
        eventually("all nodes to know each other", async || {
            let known = join_all(members.iter().map(Node::known)).await;
            let is_in = |known: &Vec<String>, node: &Node| known.iter().any(|id| id == node.id());
            known
                .iter()
                .all(|known| members.iter().all(|node| is_in(known, node)))
        })
        .await;
    }

    async fn attach_replicas(&self) {
        let nodes = self.nodes();
        let (primaries, replicas) = nodes.split_at(self.shape.primaries);
        let attached = replicas.iter().zip(primaries.iter().cycle());
        join_all(attached.map(async |(replica, primary)| {
            replica
                .command(&["CLUSTER", "REPLICATE", primary.id()])
                .await
        }))
        .await;
    }

    /// Waits until the cluster has nothing left to do: every member says `cluster_state:ok`, all agree
    /// about the slots, and all show each replica, which has its primary's data.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn settle(&self) {
        let members = self.members();
        // Servers that share a processor with a compiler take long to agree.
        eventually_in(
            Duration::from_secs(30),
            "the cluster to be ready",
            async || {
                let said = join_all(members.iter().map(async |node| {
                    let (view, role) = (node.view().await, node.role().await);
                    (node.is_ok().await, view, role)
                }))
                .await;
                let (_, first, _) = &said[0];
                let is_agreed = said
                    .iter()
                    .all(|(is_ok, view, _)| *is_ok && view.owners() == first.owners());
                let is_shown = |replica: &Node, port: u16| {
                    let primary = lock(&self.nodes)
                        .iter()
                        .find(|node| node.addr().port() == port)
                        .cloned();
                    primary.is_some_and(|primary| {
                        said.iter()
                            .all(|(_, view, _)| view.shows(primary.id(), replica.id()))
                    })
                };
                let are_synced = members.iter().zip(&said).all(|(node, (_, _, role))| {
                    let port = role.replica_of;
                    role.is_synced && port.is_none_or(|port| is_shown(node, port))
                });
                is_agreed && are_synced && first.covered() == usize::from(SLOTS)
            },
        )
        .await;
    }
}

/// Lets a node meet the others, on both sides.
pub(super) async fn introduce(node: &Node, others: &[Node]) {
    let others = others.iter().filter(|other| *other != node);
    if others.clone().next().is_none() {
        return;
    }
    let meetings = others.map(|other| {
        let (host, port) = (other.addr().ip().to_string(), other.addr().port());
        command(&["CLUSTER", "MEET", &host, &port.to_string()])
    });
    let met = node.ask_all(meetings).await;
    met.unwrap_or_else(|error| panic!("CLUSTER MEET at {node:?}: {error}"));
}

async fn server(binary: &ServerBinary, shape: &ClusterShape) -> RealServer {
    let timeout = shape.node_timeout.as_millis().to_string();
    let mut arguments = vec![
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        &timeout,
        // `CLUSTER SLOTS` of Redis does not show a replica before the first ping of its primary.
        "--repl-ping-replica-period",
        "1",
        "--repl-diskless-sync-delay",
        "0",
        // A primary that has lost its last slot stays one.
        "--cluster-allow-replica-migration",
        "no",
        "--enable-debug-command",
        "local",
    ];
    arguments.extend(shape.arguments.iter().map(String::as_str));
    RealServer::start_node(binary, &arguments).await
}
