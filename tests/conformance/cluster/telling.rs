//! What a node tells about the cluster.

use std::collections::BTreeMap;

use redis::{Value, from_redis_value};
use tests::harness::Test;
use tests::{Cluster, tests};

pub(super) fn tests() -> Vec<Test<(Cluster,)>> {
    tests![nodes_tell_who_owns_which_slot, nodes_tell_their_role]
}

async fn nodes_tell_who_owns_which_slot(cluster: Cluster) {
    for node in [0, 4] {
        let mut client = cluster.client(node).await;
        client.expect("CLUSTER KEYSLOT foo", &[":12182"]).await;
        client.expect("CLUSTER KEYSLOT {bar}x", &[":5061"]).await;
        client
            .expect("CLUSTER MYID", &[format!("\"id{node}\"")])
            .await;
        // The order of the ranges is that of the slots in some servers, and that of the nodes in others.
        let slots = client.ask("CLUSTER SLOTS").await;
        for (range, primary, replica) in [
            (":0 :5460", 0, 3),
            (":5461 :10921", 1, 4),
            (":10922 :16383", 2, 5),
        ] {
            let [primary, replica] =
                [primary, replica].map(|n| format!(r#"["127.0.0.1" port{n} "id{n}" {{}}]"#));
            let range = format!("[{range} {primary} {replica}]");
            assert!(slots.contains(&range), "{range} in {slots}");
        }
        assert_eq!(slots.matches("127.0.0.1").count(), 6);
        let info = client.ask("CLUSTER INFO").await;
        for line in [
            "cluster_state:ok",
            "cluster_slots_assigned:16384",
            "cluster_slots_ok:16384",
            "cluster_known_nodes:6",
            "cluster_size:3",
        ] {
            assert!(info.contains(&format!("{line}\\r\\n")), "{line} in {info}");
        }
    }
    let shards = cluster.value(1, &["CLUSTER", "SHARDS"]).await;
    let shards: Vec<BTreeMap<String, Value>> = from_redis_value(shards).unwrap();
    let mut told = Vec::new();
    for shard in shards {
        let slots: Vec<u16> = from_redis_value(shard["slots"].clone()).unwrap();
        let nodes: Vec<BTreeMap<String, Value>> = from_redis_value(shard["nodes"].clone()).unwrap();
        let field = |name: &str| {
            let text = |value: &Value| from_redis_value::<String>(value.clone()).unwrap();
            let values = nodes.iter().map(|node| text(&node[name]));
            let mut values: Vec<String> = values.collect();
            values.sort_unstable();
            values.join(" ")
        };
        told.push((slots, field("role"), field("health"), field("endpoint")));
    }
    told.sort_unstable();
    let expected = [[0, 5460], [5461, 10921], [10922, 16383]].map(|slots| {
        let (role, health) = ("master replica", "online online");
        (
            slots.to_vec(),
            role.to_owned(),
            health.to_owned(),
            "127.0.0.1 127.0.0.1".to_owned(),
        )
    });
    assert_eq!(told, expected);

    let nodes = cluster.value(0, &["CLUSTER", "NODES"]).await;
    let nodes: String = from_redis_value(nodes).unwrap();
    let mut kinds: Vec<String> = nodes
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let slots = words.get(8).unwrap_or(&"");
            let primary = if words[3] == "-" { "-" } else { "id" };
            format!("{} {primary} {} {slots}", words[2], words[7])
        })
        .collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        [
            "master - connected 10922-16383",
            "master - connected 5461-10921",
            "myself,master - connected 0-5460",
            "slave id connected ",
            "slave id connected ",
            "slave id connected ",
        ]
    );
}

async fn nodes_tell_their_role(cluster: Cluster) {
    let mut primary = cluster.client(0).await;
    let mut replica = cluster.client(3).await;
    let role = primary.ask("ROLE").await;
    assert!(role.starts_with(r#"["master" :"#), "{role}");
    assert!(role.contains(r#"[["127.0.0.1" port3 ""#), "{role}");
    let role = replica.ask("ROLE").await;
    assert!(
        role.starts_with(r#"["slave" "127.0.0.1" port0 "connected" :"#),
        "{role}"
    );
    let hello = primary.ask("HELLO").await;
    assert!(
        hello.contains(r#""mode" "cluster" "role" "master""#),
        "{hello}"
    );
    let hello = replica.ask("HELLO").await;
    assert!(
        hello.contains(r#""mode" "cluster" "role" "replica""#),
        "{hello}"
    );
    let info = primary.ask("INFO replication").await;
    for line in [
        "role:master",
        "connected_slaves:1",
        "slave0:ip=127.0.0.1,port=",
    ] {
        assert!(info.contains(line), "{line} in {info}");
    }
    let info = replica.ask("INFO replication").await;
    for line in [
        "role:slave",
        "master_host:127.0.0.1",
        "master_link_status:up",
    ] {
        assert!(info.contains(&format!("{line}\\r\\n")), "{line} in {info}");
    }
    let info = replica.ask("INFO cluster").await;
    assert!(
        info.ends_with(r#"# Cluster\r\ncluster_enabled:1\r\n""#),
        "{info}"
    );
    for (command, reply) in [
        (
            "CLUSTER",
            "-ERR wrong number of arguments for 'cluster' command",
        ),
        (
            "CLUSTER NOPE",
            "-ERR unknown subcommand 'NOPE'. Try CLUSTER HELP.",
        ),
        (
            "CLUSTER SLOTS x",
            "-ERR wrong number of arguments for 'cluster|slots' command",
        ),
    ] {
        primary.expect(command, &[reply]).await;
    }
}
