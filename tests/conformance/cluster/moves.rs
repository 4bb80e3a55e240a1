//! What is heard when a slot gets another owner.

use tests::harness::Test;
use tests::{Cluster, ClusterClient, tests};

use super::keys::{event, event_listener};

pub(super) fn tests() -> Vec<Test<(Cluster,)>> {
    tests![
        a_slot_that_moves_takes_its_sharded_channels_away,
        keys_move_with_their_slot,
        a_new_node_takes_a_slot,
    ]
}

/// Subscribes to three channels of one slot, and to one of another.
async fn subscribe(cluster: &Cluster, node: usize) -> ClusterClient {
    let mut client = cluster.client(node).await;
    client
        .expect(
            "SSUBSCRIBE {bar}1 {bar}2 {bar}3",
            &[
                r#">["ssubscribe" "{bar}1" :1]"#,
                r#">["ssubscribe" "{bar}2" :2]"#,
                r#">["ssubscribe" "{bar}3" :3]"#,
            ],
        )
        .await;
    client
        .expect("SSUBSCRIBE b", &[r#">["ssubscribe" "b" :4]"#])
        .await;
    client
        .expect("SUBSCRIBE {bar}1", &[r#">["subscribe" "{bar}1" :1]"#])
        .await;
    client
}

async fn a_slot_that_moves_takes_its_sharded_channels_away(cluster: Cluster) {
    let mut owner = subscribe(&cluster, 0).await;
    let mut replica = subscribe(&cluster, 3).await;
    cluster.move_slot_of("bar", 2).await;
    for client in [&mut owner, &mut replica] {
        // In any order, with the number of what is left.
        let mut names = Vec::new();
        for left in [3, 2, 1] {
            let frame = client.hear().await;
            let name = frame.strip_prefix(r#">["sunsubscribe" ""#).expect(&frame);
            let name = name.strip_suffix(&format!(r#"" :{left}]"#)).expect(&frame);
            names.push(name.to_owned());
        }
        names.sort_unstable();
        assert_eq!(names, ["{bar}1", "{bar}2", "{bar}3"]);
        for (command, reply) in [
            ("SSUBSCRIBE {bar}1", "-MOVED 5061 node2"),
            ("SUNSUBSCRIBE {bar}1", "-MOVED 5061 node2"),
            ("SPUBLISH {bar}1 1", "-MOVED 5061 node2"),
            ("SUNSUBSCRIBE", r#">["sunsubscribe" "b" :0]"#),
        ] {
            client.expect(command, &[reply]).await;
        }
    }
    // Classic subscriptions stay.
    let mut new = cluster.client(2).await;
    new.expect("PUBLISH {bar}1 x", &[":0"]).await;
    owner.hears(&[r#">["message" "{bar}1" "x"]"#]).await;
    replica.hears(&[r#">["message" "{bar}1" "x"]"#]).await;

    new.expect("SSUBSCRIBE {bar}1", &[r#">["ssubscribe" "{bar}1" :1]"#])
        .await;
    let mut publisher = cluster.client(5).await;
    publisher.expect("SPUBLISH {bar}1 y", &[":0"]).await;
    new.hears(&[r#">["smessage" "{bar}1" "y"]"#]).await;
    // And back again.
    cluster.move_slot_of("bar", 0).await;
    new.hears(&[r#">["sunsubscribe" "{bar}1" :0]"#]).await;
    owner
        .expect("SSUBSCRIBE {bar}1", &[r#">["ssubscribe" "{bar}1" :1]"#])
        .await;
}

async fn keys_move_with_their_slot(cluster: Cluster) {
    cluster.set_key_events("KEA").await;
    let mut writer = cluster.client(0).await;
    writer.expect("SET bar 1 EX 1000", &["+OK"]).await;
    writer.expect("SET b 1", &["+OK"]).await;
    writer.say("WAIT 1 5000").await;
    writer.until_fence().await;
    let mut source = [
        event_listener(&cluster, 0).await,
        event_listener(&cluster, 3).await,
    ];
    let mut target = [
        event_listener(&cluster, 2).await,
        event_listener(&cluster, 5).await,
    ];
    let mut trackers = Vec::new();
    for node in [0, 2] {
        let mut client = cluster.client(node).await;
        client.expect("CLIENT TRACKING ON BCAST", &["+OK"]).await;
        trackers.push(client);
    }
    cluster.move_slot_of("bar", 2).await;
    for listener in &mut source {
        listener.hears(&[event("bar", "del")]).await;
    }
    for listener in &mut target {
        listener.hears(&[event("bar", "restore")]).await;
    }
    for tracker in &mut trackers {
        tracker.hears(&[r#">["invalidate" ["bar"]]"#]).await;
    }
    writer.expect("GET bar", &["-MOVED 5061 node2"]).await;
    writer.expect("DBSIZE", &[":1"]).await;
    let mut reader = cluster.client(2).await;
    reader.expect("GET bar", &["\"1\""]).await;
    let left = reader.ask("TTL bar").await;
    assert!([":1000", ":999", ":998"].contains(&left.as_str()), "{left}");
}

async fn a_new_node_takes_a_slot(mut cluster: Cluster) {
    let new = cluster.add_node().await;
    assert_eq!(new, 6);
    let mut client = cluster.client(new).await;
    client.expect("GET bar", &["-MOVED 5061 node0"]).await;
    client
        .expect("SUBSCRIBE news", &[r#">["subscribe" "news" :1]"#])
        .await;
    cluster.move_slot_of("bar", new).await;
    client.expect("SET bar 1", &["+OK"]).await;
    let mut old = cluster.client(0).await;
    old.expect("GET bar", &["-MOVED 5061 node6"]).await;
    old.expect("PUBLISH news 1", &[":0"]).await;
    client.hears(&[r#">["message" "news" "1"]"#]).await;
}
