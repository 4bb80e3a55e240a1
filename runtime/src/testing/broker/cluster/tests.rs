//! What the conformance tests do not see: nodes that contradict each other, messages that are lost on the way,
//! and the deadlines of keys that move.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::advance;

use super::BrokerCluster;
use crate::testing::Broker;

const HOUR: Duration = Duration::from_secs(3600);

/// The slot of `foo`, which the last of three primaries owns.
const FOO: u16 = 12182;

/// A connection in RESP3 to one node.
struct Client(TcpStream);

impl Client {
    async fn of(cluster: &BrokerCluster, node: usize) -> Self {
        let stream = TcpStream::connect(cluster.node(node).addr()).await.unwrap();
        let mut client = Self(stream);
        client.ask("HELLO 3").await;
        client
    }

    /// Sends a command, and returns all that comes up to the reply of a PING. Line ends become spaces.
    async fn ask(&mut self, command: &str) -> String {
        let bytes = format!("{command}\r\nPING fence\r\n");
        self.0.write_all(bytes.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"$5\r\nfence\r\n") {
            assert_ne!(self.0.read_buf(&mut heard).await.unwrap(), 0);
        }
        let heard = String::from_utf8(heard).unwrap().replace("\r\n", " ");
        heard.trim_end_matches("$5 fence ").to_owned()
    }

    /// Returns what has come without being asked for.
    async fn heard(&mut self) -> String {
        self.ask("").await
    }
}

fn moved(cluster: &BrokerCluster, node: usize) -> String {
    format!("-MOVED {FOO} {} ", cluster.node(node).addr())
}

const SUBSCRIBED: &str = ">3 $10 ssubscribe $3 foo :1 ";
const UNSUBSCRIBED: &str = ">3 $12 sunsubscribe $3 foo :0 ";

#[tokio::test]
async fn nodes_that_are_cut_off_contradict_the_others_until_they_meet_again() {
    let cluster = Broker::cluster(3).start().await.unwrap();
    let mut old = Client::of(&cluster, 2).await;
    let mut new = Client::of(&cluster, 0).await;
    assert_eq!(old.ask("SSUBSCRIBE foo").await, SUBSCRIBED);
    // The new owner does not know it yet, and sends clients back.
    cluster.cut_off(0, true);
    cluster.move_slot(FOO, 0);
    assert_eq!(old.heard().await, UNSUBSCRIBED);
    assert_eq!(old.ask("SSUBSCRIBE foo").await, moved(&cluster, 0));
    assert_eq!(new.ask("SSUBSCRIBE foo").await, moved(&cluster, 2));
    cluster.cut_off(0, false);
    assert_eq!(new.ask("SSUBSCRIBE foo").await, SUBSCRIBED);
    // An old owner that is cut off keeps its subscribers, and is deaf.
    cluster.cut_off(0, true);
    cluster.move_slot(FOO, 2);
    assert_eq!(new.ask("SSUBSCRIBE foo").await, SUBSCRIBED);
    assert!(new.ask("CLUSTER INFO").await.contains("cluster_state:fail"));
    assert_eq!(cluster.publish_shard("foo", "1"), 0);
    cluster.cut_off(0, false);
    assert_eq!(new.heard().await, UNSUBSCRIBED);
}

#[tokio::test]
async fn a_forgotten_node_is_deaf_and_has_no_links_from_others() {
    let cluster = Broker::cluster(3).start().await.unwrap();
    let mut forgotten = Client::of(&cluster, 1).await;
    let mut other = Client::of(&cluster, 0).await;
    forgotten.ask("SUBSCRIBE news").await;
    let links = async |client: &mut Client| {
        let links = client.ask("CLUSTER LINKS").await;
        let count = |word| links.matches(word).count();
        (count("$2 to "), count("$4 from "))
    };
    assert_eq!(links(&mut forgotten).await, (5, 5));
    cluster.forget(1);
    assert_eq!(links(&mut forgotten).await, (5, 0));
    assert_eq!(links(&mut other).await, (4, 4));
    assert_eq!(cluster.publish("news", "1"), 0);
    // It serves its slots, and the others do not know who does.
    assert!(
        forgotten
            .ask("CLUSTER INFO")
            .await
            .contains("cluster_state:ok")
    );
    assert!(
        other
            .ask("CLUSTER INFO")
            .await
            .contains("cluster_state:fail")
    );
    cluster.meet(1);
    assert_eq!(links(&mut forgotten).await, (5, 5));
    assert_eq!(cluster.publish("news", "2"), 1);
    assert!(other.ask("CLUSTER INFO").await.contains("cluster_state:ok"));
}

#[tokio::test]
async fn links_that_were_reset_have_other_times() {
    let cluster = Broker::cluster(2).replicas(0).start().await.unwrap();
    let mut client = Client::of(&cluster, 0).await;
    let before = client.ask("CLUSTER LINKS").await;
    assert_eq!(client.ask("CLUSTER LINKS").await, before);
    cluster.reset_bus(1);
    let after = client.ask("CLUSTER LINKS").await;
    assert_ne!(after, before);
    cluster.kill(1).await;
    assert_eq!(client.ask("CLUSTER LINKS").await, "*0 ");
    cluster.restart(1).await.unwrap();
    let again = client.ask("CLUSTER LINKS").await;
    assert_ne!(again, after);
    assert!(again.starts_with("*2 "), "{again}");
}

#[tokio::test]
async fn so_many_forwarded_messages_are_lost() {
    let cluster = Broker::cluster(2).start().await.unwrap();
    let mut client = Client::of(&cluster, 3).await;
    client.ask("SUBSCRIBE news").await;
    cluster.lose(3, 2);
    let heard: usize = (0..4).map(|_| cluster.node(0).publish("news", "x")).sum();
    assert_eq!(heard, 0, "only those at the node itself are counted");
    assert_eq!(client.heard().await.matches("message").count(), 2);
    // What is published at the node itself does not pass the bus.
    cluster.lose(3, usize::MAX);
    assert_eq!(cluster.node(3).publish("news", "x"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_moves_with_its_key_and_is_the_primarys() {
    let mut cluster = Broker::cluster(3).start().await.unwrap();
    cluster.set_key_events("KEA");
    let mut client = Client::of(&cluster, 2).await;
    assert_eq!(client.ask("SET foo 1 EX 3600").await, "+OK ");
    let node = cluster.add_node().await.unwrap();
    cluster.node(node).set_key_events("KEA");
    cluster.move_slot(FOO, node);
    let mut client = Client::of(&cluster, node).await;
    client.ask("PSUBSCRIBE __keyspace@0__:*").await;
    assert_eq!(client.ask("TTL foo").await, ":3600 ");
    advance(HOUR).await;
    let expired = ">4 $8 pmessage $16 __keyspace@0__:* $18 __keyspace@0__:foo $7 expired ";
    assert_eq!(client.heard().await, expired);

    // A replica waits for its primary. When it is promoted, deadlines are its own.
    cluster.move_slot(FOO, 2);
    let mut client = Client::of(&cluster, 2).await;
    client.ask("SET foo 1 EX 3600").await;
    let mut replica = Client::of(&cluster, 5).await;
    replica.ask("PSUBSCRIBE __keyspace@0__:*").await;
    cluster.kill(2).await;
    advance(HOUR).await;
    assert_eq!(replica.heard().await, "");
    assert_eq!(cluster.fail_over(2), 5);
    assert_eq!(replica.heard().await, expired);
    cluster.restart(2).await.unwrap();
    let mut client = Client::of(&cluster, 2).await;
    assert_eq!(client.ask("DBSIZE").await, ":0 ");
}

#[tokio::test]
async fn a_killed_primary_that_was_replaced_returns_as_a_replica_with_the_keys_of_the_new_one() {
    let cluster = Broker::cluster(3).start().await.unwrap();
    let mut client = Client::of(&cluster, 2).await;
    client.ask("SET foo old").await;
    cluster.kill(2).await;
    let mut replica = Client::of(&cluster, 5).await;
    let mut other = Client::of(&cluster, 0).await;
    assert_eq!(other.ask("SPUBLISH foo 1").await, moved(&cluster, 2));
    assert_eq!(replica.ask("SSUBSCRIBE foo").await, SUBSCRIBED);
    assert_eq!(cluster.publish_shard("foo", "1"), 0, "nobody can publish");
    assert_eq!(cluster.fail_over(2), 5);
    assert_eq!(replica.heard().await, UNSUBSCRIBED);
    assert_eq!(replica.ask("GET foo").await, "$3 old ");
    replica.ask("SET foo new").await;
    cluster.restart(2).await.unwrap();
    let mut client = Client::of(&cluster, 2).await;
    assert_eq!(client.ask("READONLY\r\nGET foo").await, "+OK $3 new ");
    assert_eq!(cluster.fail_over(2), 2);
    assert_eq!(client.ask("SET foo again").await, "+OK ");
    assert_eq!(replica.ask("READONLY\r\nGET foo").await, "+OK $5 again ");
}

#[tokio::test]
#[should_panic(expected = "node 0 cannot fail over: no replica of it runs")]
async fn a_primary_without_a_replica_cannot_fail_over() {
    let cluster = Broker::cluster(1).replicas(0).start().await.unwrap();
    cluster.fail_over(0);
}

#[tokio::test]
#[should_panic(expected = "node 5 is a replica, and only a primary can own a slot")]
async fn a_slot_cannot_move_to_a_replica() {
    let cluster = Broker::cluster(3).start().await.unwrap();
    cluster.move_slot(FOO, 5);
}
