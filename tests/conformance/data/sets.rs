//! Sets. Their order is not promised, so the tests list sets of one member, or sort the reply.

use tests::harness::Test;
use tests::{Server, tests};

use super::{replies_and_events, replies_in_resp2};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        members_are_added_and_removed,
        members_are_listed_as_a_set,
        sets_reply_in_resp2,
    ]
}

async fn members_are_added_and_removed(server: Server) {
    replies_and_events(
        &server,
        &[
            ("SADD s a b c a", ":3", "sadd s"),
            ("SADD s a", ":0", ""),
            ("SADD s a d", ":1", "sadd s"),
            ("SCARD s", ":4", ""),
            ("SCARD none", ":0", "keymiss none"),
            ("SISMEMBER s a", ":1", ""),
            ("SISMEMBER s z", ":0", ""),
            ("SISMEMBER none a", ":0", "keymiss none"),
            ("SMISMEMBER s a z d", "[:1 :0 :1]", ""),
            ("SMISMEMBER none a z", "[:0 :0]", "keymiss none"),
            ("EXPIRE s 100", ":1", "expire s"),
            ("SREM s a z", ":1", "srem s"),
            ("SREM s z", ":0", ""),
            ("SREM none a", ":0", ""),
            ("TTL s", ":100", ""),
            ("SREM s b c d", ":3", "srem s, del s"),
            ("EXISTS s", ":0", "keymiss s"),
            (
                "SADD s",
                "-ERR wrong number of arguments for 'sadd' command",
                "",
            ),
        ],
    )
    .await;
}

async fn members_are_listed_as_a_set(server: Server) {
    replies_and_events(
        &server,
        &[
            ("SMEMBERS s", "~[]", "keymiss s"),
            ("SADD s a", ":1", "sadd s"),
            ("SMEMBERS s", "~[\"a\"]", ""),
            ("SADD s b c", ":2", "sadd s"),
        ],
    )
    .await;
    let mut client = server.raw3().await;
    let members = client.ask("SMEMBERS s").await;
    let mut members: Vec<_> = members.trim_matches(['~', '[', ']']).split(' ').collect();
    members.sort_unstable();
    assert_eq!(members, ["\"a\"", "\"b\"", "\"c\""]);
}

async fn sets_reply_in_resp2(server: Server) {
    replies_in_resp2(
        &server,
        &[
            ("SMEMBERS s", "[]"),
            ("SADD s a", ":1"),
            ("SMEMBERS s", "[\"a\"]"),
        ],
    )
    .await;
}
