//! Servers whose addresses are not those at which they are reached from here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis_push::{Endpoint, Publisher, PushMessage, Subscriber, Subscription};
use tests::{First, Proxy, RealCluster, RealSentinels, within};

use crate::support::*;

#[derive(PushMessage)]
#[push(shard = "news", codec = text)]
struct News {
    text: String,
}

/// Makes each node tell another host, and returns where each is reached.
async fn hide(
    cluster: &RealCluster,
    host: impl Fn(usize) -> String,
) -> HashMap<String, (String, u16)> {
    let mut reached = HashMap::new();
    for (number, node) in cluster.nodes().iter().enumerate() {
        let host = host(number);
        node.command(&["CONFIG", "SET", "cluster-announce-hostname", &host])
            .await;
        let kind = [
            "CONFIG",
            "SET",
            "cluster-preferred-endpoint-type",
            "hostname",
        ];
        node.command(&kind).await;
        reached.insert(host, (node.addr().ip().to_string(), node.addr().port()));
    }
    // The nodes tell each other.
    for node in cluster.nodes() {
        tests::eventually("every host to be known", async || {
            let slots = format!("{:?}", node.command(&["CLUSTER", "SLOTS"]).await);
            reached.keys().all(|host| slots.contains(&**host))
        })
        .await;
    }
    reached
}

pub(crate) async fn nodes_are_reached_where_the_map_of_addresses_says(cluster: RealCluster) {
    let reached = Arc::new(hide(&cluster, |number| format!("node{number}.invalid")).await);
    let map = || {
        let reached = Arc::clone(&reached);
        move |host: &str, _| reached.get(host).cloned()
    };
    let seed = cluster.nodes()[0].url();
    let (mount, mut journal) = recorder("news", Subscription::shard("news"));
    let subscriber = Subscriber::cluster([seed.clone()])
        .address_map(map())
        .start_deadline(Duration::from_secs(20))
        .topology_interval(Duration::from_millis(100))
        .handlers([mount]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    journal.begins().await;
    let topology = handle.topology();
    let mut nodes = topology.nodes.iter();
    assert!(
        nodes.all(|node| node.address.contains(".invalid:")),
        "{topology}"
    );
    let publisher = Publisher::new(Endpoint::cluster([seed]).address_map(map())).unwrap();
    for round in 0..3 {
        let text = format!("news {round}");
        within("a publish", publisher.publish(&News { text: text.clone() }))
            .await
            .unwrap();
        journal.message_after_gaps("news", &text).await;
        let (slot, owner) = cluster.place_of("news").await;
        let primaries = cluster.primaries().await;
        let other = primaries.iter().find(|node| **node != owner).unwrap();
        cluster.move_slot(slot, other, First::Target).await;
        journal.gap().await;
    }
}

pub(crate) async fn the_error_about_a_node_that_is_out_of_reach_names_the_map_of_addresses(
    cluster: RealCluster,
) {
    // Nobody listens there.
    hide(&cluster, |number| format!("127.0.9.{}", number + 1)).await;
    let (mount, _) = recorder("news", Subscription::shard("news"));
    let subscriber = Subscriber::cluster([cluster.nodes()[0].url()])
        .start_deadline(Duration::from_secs(2))
        .handlers([mount]);
    let error = within("the start", subscriber.start()).await.unwrap_err();
    let text = error.to_string();
    assert!(error.is_connection(), "{text}");
    for part in ["127.0.9.", "connection refused", "set `address_map`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

pub(crate) async fn a_primary_is_reached_where_the_map_of_addresses_says(sentinels: RealSentinels) {
    let primary = sentinels.primary().await.addr();
    let proxy = Proxy::start(primary, 0).await;
    let reached = proxy.addr();
    let (mount, mut journal) = recorder("news", Subscription::channel("news"));
    let subscriber = Subscriber::sentinel(RealSentinels::NAME, sentinels.urls())
        .address_map(move |host, port| {
            assert_eq!((host, port), (&*primary.ip().to_string(), primary.port()));
            Some((reached.ip().to_string(), reached.port()))
        })
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(100))
        .handlers([mount]);
    let _handle = within("the start", subscriber.start()).await.unwrap();
    journal.begins().await;
    proxy.reset();
    journal.lost_connection().await;
}
