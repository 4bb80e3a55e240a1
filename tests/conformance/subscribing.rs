//! Subscribing and unsubscribing: every confirmation, in order, with its count.

use tests::harness::Test;
use tests::{Server, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        each_name_is_confirmed_in_order,
        a_name_twice_is_confirmed_twice_and_counted_once,
        sharded_channels_are_counted_separately,
        unsubscribing_is_confirmed_also_from_what_was_never_subscribed,
        unsubscribing_from_everything_confirms_each_name_or_one_null,
        resp2_confirms_with_arrays,
        pubsub_lists_the_subscriptions,
        names_may_hold_any_byte,
        many_names_in_one_command_are_all_confirmed,
        a_closed_connection_is_unsubscribed,
    ]
}

async fn each_name_is_confirmed_in_order(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect(
            "SUBSCRIBE b a c",
            &[
                r#">["subscribe" "b" :1]"#,
                r#">["subscribe" "a" :2]"#,
                r#">["subscribe" "c" :3]"#,
            ],
        )
        .await;
    client
        .expect(
            "PSUBSCRIBE b* a*",
            &[r#">["psubscribe" "b*" :4]"#, r#">["psubscribe" "a*" :5]"#],
        )
        .await;
    client
        .expect(
            "UNSUBSCRIBE c b",
            &[r#">["unsubscribe" "c" :4]"#, r#">["unsubscribe" "b" :3]"#],
        )
        .await;
    client
        .expect("PUNSUBSCRIBE a*", &[r#">["punsubscribe" "a*" :2]"#])
        .await;
}

async fn a_name_twice_is_confirmed_twice_and_counted_once(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect(
            "SUBSCRIBE a b a",
            &[
                r#">["subscribe" "a" :1]"#,
                r#">["subscribe" "b" :2]"#,
                r#">["subscribe" "a" :2]"#,
            ],
        )
        .await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :2]"#])
        .await;
    client
        .expect(
            "PSUBSCRIBE a a",
            &[r#">["psubscribe" "a" :3]"#, r#">["psubscribe" "a" :3]"#],
        )
        .await;
    client
        .expect(
            "SSUBSCRIBE a a",
            &[r#">["ssubscribe" "a" :1]"#, r#">["ssubscribe" "a" :1]"#],
        )
        .await;
    let mut other = server.raw3().await;
    other.expect("PUBLISH a 1", &[":2"]).await;
    client
        .hears(&[r#">["message" "a" "1"]"#, r#">["pmessage" "a" "a" "1"]"#])
        .await;
    client
        .expect(
            "UNSUBSCRIBE a a",
            &[r#">["unsubscribe" "a" :2]"#, r#">["unsubscribe" "a" :2]"#],
        )
        .await;
}

async fn sharded_channels_are_counted_separately(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    client
        .expect(
            "SSUBSCRIBE a b",
            &[r#">["ssubscribe" "a" :1]"#, r#">["ssubscribe" "b" :2]"#],
        )
        .await;
    client
        .expect("PSUBSCRIBE a", &[r#">["psubscribe" "a" :2]"#])
        .await;
    client
        .expect("SUNSUBSCRIBE a", &[r#">["sunsubscribe" "a" :1]"#])
        .await;
    client
        .expect("UNSUBSCRIBE a", &[r#">["unsubscribe" "a" :1]"#])
        .await;
}

async fn unsubscribing_is_confirmed_also_from_what_was_never_subscribed(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("UNSUBSCRIBE x", &[r#">["unsubscribe" "x" :0]"#])
        .await;
    client
        .expect("PUNSUBSCRIBE x", &[r#">["punsubscribe" "x" :0]"#])
        .await;
    client
        .expect("SUNSUBSCRIBE x", &[r#">["sunsubscribe" "x" :0]"#])
        .await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    client
        .expect(
            "UNSUBSCRIBE x a",
            &[r#">["unsubscribe" "x" :1]"#, r#">["unsubscribe" "a" :0]"#],
        )
        .await;
}

async fn unsubscribing_from_everything_confirms_each_name_or_one_null(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("UNSUBSCRIBE", &[r#">["unsubscribe" _ :0]"#])
        .await;
    client
        .expect("PUNSUBSCRIBE", &[r#">["punsubscribe" _ :0]"#])
        .await;
    client
        .expect("SUNSUBSCRIBE", &[r#">["sunsubscribe" _ :0]"#])
        .await;
    client
        .expect("PSUBSCRIBE p", &[r#">["psubscribe" "p" :1]"#])
        .await;
    client
        .expect("UNSUBSCRIBE", &[r#">["unsubscribe" _ :1]"#])
        .await;
    client
        .expect(
            "SUBSCRIBE a b",
            &[r#">["subscribe" "a" :2]"#, r#">["subscribe" "b" :3]"#],
        )
        .await;
    client.say("UNSUBSCRIBE").await;
    let frames = client.until_fence().await;
    // The order depends on the server. The counts decrease.
    let orders = [
        [r#">["unsubscribe" "a" :2]"#, r#">["unsubscribe" "b" :1]"#],
        [r#">["unsubscribe" "b" :2]"#, r#">["unsubscribe" "a" :1]"#],
    ];
    assert!(orders.iter().any(|order| frames == order), "{frames:?}");
    client
        .expect("PUNSUBSCRIBE", &[r#">["punsubscribe" "p" :0]"#])
        .await;
}

async fn resp2_confirms_with_arrays(server: Server) {
    let mut client = server.raw().await;
    client
        .expect("UNSUBSCRIBE", &[r#"["unsubscribe" $-1 :0]"#])
        .await;
    client
        .expect(
            "SUBSCRIBE a b",
            &[r#"["subscribe" "a" :1]"#, r#"["subscribe" "b" :2]"#],
        )
        .await;
    client
        .expect("PSUBSCRIBE a*", &[r#"["psubscribe" "a*" :3]"#])
        .await;
    client
        .expect("SSUBSCRIBE a", &[r#"["ssubscribe" "a" :1]"#])
        .await;
    let mut other = server.raw().await;
    other.expect("PUBLISH a 1", &[":2"]).await;
    other.expect("SPUBLISH a 2", &[":1"]).await;
    client
        .hears(&[
            r#"["message" "a" "1"]"#,
            r#"["pmessage" "a*" "a" "1"]"#,
            r#"["smessage" "a" "2"]"#,
        ])
        .await;
}

async fn pubsub_lists_the_subscriptions(server: Server) {
    let mut client = server.raw3().await;
    let mut other = server.raw3().await;
    client.expect("PUBSUB NUMSUB", &["[]"]).await;
    client.expect("PUBSUB CHANNELS", &["[]"]).await;
    client.expect("PUBSUB NUMPAT", &[":0"]).await;
    client
        .expect(
            "SUBSCRIBE aa ab",
            &[r#">["subscribe" "aa" :1]"#, r#">["subscribe" "ab" :2]"#],
        )
        .await;
    client
        .expect(
            "PSUBSCRIBE a* b*",
            &[r#">["psubscribe" "a*" :3]"#, r#">["psubscribe" "b*" :4]"#],
        )
        .await;
    client
        .expect("SSUBSCRIBE sa", &[r#">["ssubscribe" "sa" :1]"#])
        .await;
    other
        .expect("SUBSCRIBE aa", &[r#">["subscribe" "aa" :1]"#])
        .await;
    other
        .expect("PSUBSCRIBE a*", &[r#">["psubscribe" "a*" :2]"#])
        .await;
    other
        .expect(
            "PUBSUB NUMSUB aa ab x aa",
            &[r#"["aa" :2 "ab" :1 "x" :0 "aa" :2]"#],
        )
        .await;
    other.expect("PUBSUB NUMPAT", &[":2"]).await;
    other.expect("PUBSUB CHANNELS ?b", &[r#"["ab"]"#]).await;
    other.expect("PUBSUB CHANNELS s*", &["[]"]).await;
    other.expect("PUBSUB SHARDCHANNELS", &[r#"["sa"]"#]).await;
    other.expect("PUBSUB SHARDCHANNELS a*", &["[]"]).await;
    other
        .expect("PUBSUB SHARDNUMSUB sa aa", &[r#"["sa" :1 "aa" :0]"#])
        .await;
}

async fn names_may_hold_any_byte(server: Server) {
    let mut client = server.raw3().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let shown = every_byte.escape_ascii().to_string();
    client.say_words(&[b"SUBSCRIBE", &every_byte[..]]).await;
    client
        .hears(&[format!(">[\"subscribe\" \"{shown}\" :1]")])
        .await;
    client.say_words(&["SUBSCRIBE", ""]).await;
    client.hears(&[r#">["subscribe" "" :2]"#]).await;
    let mut other = server.raw3().await;
    other
        .say_words(&[b"PUBLISH", &every_byte[..], &every_byte])
        .await;
    other.hears(&[":1"]).await;
    client
        .hears(&[format!(">[\"message\" \"{shown}\" \"{shown}\"]")])
        .await;
    other.say_words(&["PUBLISH", "", ""]).await;
    other.hears(&[":1"]).await;
    client.hears(&[r#">["message" "" ""]"#]).await;
}

async fn many_names_in_one_command_are_all_confirmed(server: Server) {
    let mut client = server.raw3().await;
    let names: Vec<String> = (0..5000).map(|n| format!("channel:{n}")).collect();
    let expected: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(n, name)| format!(">[\"subscribe\" \"{name}\" :{}]", n + 1))
        .collect();
    client
        .expect(&format!("SUBSCRIBE {}", names.join(" ")), &expected)
        .await;
}

async fn a_closed_connection_is_unsubscribed(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    server.wait_for_subscribers_of("a", 1).await;
    drop(client);
    server.wait_for_subscribers_of("a", 0).await;
    assert_eq!(server.publish("a", "1").await, 0);
}
