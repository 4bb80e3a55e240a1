//! What is heard when a replica takes over.

use tests::harness::Test;
use tests::{Cluster, ClusterClient, tests};

use super::keys::{event, event_listener};
use super::promoted_replicas_keep_subscribers;

pub(super) fn tests() -> Vec<Test<(Cluster,)>> {
    tests![
        a_failover_takes_sharded_channels_away_and_closes_nothing,
        a_demoted_primary_tells_what_it_replicates,
        a_killed_primary_is_replaced,
    ]
}

async fn subscribe(cluster: &Cluster, node: usize) -> ClusterClient {
    let mut client = cluster.client(node).await;
    client
        .expect("SSUBSCRIBE foo", &[r#">["ssubscribe" "foo" :1]"#])
        .await;
    client
        .expect("SUBSCRIBE news", &[r#">["subscribe" "news" :1]"#])
        .await;
    client
}

async fn a_failover_takes_sharded_channels_away_and_closes_nothing(cluster: Cluster) {
    let mut old = subscribe(&cluster, 2).await;
    let mut new = subscribe(&cluster, 5).await;
    assert_eq!(cluster.fail_over(2).await, 5);
    assert_eq!(cluster.node_of("foo").await, 5);
    old.hears(&[r#">["sunsubscribe" "foo" :0]"#]).await;
    if !promoted_replicas_keep_subscribers(&cluster) {
        new.hears(&[r#">["sunsubscribe" "foo" :0]"#]).await;
        new.expect("SSUBSCRIBE foo", &[r#">["ssubscribe" "foo" :1]"#])
            .await;
    }
    let mut other = cluster.client(0).await;
    other
        .expect("SPUBLISH foo 1", &["-MOVED 12182 node5"])
        .await;
    other.expect("PUBLISH news 1", &[":0"]).await;
    old.hears(&[r#">["message" "news" "1"]"#]).await;
    new.hears(&[r#">["message" "news" "1"]"#]).await;
    // It is a replica of the new one, and may be subscribed to as such.
    until_replica(&mut old).await;
    old.expect("SSUBSCRIBE foo", &[r#">["ssubscribe" "foo" :1]"#])
        .await;
    let mut publisher = cluster.client(5).await;
    // Redis passes on nothing to a replica that it does not know as such.
    tests::eventually("the new primary to know its replica", async || {
        publisher.ask("CLUSTER SLOTS").await.contains("id2")
    })
    .await;
    publisher.expect("SPUBLISH foo 2", &[":1"]).await;
    for client in [&mut old, &mut new] {
        client.hears(&[r#">["smessage" "foo" "2"]"#]).await;
    }
}

async fn a_demoted_primary_tells_what_it_replicates(cluster: Cluster) {
    cluster.set_key_events("KEA").await;
    let mut old = event_listener(&cluster, 2).await;
    let mut writer = cluster.client(2).await;
    writer.expect("SET foo 1", &["+OK"]).await;
    old.hears(&[event("foo", "set")]).await;
    assert_eq!(cluster.fail_over(2).await, 5);
    until_replica(&mut old).await;
    writer.expect("SET foo 2", &["-MOVED 12182 node5"]).await;
    let mut writer = cluster.client(5).await;
    writer.expect("SET foo 2 PX 20", &["+OK"]).await;
    old.hears(&[
        event("foo", "set"),
        event("foo", "expire"),
        event("foo", "del"),
    ])
    .await;
}

async fn a_killed_primary_is_replaced(cluster: Cluster) {
    let mut other = cluster.client(0).await;
    // Its replica accepts subscribers during the outage.
    let mut replica = cluster.client(5).await;
    cluster.kill(2).await;
    replica
        .expect("SSUBSCRIBE foo", &[r#">["ssubscribe" "foo" :1]"#])
        .await;
    other
        .expect("SPUBLISH foo 1", &["-MOVED 12182 node2"])
        .await;
    assert_eq!(cluster.replace(2, "foo").await, 5);
    if !promoted_replicas_keep_subscribers(&cluster) {
        replica.hears(&[r#">["sunsubscribe" "foo" :0]"#]).await;
    }
    other
        .expect("SPUBLISH foo 1", &["-MOVED 12182 node5"])
        .await;
    cluster.restart(2).await;
    let mut old = cluster.client(2).await;
    let role = old.ask("ROLE").await;
    assert!(role.starts_with(r#"["slave" "127.0.0.1" port5 "#), "{role}");
    old.expect("SPUBLISH foo 1", &[":0"]).await;
}

/// Waits until a node replicates the one that has replaced it.
async fn until_replica(client: &mut ClusterClient) {
    tests::eventually("the old primary to be a replica", async || {
        let role = client.ask("ROLE").await;
        role.starts_with(r#"["slave" "#) && role.contains(r#""connected""#)
    })
    .await;
}
