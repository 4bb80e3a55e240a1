//! Strings and counters.

use tests::harness::Test;
use tests::{Server, tests};

use super::{replies_and_events, replies_in_resp2};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        strings_are_set_and_read,
        set_returns_the_old_value_on_request,
        counters_count,
        counters_refuse_what_is_not_a_number,
        deadlines_survive_changes_in_place,
        strings_reply_in_resp2,
    ]
}

pub(crate) fn since_7() -> Vec<Test<(Server,)>> {
    tests![
        set_with_nx_returns_the_old_value,
        wrong_arguments_are_refused_in_the_words_of_redis_7,
    ]
}

async fn strings_are_set_and_read(server: Server) {
    replies_and_events(
        &server,
        &[
            ("SET a 1", "+OK", "set a"),
            ("SETNX a 2", ":0", ""),
            ("SETNX b 2", ":1", "set b"),
            ("GET b", "\"2\"", ""),
            ("GET none", "_", "keymiss none"),
            ("MSET a 3 c 4 a 5", "+OK", "set a, set c, set a"),
            ("MGET a none c", r#"["5" _ "4"]"#, "keymiss none"),
            ("GETSET a 6", "\"5\"", "set a"),
            ("GETSET d 7", "_", "keymiss d, set d"),
            ("GETDEL d", "\"7\"", "del d"),
            ("GETDEL d", "_", "keymiss d"),
            ("APPEND a 00", ":3", "append a"),
            ("APPEND e x", ":1", "append e"),
            ("STRLEN a", ":3", ""),
            ("STRLEN none", ":0", "keymiss none"),
            ("SETEX a 100 x", "+OK", "set a, expire a"),
            ("PSETEX a 100000 y", "+OK", "set a, expire a"),
            ("TTL a", ":100", ""),
            ("GETEX a", "\"y\"", ""),
            ("GETEX a PERSIST", "\"y\"", "persist a"),
            ("GETEX a PERSIST", "\"y\"", ""),
            ("GETEX a EX 100", "\"y\"", "expire a"),
            ("GETEX a PX 200000", "\"y\"", "expire a"),
            ("TTL a", ":200", ""),
            ("GETEX none EX 100", "_", "keymiss none"),
            ("GETEX a EX", "-ERR syntax error", ""),
            ("GETEX a FOO", "-ERR syntax error", ""),
            ("GETEX a EX 100 PERSIST", "-ERR syntax error", ""),
            (
                "SETEX a x v",
                "-ERR value is not an integer or out of range",
                "",
            ),
        ],
    )
    .await;
}

async fn set_returns_the_old_value_on_request(server: Server) {
    replies_and_events(
        &server,
        &[
            ("SET a 1 GET", "_", "keymiss a, set a"),
            ("SET a 2 GET EX 100", "\"1\"", "set a, expire a"),
            ("SET a 3 KEEPTTL GET XX", "\"2\"", "set a"),
            ("TTL a", ":100", ""),
        ],
    )
    .await;
}

async fn set_with_nx_returns_the_old_value(server: Server) {
    replies_and_events(
        &server,
        &[
            ("SET a 1 NX GET", "_", "keymiss a, set a"),
            ("SET a 2 GET NX", "\"1\"", ""),
            ("SET b 1 XX GET", "_", "keymiss b"),
            ("GET a", "\"1\"", ""),
        ],
    )
    .await;
}

async fn counters_count(server: Server) {
    replies_and_events(
        &server,
        &[
            ("INCR n", ":1", "incrby n"),
            ("INCRBY n 10", ":11", "incrby n"),
            ("INCRBY n -3", ":8", "incrby n"),
            ("DECR n", ":7", "incrby n"),
            ("DECRBY n 9", ":-2", "incrby n"),
            ("GET n", "\"-2\"", ""),
            ("INCRBY n 0", ":-2", "incrby n"),
            ("TYPE n", "+string", ""),
        ],
    )
    .await;
}

async fn counters_refuse_what_is_not_a_number(server: Server) {
    let not_a_number = "-ERR value is not an integer or out of range";
    let overflow = "-ERR increment or decrement would overflow";
    let mut client = server.raw3().await;
    for text in ["abc", "", "01", "+1", "1.5", "9223372036854775808"] {
        client.say_words(&["SET", "n", text]).await;
        client.hears(&["+OK"]).await;
        client.expect("INCR n", &[not_a_number]).await;
    }
    for (command, reply) in [
        ("SET n 9223372036854775807", "+OK"),
        ("INCR n", overflow),
        ("DECRBY n -1", overflow),
        ("DECR n", ":9223372036854775806"),
        ("SET n -9223372036854775808", "+OK"),
        ("DECR n", overflow),
        ("INCRBY n x", not_a_number),
        ("DECRBY n 1.5", not_a_number),
        ("GET n", "\"-9223372036854775808\""),
    ] {
        client.expect(command, &[reply]).await;
    }
}

async fn deadlines_survive_changes_in_place(server: Server) {
    replies_and_events(
        &server,
        &[
            ("SET a 1 EX 100", "+OK", "set a, expire a"),
            ("INCR a", ":2", "incrby a"),
            ("APPEND a 0", ":2", "append a"),
            ("SETNX a 1", ":0", ""),
            ("TTL a", ":100", ""),
            ("GETSET a 1", "\"20\"", "set a"),
            ("TTL a", ":-1", ""),
            ("SET a 1 EX 100", "+OK", "set a, expire a"),
            ("MSET a 2", "+OK", "set a"),
            ("TTL a", ":-1", ""),
        ],
    )
    .await;
}

async fn strings_reply_in_resp2(server: Server) {
    replies_in_resp2(
        &server,
        &[
            ("SET a 1 GET", "$-1"),
            ("MGET a none", r#"["1" $-1]"#),
            ("GETDEL a", "\"1\""),
            ("GETDEL a", "$-1"),
        ],
    )
    .await;
}

async fn wrong_arguments_are_refused_in_the_words_of_redis_7(server: Server) {
    let mut client = server.raw3().await;
    client.expect("SET a 1", &["+OK"]).await;
    for (command, reply) in [
        (
            "MSET a 1 b",
            "-ERR wrong number of arguments for 'mset' command",
        ),
        ("SETEX a 0 v", "-ERR invalid expire time in 'setex' command"),
        (
            "PSETEX a -1 v",
            "-ERR invalid expire time in 'psetex' command",
        ),
        (
            "GETEX a EX 0",
            "-ERR invalid expire time in 'getex' command",
        ),
        (
            "DECRBY a -9223372036854775808",
            "-ERR decrement would overflow",
        ),
    ] {
        client.expect(command, &[reply]).await;
    }
}
