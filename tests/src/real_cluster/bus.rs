//! Faults of the cluster bus, over which a `PUBLISH` reaches the other nodes.

use std::collections::BTreeMap;

use redis::{Value, from_redis_value};

use super::node::State;
use super::{Node, RealCluster};
use crate::wait::eventually;

impl RealCluster {
    /// Resets the links of the cluster bus between a node and all other members
    /// (`DEBUG CLUSTERLINK KILL`). What was on its way is lost. Returns when there are new links in both
    /// directions.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn reset_bus(&self, node: &Node) {
        let others: Vec<_> = self
            .members()
            .into_iter()
            .filter(|other| other != node)
            .collect();
        let before = links_of(node).await;
        for other in &others {
            node.command(&["DEBUG", "CLUSTERLINK", "KILL", "all", other.id()])
                .await;
        }
        let what = format!("new links of {node:?}");
        eventually(&what, async || {
            let now = links_of(node).await;
            others.iter().all(|other| {
                ["from", "to"].into_iter().all(|way| {
                    let key = (other.id().to_owned(), way.to_owned());
                    let (now, before) = (now.get(&key), before.get(&key));
                    now.is_some() && now != before
                })
            })
        })
        .await;
    }

    /// Whether the servers can [cut off](Self::cut_off) a node, as Valkey can since 8.0.
    pub async fn can_cut_off(&self) -> bool {
        let help = self.any_member().command(&["DEBUG", "HELP"]).await;
        let help: Vec<String> = from_redis_value(help).expect("lines");
        // It came together with the filter that drops every kind of packet.
        let sign = "CLOSE-CLUSTER-LINK-ON-PACKET-DROP";
        help.iter().any(|line| line.contains(sign))
    }

    /// Lets a node drop everything that it receives over the cluster bus
    /// (`DEBUG DROP-CLUSTER-PACKET-FILTER`). Clients still reach it. Returns before anybody notices it.
    ///
    /// # Panics
    ///
    /// If the servers [cannot](Self::can_cut_off) do that.
    pub async fn cut_off(&self, node: &Node) {
        assert!(self.can_cut_off().await, "{} cannot do that", self.name());
        node.command(&["DEBUG", "DROP-CLUSTER-PACKET-FILTER", "-2"])
            .await;
        node.set_state(State::Outside);
    }

    /// Lets a node that was cut off receive everything again. Returns before it knows what has happened
    /// meanwhile: [`settle`](Self::settle) waits for that.
    pub async fn join_again(&self, node: &Node) {
        node.command(&["DEBUG", "DROP-CLUSTER-PACKET-FILTER", "-1"])
            .await;
        node.set_state(State::Member);
    }
}

/// When the links of a node were made, by the id of the other node and the direction.
async fn links_of(node: &Node) -> BTreeMap<(String, String), i64> {
    let links = node.command(&["CLUSTER", "LINKS"]).await;
    let links: Vec<BTreeMap<String, Value>> = from_redis_value(links).expect("links");
    let text = |value: &Value| from_redis_value(value.clone()).expect("a text");
    let created = |value: &Value| from_redis_value(value.clone()).expect("a time");
    let links = links.iter().map(|link| {
        let key = (text(&link["node"]), text(&link["direction"]));
        (key, created(&link["create-time"]))
    });
    links.collect()
}
