//! What the commands mean to a client that tracks by key.

use tests::harness::Test;
use tests::{Server, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        an_invalidation_precedes_or_follows_the_event_as_in_the_server,
        every_command_that_only_reads_makes_the_key_tracked,
    ]
}

/// What a client receives that tracks a key and its events: `I` stands for the invalidation.
async fn an_invalidation_precedes_or_follows_the_event_as_in_the_server(server: Server) {
    server.set_key_events("E$lshzxg").await;
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client.expect("CLIENT TRACKING ON", &["+OK"]).await;
    client
        .expect(
            "PSUBSCRIBE __keyevent@0__:*",
            &[r#">["psubscribe" "__keyevent@0__:*" :1]"#],
        )
        .await;
    for (before, command, expected) in [
        ("", "SET k 1", "I set"),
        ("", "SET k 1 EX 100", "I set expire"),
        ("", "SETEX k 100 1", "I set expire"),
        ("", "MSET k 1", "I set"),
        ("", "INCR k", "I incrby"),
        ("", "APPEND k 1", "I append"),
        ("SET k 1", "GETSET k 1", "I set"),
        ("SET k 1", "GETDEL k", "I del"),
        ("SET k 1", "GETEX k EX 100", "I expire"),
        ("SET k 1 EX 100", "GETEX k PERSIST", "I persist"),
        ("SET k 1", "DEL k", "I del"),
        ("SET k 1", "EXPIRE k 100", "I expire"),
        ("SET k 1 EX 100", "PERSIST k", "I persist"),
        ("", "HSET k a 1", "I hset"),
        ("HSET k a 1", "HSET k a 1", "I hset"),
        ("", "HINCRBY k a 1", "I hincrby"),
        ("HSET k a 1 b 2", "HDEL k a", "I hdel"),
        ("HSET k a 1", "HDEL k a", "I hdel del"),
        ("", "SADD k a", "I sadd"),
        ("SADD k a", "SADD k a", ""),
        ("SADD k a", "SREM k a", "I srem del"),
        ("", "LPUSH k a", "I lpush"),
        ("RPUSH k a b", "LPOP k", "lpop I"),
        ("RPUSH k a", "RPOP k", "rpop del I"),
        ("RPUSH k a b", "LTRIM k 0 0", "ltrim I"),
        ("RPUSH k a", "LTRIM k 5 9", "ltrim del I"),
        ("RPUSH k a", "LSET k 0 b", "I lset"),
        ("", "ZADD k 1 a", "I zadd"),
        ("ZADD k 1 a", "ZADD k 1 a", ""),
        ("ZADD k 1 a", "ZINCRBY k 1 a", "I zincr"),
        ("ZADD k 1 a", "ZREM k a", "zrem del I"),
        ("ZADD k 1 a 2 b", "ZPOPMIN k", "zpopmin I"),
        (
            "ZADD k 1 a",
            "ZREMRANGEBYSCORE k 0 1",
            "I zremrangebyscore del",
        ),
    ] {
        writer.expect("FLUSHALL", &["+OK"]).await;
        if !before.is_empty() {
            writer.ask(before).await;
        }
        client.say("EXISTS k").await;
        client.until_fence().await;
        writer.ask(command).await;
        let frames = client.until_fence().await;
        let heard = frames.iter().map(|frame| match frame.as_str() {
            r#">["invalidate" ["k"]]"# => "I",
            event => {
                let event = event
                    .rsplit_once("@0__:")
                    .and_then(|(_, rest)| rest.split_once('"'));
                event.expect("a key event").0
            }
        });
        let heard: Vec<_> = heard.collect();
        assert_eq!(heard.join(" "), expected, "{before}, {command}");
    }
}

async fn every_command_that_only_reads_makes_the_key_tracked(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client.expect("CLIENT TRACKING ON", &["+OK"]).await;
    for (command, key) in [
        ("GET k", "k"),
        ("MGET other k", "k"),
        ("STRLEN k", "k"),
        ("EXISTS k", "k"),
        ("TYPE k", "k"),
        ("TTL k", "k"),
        ("HGET h a", "h"),
        ("HMGET h a", "h"),
        ("HGETALL h", "h"),
        ("HKEYS h", "h"),
        ("HLEN h", "h"),
        ("HEXISTS h a", "h"),
        ("LRANGE l 0 -1", "l"),
        ("LLEN l", "l"),
        ("LINDEX l 0", "l"),
        ("SMEMBERS s", "s"),
        ("SISMEMBER s a", "s"),
        ("SMISMEMBER s a", "s"),
        ("SCARD s", "s"),
        ("ZSCORE z a", "z"),
        ("ZMSCORE z a", "z"),
        ("ZCARD z", "z"),
        ("ZRANK z a", "z"),
        ("ZRANGE z 0 -1", "z"),
        ("ZRANGEBYSCORE z 0 1", "z"),
        ("ZCOUNT z 0 1", "z"),
    ] {
        client.say(command).await;
        client.until_fence().await;
        writer.ask(&format!("SET {key} 1")).await;
        let expected = format!(">[\"invalidate\" [\"{key}\"]]");
        assert_eq!(client.until_fence().await, [expected], "{command}");
        writer.expect(&format!("DEL {key}"), &[":1"]).await;
    }
    // Commands that reply with a value and change it do not count as reading.
    writer.expect("SET k 1", &["+OK"]).await;
    client.expect("SET k 2 GET", &["\"1\""]).await;
    client.expect("GETSET k 3", &["\"2\""]).await;
    writer.expect("SET k 4", &["+OK"]).await;
    client.expect("PING", &["+PONG"]).await;
}
