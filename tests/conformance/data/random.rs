//! Random commands from a fixed seed, on every server and on a broker side by side.

use redis_push::testing::Broker;
use tests::harness::Test;
use tests::{Server, tests};

use super::{events, listener};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![random_commands_do_the_same_as_on_the_broker]
}

/// Commands with places: `k` for a key, `w` for a word, `n` for a number, `s` for a score, `i` for an
/// index. Left out are commands on which the servers differ from one another (LTRIM, an EXPIRE in the
/// past), and those that depend on the time.
const COMMANDS: &[&str] = &[
    "SET k w",
    "SET k n NX",
    "SET k n XX GET",
    "SET k w EX 1000",
    "SET k n KEEPTTL",
    "GET k",
    "GETSET k w",
    "GETDEL k",
    "GETEX k EX 1000",
    "GETEX k PERSIST",
    "MGET k k k",
    "MSET k w k n",
    "SETNX k n",
    "APPEND k n",
    "STRLEN k",
    "INCR k",
    "INCRBY k n",
    "DECRBY k n",
    "DEL k",
    "UNLINK k k",
    "EXISTS k k",
    "TYPE k",
    "EXPIRE k 1000",
    "EXPIRE k 1000 NX",
    "EXPIRE k 1000 XX",
    "PERSIST k",
    "DBSIZE",
    "HSET k w n",
    "HSET k w w w n",
    "HSETNX k w w",
    "HGET k w",
    "HMGET k w w",
    "HGETALL k",
    "HKEYS k",
    "HVALS k",
    "HLEN k",
    "HEXISTS k w",
    "HDEL k w w",
    "HINCRBY k w n",
    "LPUSH k w w",
    "RPUSH k w n w",
    "LPOP k",
    "RPOP k 2",
    "LRANGE k i i",
    "LLEN k",
    "LINDEX k i",
    "LSET k i w",
    "LREM k i w",
    "SADD k w w",
    "SREM k w w",
    "SMEMBERS k",
    "SISMEMBER k w",
    "SMISMEMBER k w w",
    "SCARD k",
    "ZADD k s w s w",
    "ZADD k NX CH s w",
    "ZADD k XX s w s w",
    "ZADD k GT CH s w s w",
    "ZADD k LT s w",
    "ZADD k INCR s w",
    "ZADD k GT INCR s w",
    "ZINCRBY k s w",
    "ZREM k w w",
    "ZSCORE k w",
    "ZMSCORE k w w",
    "ZCARD k",
    "ZRANK k w",
    "ZREVRANK k w",
    "ZPOPMIN k",
    "ZPOPMAX k 2",
    "ZRANGE k i i WITHSCORES",
    "ZRANGE k i i REV",
    "ZRANGE k s s BYSCORE LIMIT i i",
    "ZRANGE k s s BYSCORE REV WITHSCORES",
    "ZREVRANGE k i i",
    "ZRANGEBYSCORE k (s s",
    "ZREVRANGEBYSCORE k s (s LIMIT 1 2",
    "ZCOUNT k (s s",
    "ZREMRANGEBYSCORE k s s",
    "ZREMRANGEBYRANK k i i",
    "MULTI",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH k k",
    "UNWATCH",
];

/// Commands whose replies list fields or members, in an order that servers are free to choose.
const UNORDERED: &[&str] = &["HGETALL", "HKEYS", "HVALS", "SMEMBERS", "EXEC"];

/// A reply as it is compared: the words of an unordered one are sorted.
fn comparable(command: &str, reply: &str) -> String {
    if !UNORDERED.iter().any(|name| command.starts_with(name)) {
        return reply.to_owned();
    }
    let mut words: Vec<_> = reply.split(['[', ']', '{', '}', ' ']).collect();
    words.sort_unstable();
    words.join(" ")
}

async fn random_commands_do_the_same_as_on_the_broker(server: Server) {
    let broker = Server::Broker(Broker::start().await.unwrap());
    let mut listeners = [listener(&broker).await, listener(&server).await];
    // Two clients on each server, for the keys that they watch.
    let mut clients = [
        [broker.raw3().await, broker.raw3().await],
        [server.raw3().await, server.raw3().await],
    ];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let mut is_queueing = [false; 2];
    let mut history = Vec::new();
    for _ in 0..4000 {
        let command: String = COMMANDS[random(COMMANDS.len())]
            .split(' ')
            .map(|place| {
                let exclusive = if place.starts_with('(') { "(" } else { "" };
                let word = match place.trim_start_matches('(') {
                    "k" => ["a", "b", "c", "d", "e"][random(5)],
                    "w" => ["x", "y", "z", "5", ""][random(5)],
                    "n" => ["1", "-7", "12", "word"][random(4)],
                    "s" => ["1", "1.5", "-2", "3", "inf"][random(5)],
                    "i" => ["0", "1", "2", "-1", "-2"][random(5)],
                    other => other,
                };
                format!("{exclusive}{word} ")
            })
            .collect();
        let command = command.strip_suffix(' ').unwrap_or(&command);
        let who = random(2);
        let name = command.split(' ').next().unwrap_or_default();
        match name {
            // Servers differ on these inside a transaction.
            "MULTI" | "WATCH" if is_queueing[who] => continue,
            "MULTI" => is_queueing[who] = true,
            "EXEC" | "DISCARD" => is_queueing[who] = false,
            _ => {}
        }
        history.push(format!("{who}: {command}"));
        let recent = &history[history.len().saturating_sub(12)..];
        let [here, there] = &mut clients;
        let (mine, theirs) = (here[who].ask(command).await, there[who].ask(command).await);
        assert_eq!(
            comparable(name, &mine),
            comparable(name, &theirs),
            "{recent:#?}"
        );
        let [here, there] = &mut listeners;
        let (mine, theirs) = (events(here).await, events(there).await);
        assert_eq!(mine, theirs, "the events of {recent:#?}");
    }
}
