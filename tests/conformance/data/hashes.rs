//! Hashes. The fields are set in the order of their bytes, which is the order that the broker keeps;
//! the servers keep that of small hashes as it was set.

use tests::harness::Test;
use tests::{Server, tests};

use super::{replies_and_events, replies_in_resp2};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        fields_are_set_and_read,
        fields_are_counted,
        a_hash_ends_with_its_last_field,
        hashes_reply_in_resp2,
        hashes_refuse_a_wrong_number_of_arguments,
    ]
}

async fn fields_are_set_and_read(server: Server) {
    replies_and_events(
        &server,
        &[
            ("HSET h a 1 b 2", ":2", "hset h"),
            ("HSET h b 3 c 4", ":1", "hset h"),
            ("HSET h c 4", ":0", "hset h"),
            ("HMSET h d 5", "+OK", "hset h"),
            ("HSETNX h a 9", ":0", ""),
            ("HSETNX h e 6", ":1", "hset h"),
            ("HSETNX new a 1", ":1", "hset new"),
            ("HGET h b", "\"3\"", ""),
            ("HGET h none", "_", ""),
            ("HGET none a", "_", "keymiss none"),
            ("HMGET h a none c", r#"["1" _ "4"]"#, ""),
            ("HMGET none a b", "[_ _]", "keymiss none"),
            (
                "HGETALL h",
                r#"{"a" "1" "b" "3" "c" "4" "d" "5" "e" "6"}"#,
                "",
            ),
            ("HGETALL none", "{}", "keymiss none"),
            ("HKEYS h", r#"["a" "b" "c" "d" "e"]"#, ""),
            ("HVALS h", r#"["1" "3" "4" "5" "6"]"#, ""),
            ("HKEYS none", "[]", "keymiss none"),
            ("HVALS none", "[]", "keymiss none"),
            ("HLEN h", ":5", ""),
            ("HLEN none", ":0", "keymiss none"),
            ("HEXISTS h a", ":1", ""),
            ("HEXISTS h none", ":0", ""),
            ("HEXISTS none a", ":0", "keymiss none"),
        ],
    )
    .await;
}

async fn fields_are_counted(server: Server) {
    replies_and_events(
        &server,
        &[
            ("HINCRBY h n 5", ":5", "hincrby h"),
            ("HINCRBY h n -7", ":-2", "hincrby h"),
            ("HINCRBY h n 0", ":-2", "hincrby h"),
            ("HGET h n", "\"-2\"", ""),
            (
                "HINCRBY h n x",
                "-ERR value is not an integer or out of range",
                "",
            ),
            ("HSET h n abc", ":0", "hset h"),
            ("HINCRBY h n 1", "-ERR hash value is not an integer", ""),
            ("HSET h n 9223372036854775807", ":0", "hset h"),
            (
                "HINCRBY h n 1",
                "-ERR increment or decrement would overflow",
                "",
            ),
        ],
    )
    .await;
}

async fn a_hash_ends_with_its_last_field(server: Server) {
    replies_and_events(
        &server,
        &[
            ("HSET h a 1 b 2 c 3", ":3", "hset h"),
            ("EXPIRE h 100", ":1", "expire h"),
            ("HDEL h a none", ":1", "hdel h"),
            ("TTL h", ":100", ""),
            ("HDEL h a", ":0", ""),
            ("HDEL h b c", ":2", "hdel h, del h"),
            ("EXISTS h", ":0", "keymiss h"),
            ("HDEL h a", ":0", ""),
            // The next hash has no deadline.
            ("HSET h a 1", ":1", "hset h"),
            ("TTL h", ":-1", ""),
        ],
    )
    .await;
}

async fn hashes_reply_in_resp2(server: Server) {
    replies_in_resp2(
        &server,
        &[
            ("HSET h a 1 b 2", ":2"),
            ("HGETALL h", r#"["a" "1" "b" "2"]"#),
            ("HGETALL none", "[]"),
            ("HMGET h a none", r#"["1" $-1]"#),
            ("HGET none a", "$-1"),
        ],
    )
    .await;
}

async fn hashes_refuse_a_wrong_number_of_arguments(server: Server) {
    let mut client = server.raw3().await;
    for (command, name) in [
        ("HSET h", "hset"),
        ("HSET h a", "hset"),
        ("HSET h a 1 b", "hset"),
        ("HMSET h a 1 b", "hmset"),
        ("HGET h", "hget"),
        ("HDEL h", "hdel"),
        ("HGETALL h a", "hgetall"),
    ] {
        let reply = format!("-ERR wrong number of arguments for '{name}' command");
        client.expect(command, &[reply]).await;
    }
    client.expect("EXISTS h", &[":0"]).await;
}
