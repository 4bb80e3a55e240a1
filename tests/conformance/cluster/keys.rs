//! Key events and invalidations: at the primary that has the key, and at its replicas.

use tests::harness::Test;
use tests::{Cluster, ClusterClient, tests};

pub(super) fn tests() -> Vec<Test<(Cluster,)>> {
    tests![
        key_events_come_at_the_primary_and_its_replicas,
        invalidations_come_at_the_primary_and_its_replicas,
    ]
}

pub(super) async fn event_listener(cluster: &Cluster, node: usize) -> ClusterClient {
    let mut client = cluster.client(node).await;
    client
        .expect(
            "PSUBSCRIBE __keyspace@0__:*",
            &[r#">["psubscribe" "__keyspace@0__:*" :1]"#],
        )
        .await;
    client
}

pub(super) fn event(key: &str, event: &str) -> String {
    format!(r#">["pmessage" "__keyspace@0__:*" "__keyspace@0__:{key}" "{event}"]"#)
}

async fn key_events_come_at_the_primary_and_its_replicas(cluster: Cluster) {
    cluster.set_key_events("KEA").await;
    let mut primary = event_listener(&cluster, 2).await;
    let mut replica = event_listener(&cluster, 5).await;
    let mut other = event_listener(&cluster, 0).await;
    let mut writer = cluster.client(2).await;
    writer.expect("SET foo 1", &["+OK"]).await;
    writer.expect("RPUSH {foo}.list a b", &[":2"]).await;
    writer.expect("LPOP {foo}.list 2", &[r#"["a" "b"]"#]).await;
    writer.expect("EXPIRE foo 100", &[":1"]).await;
    writer.expect("DEL foo", &[":1"]).await;
    writer.expect("SET foo 1 PX 20", &["+OK"]).await;
    let events = [
        ("foo", "set"),
        ("{foo}.list", "rpush"),
        ("{foo}.list", "lpop"),
        ("{foo}.list", "del"),
        ("foo", "expire"),
        ("foo", "del"),
        ("foo", "set"),
        ("foo", "expire"),
    ];
    for (key, what) in events {
        primary.hears(&[event(key, what)]).await;
        replica.hears(&[event(key, what)]).await;
    }
    primary.hears(&[event("foo", "expired")]).await;
    replica.hears(&[event("foo", "del")]).await;
    assert!(other.until_fence().await.is_empty());
}

async fn invalidations_come_at_the_primary_and_its_replicas(cluster: Cluster) {
    let mut trackers = Vec::new();
    for node in [2, 5, 0] {
        let mut client = cluster.client(node).await;
        client
            .expect("CLIENT TRACKING ON BCAST PREFIX {foo}", &["+OK"])
            .await;
        trackers.push(client);
    }
    let [primary, replica, other] = &mut trackers[..] else {
        unreachable!()
    };
    let mut writer = cluster.client(2).await;
    writer.expect("SET {foo}.a 1", &["+OK"]).await;
    for client in [&mut *primary, &mut *replica] {
        client.hears(&[r#">["invalidate" ["{foo}.a"]]"#]).await;
    }
    writer.expect("FLUSHALL", &["+OK"]).await;
    for client in [&mut *primary, &mut *replica] {
        client.hears(&[r#">["invalidate" _]"#]).await;
    }
    assert!(other.until_fence().await.is_empty());
}
