//! Commands at nodes that do not own the slot.

use tests::harness::Test;
use tests::{Cluster, tests};

pub(super) fn tests() -> Vec<Test<(Cluster,)>> {
    tests![
        keys_of_other_nodes_are_refused,
        transactions_stay_in_one_slot,
        replicas_answer_reads_of_clients_that_allow_it,
        a_slot_without_owner_takes_the_cluster_down,
    ]
}

const CROSSSLOT: &str = "-CROSSSLOT Keys in request don't hash to the same slot";

async fn keys_of_other_nodes_are_refused(cluster: Cluster) {
    let mut client = cluster.client(0).await;
    for (command, reply) in [
        ("SET foo 1", "-MOVED 12182 node2"),
        ("GET {foo}.x", "-MOVED 12182 node2"),
        ("EXISTS foo", "-MOVED 12182 node2"),
        ("WATCH foo", "-MOVED 12182 node2"),
        ("SET bar 1", "+OK"),
        ("MSET {bar}a 1 {bar}b 2", "+OK"),
        ("MGET {bar}a bar", r#"["1" "1"]"#),
        ("MSET {bar}a 1 foo 2", CROSSSLOT),
        ("MGET foo bar", CROSSSLOT),
        ("DEL bar foo", CROSSSLOT),
        ("UNLINK foo bar", CROSSSLOT),
        ("WATCH bar foo", CROSSSLOT),
        // The values of MSET are no keys.
        ("MSET bar foo {bar}a foo", "+OK"),
        ("HSET foo f v", "-MOVED 12182 node2"),
        ("ZADD foo 1 bar", "-MOVED 12182 node2"),
        ("EXPIRE foo 1", "-MOVED 12182 node2"),
        // Commands without keys are the node's own.
        ("DBSIZE", ":3"),
        ("UNWATCH", "+OK"),
        ("PUBSUB SHARDNUMSUB foo", r#"["foo" :0]"#),
        ("ASKING", "+OK"),
        ("SELECT 0", "+OK"),
        (
            "SET foo",
            "-ERR wrong number of arguments for 'set' command",
        ),
    ] {
        client.expect(command, &[reply]).await;
    }
    // Servers differ in the text.
    let refused = client.ask("SELECT 1").await;
    assert!(refused.starts_with("-ERR "), "{refused}");
    let mut owner = cluster.client(2).await;
    owner.expect("SET foo 1", &["+OK"]).await;
    owner.expect("KEYS *", &[r#"["foo"]"#]).await;
}

async fn transactions_stay_in_one_slot(cluster: Cluster) {
    let mut client = cluster.client(0).await;
    for (command, reply) in [
        ("MULTI", "+OK"),
        ("SET foo 1", "-MOVED 12182 node2"),
        ("SET bar 1", "+QUEUED"),
        (
            "EXEC",
            "-EXECABORT Transaction discarded because of previous errors.",
        ),
        ("EXISTS bar", ":0"),
        ("MULTI", "+OK"),
        ("SET bar 1", "+QUEUED"),
        ("GET {bar}a", "+QUEUED"),
        ("EXEC", r#"[+OK _]"#),
        // Node 0 has the slot of `b` too.
        ("MULTI", "+OK"),
        ("SET bar 2", "+QUEUED"),
        ("SET b 2", "+QUEUED"),
        ("EXEC", CROSSSLOT),
        ("GET bar", "\"1\""),
        ("EXEC", "-ERR EXEC without MULTI"),
    ] {
        // Without a fence, which would be queued too.
        client.say(command).await;
        client.hears(&[reply]).await;
    }
}

async fn replicas_answer_reads_of_clients_that_allow_it(cluster: Cluster) {
    let mut client = cluster.client(0).await;
    client.expect("SET bar 1", &["+OK"]).await;
    // A server answers when its replica has it.
    client.say("WAIT 1 5000").await;
    client.until_fence().await;
    let mut replica = cluster.client(3).await;
    for (command, reply) in [
        ("GET bar", "-MOVED 5061 node0"),
        ("READONLY", "+OK"),
        ("GET bar", "\"1\""),
        ("SET bar 2", "-MOVED 5061 node0"),
        ("GET foo", "-MOVED 12182 node2"),
        ("MGET foo bar", CROSSSLOT),
        ("KEYS *", r#"["bar"]"#),
        (
            "FLUSHALL",
            "-READONLY You can't write against a read only replica.",
        ),
        ("MULTI", "+OK"),
        ("GET bar", "+QUEUED"),
        ("EXEC", r#"["1"]"#),
        ("READWRITE", "+OK"),
        ("GET bar", "-MOVED 5061 node0"),
    ] {
        replica.say(command).await;
        replica.hears(&[reply]).await;
    }
}

async fn a_slot_without_owner_takes_the_cluster_down(cluster: Cluster) {
    let mut client = cluster.client(0).await;
    client
        .expect("SSUBSCRIBE bar", &[r#">["ssubscribe" "bar" :1]"#])
        .await;
    client
        .expect("SSUBSCRIBE b", &[r#">["ssubscribe" "b" :2]"#])
        .await;
    cluster.drop_slot_of("bar").await;
    client.hears(&[r#">["sunsubscribe" "bar" :1]"#]).await;
    const UNSERVED: &str = "-CLUSTERDOWN Hash slot not served";
    const DOWN: &str = "-CLUSTERDOWN The cluster is down";
    for (command, reply) in [
        ("SSUBSCRIBE bar", UNSERVED),
        ("SPUBLISH bar 1", UNSERVED),
        ("SUNSUBSCRIBE bar", UNSERVED),
        ("SET b 1", DOWN),
        ("GET foo", DOWN),
        // Sharded channels of other slots go on.
        ("SSUBSCRIBE foo", "-MOVED 12182 node2"),
    ] {
        client.expect(command, &[reply]).await;
    }
    let mut other = cluster.client(0).await;
    other.expect("SPUBLISH b 1", &[":1"]).await;
    client.hears(&[r#">["smessage" "b" "1"]"#]).await;
    client
        .expect("SUBSCRIBE bar", &[r#">["subscribe" "bar" :1]"#])
        .await;
}
