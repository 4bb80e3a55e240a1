//! Keys of any type: their types and names, and commands that expect another type.

use tests::harness::Test;
use tests::{Server, tests};

use super::{ONE_OF_EACH, events, listener, replies_and_events};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        every_key_has_a_type,
        keys_are_listed_by_pattern,
        scan_refuses_wrong_arguments,
        commands_on_another_type_are_refused,
        set_replaces_a_value_of_any_type,
        missing_keys_are_reported_to_readers_only,
    ]
}

pub(crate) fn since_7() -> Vec<Test<(Server,)>> {
    tests![the_first_write_of_every_type_is_a_new_key,]
}

async fn every_key_has_a_type(server: Server) {
    let mut client = server.raw3().await;
    for (command, reply) in ONE_OF_EACH {
        client.expect(command, &[reply]).await;
    }
    for key in ["string", "hash", "list", "set", "zset"] {
        client
            .expect(&format!("TYPE {key}"), &[format!("+{key}")])
            .await;
    }
    client.expect("TYPE missing", &["+none"]).await;
    client.expect("DBSIZE", &[":5"]).await;
    client.expect("UNLINK string hash missing", &[":2"]).await;
    client.expect("DBSIZE", &[":3"]).await;
}

/// The bulk strings in a reply, sorted.
fn sorted(reply: &str) -> Vec<&str> {
    let mut words: Vec<_> = reply
        .split(['[', ']', ' '])
        .filter(|word| !word.is_empty())
        .collect();
    words.sort_unstable();
    words
}

async fn keys_are_listed_by_pattern(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("MSET user:1 a user:2 b other c", &["+OK"])
        .await;
    client.expect("RPUSH user:list a", &[":1"]).await;
    for (command, expected) in [
        ("KEYS user:?", &["\"user:1\"", "\"user:2\""][..]),
        ("KEYS none*", &[]),
        (
            "SCAN 0 MATCH user:* COUNT 1000",
            &["\"0\"", "\"user:1\"", "\"user:2\"", "\"user:list\""],
        ),
        ("SCAN 0 TYPE LIST COUNT 1000", &["\"0\"", "\"user:list\""]),
        (
            "SCAN 0 COUNT 1000 MATCH *1 TYPE string",
            &["\"0\"", "\"user:1\""],
        ),
        ("SCAN 0 MATCH none COUNT 1000", &["\"0\""]),
    ] {
        let reply = client.ask(command).await;
        assert_eq!(sorted(&reply), expected, "{command}");
    }
    // Keys of other databases are not listed.
    client.expect("SELECT 1", &["+OK"]).await;
    client.expect("KEYS *", &["[]"]).await;
    client.expect("DBSIZE", &[":0"]).await;
}

async fn scan_refuses_wrong_arguments(server: Server) {
    let mut client = server.raw3().await;
    for (command, reply) in [
        ("SCAN x", "-ERR invalid cursor"),
        ("SCAN 99999999999999999999", "-ERR invalid cursor"),
        ("SCAN 0 MATCH", "-ERR syntax error"),
        ("SCAN 0 FOO 1", "-ERR syntax error"),
        ("SCAN 0 COUNT 0", "-ERR syntax error"),
        (
            "SCAN 0 COUNT x",
            "-ERR value is not an integer or out of range",
        ),
    ] {
        client.expect(command, &[reply]).await;
    }
}

async fn commands_on_another_type_are_refused(server: Server) {
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    let mut listener = listener(&server).await;
    let mut client = server.raw3().await;
    client.expect("SET string 1", &["+OK"]).await;
    client.expect("HSET hash a 1", &[":1"]).await;
    events(&mut listener).await;
    for command in [
        "GET hash",
        "GETSET hash 1",
        "GETDEL hash",
        "GETEX hash",
        "SET hash 1 GET",
        "APPEND hash 1",
        "STRLEN hash",
        "INCR hash",
        "DECRBY hash 1",
        "HSET string a 1",
        "HMSET string a 1",
        "HSETNX string a 1",
        "HGET string a",
        "HMGET string a",
        "HGETALL string",
        "HKEYS string",
        "HVALS string",
        "HLEN string",
        "HEXISTS string a",
        "HDEL string a",
        "HINCRBY string a 1",
        "LPUSH string a",
        "RPUSH string a",
        "LPOP string",
        "RPOP string 1",
        "LRANGE string 0 -1",
        "LTRIM string 0 -1",
        "LLEN string",
        "LINDEX string 0",
        "LSET string 0 a",
        "LREM string 0 a",
        "SADD string a",
        "SREM string a",
        "SMEMBERS string",
        "SISMEMBER string a",
        "SMISMEMBER string a",
        "SCARD string",
        "ZADD string 1 a",
        "ZINCRBY string 1 a",
        "ZREM string a",
        "ZSCORE string a",
        "ZMSCORE string a",
        "ZCARD string",
        "ZRANK string a",
        "ZREVRANK string a",
        "ZPOPMIN string",
        "ZPOPMAX string 1",
        "ZRANGE string 0 -1",
        "ZREVRANGE string 0 -1",
        "ZRANGEBYSCORE string 0 1",
        "ZREVRANGEBYSCORE string 1 0",
        "ZCOUNT string 0 1",
        "ZREMRANGEBYSCORE string 0 1",
        "ZREMRANGEBYRANK string 0 1",
    ] {
        client.expect(command, &[wrong_type]).await;
        assert_eq!(events(&mut listener).await, "", "the events of {command}");
    }
    client.expect("MGET hash string", &["[_ \"1\"]"]).await;
    client.expect("HGETALL hash", &[r#"{"a" "1"}"#]).await;
}

async fn set_replaces_a_value_of_any_type(server: Server) {
    replies_and_events(
        &server,
        &[
            ("HSET a f 1", ":1", "hset a"),
            ("SET a 1", "+OK", "set a"),
            ("GET a", "\"1\"", ""),
            ("SADD b m", ":1", "sadd b"),
            ("MSET b 2", "+OK", "set b"),
            ("TYPE b", "+string", ""),
        ],
    )
    .await;
}

async fn missing_keys_are_reported_to_readers_only(server: Server) {
    replies_and_events(
        &server,
        &[
            ("TTL a", ":-2", "keymiss a"),
            ("PTTL a", ":-2", "keymiss a"),
            ("TYPE a", "+none", "keymiss a"),
            ("EXISTS a a", ":0", "keymiss a, keymiss a"),
            ("PERSIST a", ":0", ""),
            ("EXPIRE a 100", ":0", ""),
            ("DEL a", ":0", ""),
            ("UNLINK a", ":0", ""),
            ("KEYS a", "[]", ""),
        ],
    )
    .await;
}

async fn the_first_write_of_every_type_is_a_new_key(server: Server) {
    let mut listener = listener(&server).await;
    server.set_key_events("En").await;
    let mut client = server.raw3().await;
    for (command, reply) in ONE_OF_EACH {
        client.expect(command, &[reply]).await;
    }
    for command in [
        "HSET hash b 1",
        "SADD set b",
        "APPEND string 1",
        "INCR counter",
    ] {
        client.ask(command).await;
    }
    // A key that would hold nothing is not created.
    client.expect("ZADD none XX 1 a", &[":0"]).await;
    assert_eq!(
        events(&mut listener).await,
        "new string, new hash, new list, new set, new zset, new counter"
    );
}
