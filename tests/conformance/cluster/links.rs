//! The links of the bus that carries PUBLISH from node to node.

use std::collections::BTreeMap;

use redis::{Value, from_redis_value};
use tests::harness::Test;
use tests::{Cluster, eventually, tests};

pub(super) fn tests() -> Vec<Test<(Cluster,)>> {
    tests![
        links_tell_when_they_were_created,
        a_forgotten_node_is_deaf_and_misses_the_links_from_others,
    ]
}

/// The links of a node: when each was created, by direction and id of the other node.
async fn links(cluster: &Cluster, node: usize) -> BTreeMap<(String, String), i64> {
    let links = cluster.value(node, &["CLUSTER", "LINKS"]).await;
    let links: Vec<BTreeMap<String, Value>> = from_redis_value(links).unwrap();
    let text = |value: &Value| from_redis_value::<String>(value.clone()).unwrap();
    let read = |link: BTreeMap<String, Value>| {
        let fields: Vec<&str> = link.keys().map(String::as_str).collect();
        assert_eq!(
            fields,
            [
                "create-time",
                "direction",
                "events",
                "node",
                "send-buffer-allocated",
                "send-buffer-used",
            ]
        );
        let created = from_redis_value(link["create-time"].clone()).unwrap();
        ((text(&link["direction"]), text(&link["node"])), created)
    };
    links.into_iter().map(read).collect()
}

async fn links_tell_when_they_were_created(cluster: Cluster) {
    let before = links(&cluster, 0).await;
    let count = |direction| before.keys().filter(|(way, _)| way == direction).count();
    assert_eq!((count("to"), count("from")), (5, 5));
    assert_eq!(links(&cluster, 0).await, before);
    cluster.reset_bus(0).await;
    let after = links(&cluster, 0).await;
    assert!(after.keys().eq(before.keys()));
    for (link, created) in &after {
        assert!(*created > before[link], "{link:?}: {created}");
    }
}

async fn a_forgotten_node_is_deaf_and_misses_the_links_from_others(mut cluster: Cluster) {
    let new = cluster.add_node().await;
    let mut forgotten = cluster.client(new).await;
    forgotten
        .expect("SUBSCRIBE news", &[r#">["subscribe" "news" :1]"#])
        .await;
    cluster.forget(new).await;
    eventually("the links from others to be gone", async || {
        let links = links(&cluster, new).await;
        links.keys().all(|(direction, _)| direction == "to")
    })
    .await;
    let mut other = cluster.client(0).await;
    other.expect("PUBLISH news 1", &[":0"]).await;
    let mut own = cluster.client(new).await;
    own.expect("PUBLISH news 2", &[":1"]).await;
    forgotten.hears(&[r#">["message" "news" "2"]"#]).await;
    // It has not noticed anything.
    let info = forgotten.ask("CLUSTER INFO").await;
    assert!(info.contains("cluster_state:ok"), "{info}");
    assert!(info.contains("cluster_known_nodes:7"), "{info}");
    let slots = other.ask("CLUSTER SLOTS").await;
    assert!(!slots.contains("id6"), "{slots}");
}
