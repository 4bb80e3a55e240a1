//! Subscribing and publishing at any node.

use tests::harness::Test;
use tests::{Cluster, tests};

use super::replicas_refuse_to_unsubscribe;

pub(super) fn tests() -> Vec<Test<(Cluster,)>> {
    tests![
        classic_messages_reach_all_nodes_and_count_those_of_one,
        sharded_channels_belong_to_one_primary_and_its_replicas,
        a_name_without_right_is_refused_before_its_node_is_named,
    ]
}

async fn classic_messages_reach_all_nodes_and_count_those_of_one(cluster: Cluster) {
    let mut subscribers = Vec::new();
    for node in 0..6 {
        let mut client = cluster.client(node).await;
        client
            .expect("SUBSCRIBE foo", &[r#">["subscribe" "foo" :1]"#])
            .await;
        subscribers.push(client);
    }
    subscribers[4]
        .expect("PSUBSCRIBE f*", &[r#">["psubscribe" "f*" :2]"#])
        .await;
    // At the slot's owner, at another primary and at a replica, which has two subscriptions.
    for (node, receivers) in [(2, ":1"), (0, ":1"), (4, ":2")] {
        let mut publisher = cluster.client(node).await;
        let payload = node.to_string();
        publisher
            .expect(&format!("PUBLISH foo {payload}"), &[receivers])
            .await;
        for (number, client) in subscribers.iter_mut().enumerate() {
            client
                .hears(&[format!(r#">["message" "foo" "{payload}"]"#)])
                .await;
            if number == 4 {
                let matched = format!(r#">["pmessage" "f*" "foo" "{payload}"]"#);
                client.hears(&[matched]).await;
            }
        }
    }
    let mut other = cluster.client(1).await;
    other.expect("PUBLISH elsewhere 1", &[":0"]).await;
    other.expect("PUBSUB NUMSUB foo", &[r#"["foo" :1]"#]).await;
}

async fn sharded_channels_belong_to_one_primary_and_its_replicas(cluster: Cluster) {
    let mut other = cluster.client(0).await;
    for (command, reply) in [
        ("SSUBSCRIBE foo", "-MOVED 12182 node2"),
        ("SPUBLISH foo 1", "-MOVED 12182 node2"),
        ("SUNSUBSCRIBE foo", "-MOVED 12182 node2"),
        ("SUNSUBSCRIBE", r#">["sunsubscribe" _ :0]"#),
        (
            "SSUBSCRIBE foo bar",
            "-CROSSSLOT Keys in request don't hash to the same slot",
        ),
        ("SSUBSCRIBE bar", r#">["ssubscribe" "bar" :1]"#),
    ] {
        other.expect(command, &[reply]).await;
    }
    let confirmed = [
        r#">["ssubscribe" "foo" :1]"#,
        r#">["ssubscribe" "{foo}.x" :2]"#,
    ];
    let mut owner = cluster.client(2).await;
    let mut replica = cluster.client(5).await;
    for client in [&mut owner, &mut replica] {
        client.expect("SSUBSCRIBE foo {foo}.x", &confirmed).await;
    }
    // A replica of another primary is no better than that primary.
    let mut stranger = cluster.client(4).await;
    stranger
        .expect("SSUBSCRIBE foo", &["-MOVED 12182 node2"])
        .await;
    for node in [2, 5] {
        let mut publisher = cluster.client(node).await;
        publisher
            .expect(&format!("SPUBLISH foo {node}"), &[":1"])
            .await;
        for client in [&mut owner, &mut replica] {
            client
                .hears(&[format!(r#">["smessage" "foo" "{node}"]"#)])
                .await;
        }
    }
    // Newer Redis sends it to the owner, as if only that could take the subscription away.
    let unsubscribed = if replicas_refuse_to_unsubscribe(&cluster) {
        "-MOVED 12182 node2"
    } else {
        r#">["sunsubscribe" "foo" :1]"#
    };
    replica.expect("SUNSUBSCRIBE foo", &[unsubscribed]).await;
    owner
        .expect(
            "SUNSUBSCRIBE foo {foo}.x",
            &[
                r#">["sunsubscribe" "foo" :1]"#,
                r#">["sunsubscribe" "{foo}.x" :0]"#,
            ],
        )
        .await;
}

async fn a_name_without_right_is_refused_before_its_node_is_named(cluster: Cluster) {
    cluster.deny("foo").await;
    for node in [0, 2, 5] {
        let mut client = cluster.client(node).await;
        let refused = client.ask("SSUBSCRIBE foo").await;
        assert!(refused.starts_with("-NOPERM "), "{refused}");
    }
}
