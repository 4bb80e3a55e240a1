//! Client-side caching: which client receives an invalidation, and when.

use tests::harness::Test;
use tests::{Server, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        a_change_invalidates_by_prefix,
        pipelined_changes_are_sent_together,
        a_client_receives_its_own_changes_unless_it_sets_noloop,
        a_flush_invalidates_everything,
        a_key_event_comes_before_its_invalidation,
        an_expiry_invalidates,
        prefixes_may_not_overlap,
        tracking_is_refused_in_the_servers_words,
        tracking_ends_when_it_is_switched_off,
        a_client_can_read_what_it_tracks,
        an_unsubscribe_from_nothing_is_a_fence_after_invalidations,
        a_key_that_was_read_is_invalidated_once,
        resp2_receives_nothing,
    ]
}

fn invalidate(keys: &[&str]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("\"{key}\"")).collect();
    format!(">[\"invalidate\" [{}]]", keys.join(" "))
}

const EVERYTHING: &str = r#">["invalidate" _]"#;

async fn a_change_invalidates_by_prefix(server: Server) {
    let mut client = server.raw3().await;
    let mut everything = server.raw3().await;
    let mut writer = server.raw3().await;
    client
        .expect(
            "CLIENT TRACKING ON BCAST PREFIX user: PREFIX item:",
            &["+OK"],
        )
        .await;
    everything
        .expect("CLIENT TRACKING ON BCAST", &["+OK"])
        .await;
    for (command, answer, received) in [
        ("SET user:1 a", "+OK", Some("user:1")),
        ("SET user:1 a", "+OK", Some("user:1")),
        ("SET other:1 a", "+OK", None),
        ("SET user a", "+OK", None),
        ("SET item:1 a EX 100", "+OK", Some("item:1")),
        ("EXPIRE item:1 50", ":1", Some("item:1")),
        ("PERSIST item:1", ":1", Some("item:1")),
        ("DEL item:1 item:2", ":1", Some("item:1")),
        ("GET user:1", "\"a\"", None),
        ("SET user:1 b NX", "_", None),
    ] {
        writer.expect(command, &[answer]).await;
        let expected: Vec<_> = received.iter().map(|key| invalidate(&[key])).collect();
        assert_eq!(client.until_fence().await, expected, "{command}");
    }
    let received = everything.until_fence().await;
    assert_eq!(received.len(), 8, "{received:?}");
    assert_eq!(received[2], invalidate(&["other:1"]));
}

async fn pipelined_changes_are_sent_together(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client
        .expect("CLIENT TRACKING ON BCAST PREFIX u: PREFIX a:", &["+OK"])
        .await;
    writer
        .send(b"SET u:2 x\r\nSET a:1 x\r\nSET z x\r\nSET u:1 x\r\nSET u:2 y\r\n")
        .await;
    writer.hears(&["+OK"; 5]).await;
    // In the order of prefixes, and within a prefix in the order of keys.
    client
        .hears(&[invalidate(&["a:1"]), invalidate(&["u:1", "u:2"])])
        .await;
    client.expect("PING", &["+PONG"]).await;
}

async fn a_client_receives_its_own_changes_unless_it_sets_noloop(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client
        .expect("CLIENT TRACKING ON BCAST PREFIX u:", &["+OK"])
        .await;
    client.say("SET u:1 x").await;
    client
        .hears(&["+OK".to_owned(), invalidate(&["u:1"])])
        .await;
    // The last command decides on NOLOOP.
    client
        .expect("CLIENT TRACKING ON BCAST NOLOOP PREFIX i:", &["+OK"])
        .await;
    client.say("SET u:1 x").await;
    client.hears(&["+OK"]).await;
    client.expect("SET i:1 x", &["+OK"]).await;
    writer.expect("SET u:2 x", &["+OK"]).await;
    client.hears(&[invalidate(&["u:2"])]).await;
    client.expect("PING", &["+PONG"]).await;
}

async fn a_flush_invalidates_everything(server: Server) {
    let mut by_prefix = server.raw3().await;
    let mut by_key = server.raw3().await;
    let mut plain = server.raw3().await;
    let mut writer = server.raw3().await;
    by_prefix
        .expect("CLIENT TRACKING ON BCAST NOLOOP PREFIX u:", &["+OK"])
        .await;
    by_key.expect("CLIENT TRACKING ON", &["+OK"]).await;
    for command in ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC", "FLUSHDB SYNC"] {
        writer.expect(command, &["+OK"]).await;
        by_prefix.hears(&[EVERYTHING]).await;
        by_key.hears(&[EVERYTHING]).await;
    }
    // The client that flushes also receives the invalidation, even with NOLOOP: before its reply on
    // Redis 8, and after it on older servers and on Valkey.
    by_prefix.say("FLUSHALL").await;
    let mut heard = by_prefix.until_fence().await;
    heard.sort_unstable();
    assert_eq!(heard, ["+OK", EVERYTHING]);
    by_key.hears(&[EVERYTHING]).await;
    plain.expect("PING", &["+PONG"]).await;
    // A flush is sent immediately, and a change at the end of the pipeline.
    writer.send(b"SET u:1 1\r\nFLUSHALL\r\n").await;
    writer.hears(&["+OK", "+OK"]).await;
    by_prefix
        .hears(&[EVERYTHING.to_owned(), invalidate(&["u:1"])])
        .await;
}

async fn a_key_event_comes_before_its_invalidation(server: Server) {
    server.set_key_events("KEA").await;
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client
        .expect("CLIENT TRACKING ON BCAST PREFIX u:", &["+OK"])
        .await;
    client
        .expect(
            "SUBSCRIBE __keyspace@0__:u:1",
            &[r#">["subscribe" "__keyspace@0__:u:1" :1]"#],
        )
        .await;
    let keyspace = |event: &str| format!(">[\"message\" \"__keyspace@0__:u:1\" \"{event}\"]");
    writer.send(b"SET u:1 a EX 100\r\nSET u:0 a\r\n").await;
    writer.hears(&["+OK", "+OK"]).await;
    client
        .hears(&[
            keyspace("set"),
            keyspace("expire"),
            invalidate(&["u:0", "u:1"]),
        ])
        .await;
    writer.expect("PEXPIRE u:1 20", &[":1"]).await;
    client
        .hears(&[
            keyspace("expire"),
            invalidate(&["u:1"]),
            keyspace("expired"),
            invalidate(&["u:1"]),
        ])
        .await;
    // A client receives its own change after the reply, or before it on servers before 7.2.
    client.say("SET u:1 b").await;
    let frames = [
        client.hear().await,
        client.hear().await,
        client.hear().await,
    ];
    let orders = [
        ["+OK".to_owned(), keyspace("set"), invalidate(&["u:1"])],
        [keyspace("set"), "+OK".to_owned(), invalidate(&["u:1"])],
    ];
    assert!(orders.contains(&frames), "{frames:?}");
}

async fn an_expiry_invalidates(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("CLIENT TRACKING ON BCAST NOLOOP", &["+OK"])
        .await;
    // An expiry is no client's change, so NOLOOP does not hide it.
    client.expect("SET a 1 PX 20", &["+OK"]).await;
    client.hears(&[invalidate(&["a"])]).await;
}

async fn prefixes_may_not_overlap(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect(
            "CLIENT TRACKING ON BCAST PREFIX user: PREFIX item:",
            &["+OK"],
        )
        .await;
    for (prefixes, refused, kind, other) in [
        ("user:", "user:", "an existing prefix", "user:"),
        ("user:1", "user:1", "an existing prefix", "user:"),
        ("us", "us", "an existing prefix", "user:"),
        ("new: PREFIX it", "it", "an existing prefix", "item:"),
        (
            "new: PREFIX new:1",
            "new:",
            "another provided prefix",
            "new:1",
        ),
        (
            "new: PREFIX new:",
            "new:",
            "another provided prefix",
            "new:",
        ),
    ] {
        let refusal = format!(
            "-ERR Prefix '{refused}' overlaps with {kind} '{other}'. Prefixes for a single client must not overlap."
        );
        client
            .expect(
                &format!("CLIENT TRACKING ON BCAST PREFIX {prefixes}"),
                &[refusal],
            )
            .await;
    }
    client
        .expect("CLIENT TRACKING ON BCAST PREFIX new:", &["+OK"])
        .await;
    client.expect("CLIENT TRACKING OFF", &["+OK"]).await;
    client
        .expect("CLIENT TRACKING ON BCAST PREFIX us", &["+OK"])
        .await;
    // The prefixes of two clients may overlap.
    server
        .raw3()
        .await
        .expect("CLIENT TRACKING ON BCAST PREFIX user:", &["+OK"])
        .await;
}

async fn tracking_is_refused_in_the_servers_words(server: Server) {
    let mut client = server.raw3().await;
    let switch = "-ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
    for (command, answer) in [
        ("CLIENT TRACKING FOO", "-ERR syntax error"),
        ("CLIENT TRACKING ON FOO", "-ERR syntax error"),
        ("CLIENT TRACKING ON BCAST PREFIX", "-ERR syntax error"),
        (
            "CLIENT TRACKING ON PREFIX a",
            "-ERR PREFIX option requires BCAST mode to be enabled",
        ),
        ("CLIENT TRACKING OFF BCAST", "+OK"),
        ("CLIENT TRACKING ON", "+OK"),
        ("CLIENT TRACKING ON BCAST", switch),
        ("CLIENT TRACKING OFF", "+OK"),
        ("client tracking on bcast prefix a", "+OK"),
        ("CLIENT TRACKING ON", switch),
    ] {
        client.expect(command, &[answer]).await;
    }
}

async fn tracking_ends_when_it_is_switched_off(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client.expect("CLIENT TRACKING ON BCAST", &["+OK"]).await;
    writer.expect("SET a 1", &["+OK"]).await;
    client.hears(&[invalidate(&["a"])]).await;
    client.expect("CLIENT TRACKING OFF", &["+OK"]).await;
    writer.expect("SET a 1", &["+OK"]).await;
    writer.expect("FLUSHALL", &["+OK"]).await;
    client.expect("PING", &["+PONG"]).await;
}

async fn a_client_can_read_what_it_tracks(server: Server) {
    let mut client = server.raw3().await;
    let info = |flags: &str, redirect: &str, prefixes: &str| {
        format!(r#"{{"flags" ~[{flags}] "redirect" {redirect} "prefixes" [{prefixes}]}}"#)
    };
    for (command, info) in [
        ("OFF", info(r#""off""#, ":-1", "")),
        (
            "ON BCAST PREFIX user: PREFIX a",
            info(r#""on" "bcast""#, ":0", r#""a" "user:""#),
        ),
        (
            "ON BCAST NOLOOP PREFIX b",
            info(r#""on" "bcast" "noloop""#, ":0", r#""a" "b" "user:""#),
        ),
        ("OFF", info(r#""off""#, ":-1", "")),
        ("ON BCAST", info(r#""on" "bcast""#, ":0", "\"\"")),
        ("OFF", info(r#""off""#, ":-1", "")),
        ("ON", info(r#""on""#, ":0", "")),
    ] {
        let command = format!("CLIENT TRACKING {command}");
        client.expect(&command, &["+OK"]).await;
        client.expect("CLIENT TRACKINGINFO", &[info]).await;
    }
}

async fn an_unsubscribe_from_nothing_is_a_fence_after_invalidations(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client
        .expect("CLIENT TRACKING ON BCAST PREFIX a", &["+OK"])
        .await;
    writer.expect("SET a 1", &["+OK"]).await;
    let fence = r#">["unsubscribe" "nobody" :0]"#;
    client.say("CLIENT TRACKING OFF").await;
    client.say("UNSUBSCRIBE nobody").await;
    client
        .hears(&[invalidate(&["a"]), "+OK".to_owned(), fence.to_owned()])
        .await;
}

async fn a_key_that_was_read_is_invalidated_once(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client.expect("CLIENT TRACKING ON", &["+OK"]).await;
    client.expect("GET a", &["_"]).await;
    client.expect("GET b", &["_"]).await;
    writer.expect("SET a 1", &["+OK"]).await;
    writer.expect("SET a 2", &["+OK"]).await;
    writer.expect("SET c 1", &["+OK"]).await;
    client.hears(&[invalidate(&["a"])]).await;
    writer.expect("SET b 1", &["+OK"]).await;
    client.hears(&[invalidate(&["b"])]).await;
    client.expect("GET a", &["\"2\""]).await;
    client
        .expect("SET a 3", &["+OK".to_owned(), invalidate(&["a"])])
        .await;
    client.expect("EXISTS a b", &[":2"]).await;
    writer.send(b"DEL b a\r\n").await;
    client
        .hears(&[invalidate(&["b"]), invalidate(&["a"])])
        .await;
    client.expect("PING", &["+PONG"]).await;
}

async fn resp2_receives_nothing(server: Server) {
    let mut client = server.raw().await;
    client.expect("CLIENT TRACKING ON BCAST", &["+OK"]).await;
    client.expect("SET a 1", &["+OK"]).await;
    client.expect("FLUSHALL", &["+OK"]).await;
    client.expect("PING", &["+PONG"]).await;
}
