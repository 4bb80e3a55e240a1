//! Lists.

use tests::harness::Test;
use tests::{Server, tests};

use super::{replies_and_events, replies_in_resp2};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        elements_are_pushed_and_read,
        elements_are_popped,
        a_list_is_trimmed,
        elements_are_replaced_and_removed,
        lists_reply_in_resp2,
        lists_refuse_wrong_arguments,
    ]
}

async fn elements_are_pushed_and_read(server: Server) {
    replies_and_events(
        &server,
        &[
            ("LPUSH l a b c", ":3", "lpush l"),
            ("RPUSH l d e", ":5", "rpush l"),
            ("LRANGE l 0 -1", r#"["c" "b" "a" "d" "e"]"#, ""),
            ("LRANGE l 1 2", r#"["b" "a"]"#, ""),
            ("LRANGE l -2 -1", r#"["d" "e"]"#, ""),
            ("LRANGE l -100 100", r#"["c" "b" "a" "d" "e"]"#, ""),
            ("LRANGE l 5 9", "[]", ""),
            ("LRANGE l 3 1", "[]", ""),
            ("LRANGE none 0 -1", "[]", "keymiss none"),
            ("LLEN l", ":5", ""),
            ("LLEN none", ":0", "keymiss none"),
            ("LINDEX l 0", "\"c\"", ""),
            ("LINDEX l -1", "\"e\"", ""),
            ("LINDEX l 5", "_", ""),
            ("LINDEX l -6", "_", ""),
            ("LINDEX none 0", "_", "keymiss none"),
        ],
    )
    .await;
}

async fn elements_are_popped(server: Server) {
    replies_and_events(
        &server,
        &[
            ("RPUSH l a b c d e f", ":6", "rpush l"),
            ("LPOP l", "\"a\"", "lpop l"),
            ("RPOP l", "\"f\"", "rpop l"),
            ("LPOP l 2", r#"["b" "c"]"#, "lpop l"),
            ("LPOP l 0", "[]", ""),
            ("RPOP l 100", r#"["e" "d"]"#, "rpop l, del l"),
            ("LPOP l", "_", ""),
            ("LPOP l 2", "_", ""),
            ("EXISTS l", ":0", "keymiss l"),
        ],
    )
    .await;
}

async fn a_list_is_trimmed(server: Server) {
    replies_and_events(
        &server,
        &[
            ("RPUSH l a b c d", ":4", "rpush l"),
            ("LTRIM l 1 -2", "+OK", "ltrim l"),
            ("LRANGE l 0 -1", r#"["b" "c"]"#, ""),
            ("LTRIM l 0 9", "+OK", "ltrim l"),
            ("LTRIM l 5 9", "+OK", "ltrim l, del l"),
            ("LTRIM l 0 9", "+OK", ""),
            ("EXISTS l", ":0", "keymiss l"),
        ],
    )
    .await;
}

async fn elements_are_replaced_and_removed(server: Server) {
    replies_and_events(
        &server,
        &[
            ("RPUSH l a b c a b a", ":6", "rpush l"),
            ("LREM l 2 a", ":2", "lrem l"),
            ("LRANGE l 0 -1", r#"["b" "c" "b" "a"]"#, ""),
            ("LREM l -1 b", ":1", "lrem l"),
            ("LRANGE l 0 -1", r#"["b" "c" "a"]"#, ""),
            ("LREM l 0 none", ":0", ""),
            ("LREM none 0 a", ":0", ""),
            ("LSET l 0 a", "+OK", "lset l"),
            ("LSET l -2 a", "+OK", "lset l"),
            ("LSET l 3 a", "-ERR index out of range", ""),
            ("LSET none 0 a", "-ERR no such key", ""),
            ("LREM l 0 a", ":3", "lrem l, del l"),
        ],
    )
    .await;
}

async fn lists_reply_in_resp2(server: Server) {
    replies_in_resp2(
        &server,
        &[
            ("LPOP none", "$-1"),
            ("LPOP none 2", "*-1"),
            ("LINDEX none 0", "$-1"),
            ("RPUSH l a", ":1"),
            ("LPOP l 2", "[\"a\"]"),
        ],
    )
    .await;
}

async fn lists_refuse_wrong_arguments(server: Server) {
    let not_a_number = "-ERR value is not an integer or out of range";
    let not_positive = "-ERR value is out of range, must be positive";
    let mut client = server.raw3().await;
    client.expect("RPUSH l a", &[":1"]).await;
    for (command, reply) in [
        ("LRANGE l a b", not_a_number),
        ("LTRIM l 0 b", not_a_number),
        ("LINDEX l x", not_a_number),
        ("LSET l x a", not_a_number),
        ("LREM l x a", not_a_number),
        ("LPOP l -1", not_positive),
        ("RPOP l x", not_positive),
        (
            "LPOP l 1 2",
            "-ERR wrong number of arguments for 'lpop' command",
        ),
        (
            "LPUSH l",
            "-ERR wrong number of arguments for 'lpush' command",
        ),
        ("LLEN l", ":1"),
    ] {
        client.expect(command, &[reply]).await;
    }
}
