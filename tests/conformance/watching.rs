//! WATCH: which changes end a transaction.

use tests::harness::Test;
use tests::{RawClient, Server, eventually, tests};

use crate::transactions::queued;

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        a_watched_change_ends_the_transaction,
        what_changes_nothing_does_not_end_a_transaction,
        a_watch_ends_with_its_transaction,
        a_watched_key_that_expires_ends_the_transaction,
        a_watch_is_of_one_database,
    ]
}

/// Runs an empty transaction. Returns whether it ran.
async fn runs(client: &mut RawClient) -> bool {
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(client, &["PING"]).await;
    match client.ask("EXEC").await.as_str() {
        "[+PONG]" => true,
        "_" => false,
        other => panic!("EXEC: {other}"),
    }
}

async fn a_watched_change_ends_the_transaction(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    for (before, command) in [
        ("", "SET k 1"),
        ("", "HSET k a 1"),
        ("", "RPUSH k a"),
        ("", "SADD k a"),
        ("", "ZADD k 1 a"),
        ("SET k 1", "SET k 1"),
        ("SET k 1", "MSET other 1 k 2"),
        ("SET k 1", "INCR k"),
        ("SET k 1", "APPEND k 1"),
        ("SET k 1", "DEL k"),
        ("SET k 1", "GETDEL k"),
        ("SET k 1", "EXPIRE k 100"),
        ("SET k 1", "EXPIRE k -1"),
        ("SET k 1 EX 100", "PERSIST k"),
        ("SET k 1", "FLUSHALL"),
        ("SET k 1", "FLUSHDB"),
        ("HSET k a 1", "HSET k a 1"),
        ("HSET k a 1", "HDEL k a"),
        ("HSET k a 1", "HINCRBY k a 0"),
        ("RPUSH k a b", "LPOP k"),
        ("RPUSH k a b", "LTRIM k 0 0"),
        ("RPUSH k a b", "LREM k 0 a"),
        ("RPUSH k a b", "LSET k 0 a"),
        ("SADD k a b", "SREM k a"),
        ("ZADD k 1 a", "ZADD k 2 a"),
        ("ZADD k 1 a", "ZREM k a"),
        ("ZADD k 1 a", "ZPOPMIN k"),
        ("ZADD k 1 a", "ZREMRANGEBYSCORE k 0 9"),
    ] {
        writer.expect("FLUSHALL", &["+OK"]).await;
        if !before.is_empty() {
            writer.ask(before).await;
        }
        client.expect("WATCH k unrelated", &["+OK"]).await;
        writer.ask(command).await;
        assert!(!runs(&mut client).await, "{before}, {command}");
    }
    // A change by the client itself, and one after MULTI, end it too.
    client.expect("WATCH k", &["+OK"]).await;
    client.expect("SET k 1", &["+OK"]).await;
    assert!(!runs(&mut client).await);
    client.expect("WATCH k", &["+OK"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["SET k 2"]).await;
    writer.expect("SET k 3", &["+OK"]).await;
    client.expect("EXEC", &["_"]).await;
    client.expect("GET k", &["\"3\""]).await;
}

async fn what_changes_nothing_does_not_end_a_transaction(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    for (before, command) in [
        ("", "DEL k"),
        ("", "FLUSHALL"),
        ("", "SET k 1 XX"),
        ("SET k 1", "SET k 1 NX"),
        ("SET k 1", "GET k"),
        ("SET k 1", "PERSIST k"),
        ("SET k 1", "LPUSH k a"),
        ("SET k a", "INCR k"),
        ("HSET k a 1", "HDEL k b"),
        ("HSET k a 1", "HSETNX k a 2"),
        ("SADD k a", "SADD k a"),
        ("ZADD k 1 a", "ZADD k 1 a"),
        ("SET k 1", "SET other 1"),
    ] {
        writer.expect("FLUSHALL", &["+OK"]).await;
        if !before.is_empty() {
            writer.ask(before).await;
        }
        client.expect("WATCH k", &["+OK"]).await;
        writer.ask(command).await;
        assert!(runs(&mut client).await, "{before}, {command}");
    }
}

async fn a_watch_ends_with_its_transaction(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    for ending in ["UNWATCH", "MULTI, DISCARD", "MULTI, EXEC"] {
        client.expect("WATCH a b", &["+OK"]).await;
        writer.expect("SET b 1", &["+OK"]).await;
        for command in ending.split(", ") {
            client.ask(command).await;
        }
        assert!(runs(&mut client).await, "{ending}");
        writer.expect("SET b 2", &["+OK"]).await;
        assert!(runs(&mut client).await, "{ending}");
    }
    // Inside a transaction it is queued, and too late.
    client.expect("WATCH a", &["+OK"]).await;
    writer.expect("SET a 1", &["+OK"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["UNWATCH"]).await;
    client.expect("EXEC", &["_"]).await;
}

async fn a_watched_key_that_expires_ends_the_transaction(server: Server) {
    let mut client = server.raw3().await;
    let mut reader = server.raw3().await;
    // On a busy machine the key may expire before it is watched.
    eventually("a watched key", async || {
        client.ask("UNWATCH").await;
        client.ask("HSET h a 1").await;
        client.ask("PEXPIRE h 20").await;
        client.ask("WATCH h").await;
        client.ask("EXISTS h").await == ":1"
    })
    .await;
    eventually("the end of the key", async || {
        reader.ask("EXISTS h").await == ":0"
    })
    .await;
    assert!(!runs(&mut client).await);
    // One that had expired before is like any other missing key.
    client.expect("WATCH h", &["+OK"]).await;
    client.expect("DEL h", &[":0"]).await;
    assert!(runs(&mut client).await);
}

async fn a_watch_is_of_one_database(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client.expect("WATCH a", &["+OK"]).await;
    client.expect("SELECT 1", &["+OK"]).await;
    client.expect("SET a 1", &["+OK"]).await;
    client.expect("FLUSHDB", &["+OK"]).await;
    assert!(runs(&mut client).await);
    client.expect("WATCH a", &["+OK"]).await;
    writer.expect("SELECT 1", &["+OK"]).await;
    writer.expect("SET a 1", &["+OK"]).await;
    assert!(!runs(&mut client).await);
}
