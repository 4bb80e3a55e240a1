//! Key events: which change sends which event on which channel, and in what order.

use tests::harness::Test;
use tests::{RawClient, Server, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        nothing_is_sent_until_it_is_enabled,
        every_change_is_sent_by_key_and_by_event,
        only_the_chosen_classes_are_sent,
        an_expired_key_is_reported,
        an_expiration_in_the_past_deletes,
        the_database_is_part_of_the_name,
        flushing_sends_no_key_event,
        the_setting_is_read_back_in_the_servers_spelling,
        expirations_can_be_read_and_removed,
        set_respects_its_conditions,
    ]
}

/// A client that subscribes to all key events, with these classes enabled.
async fn listener(server: &Server, classes: &str) -> RawClient {
    server.set_key_events(classes).await;
    let mut client = server.raw3().await;
    client
        .expect("PSUBSCRIBE __key*", &[r#">["psubscribe" "__key*" :1]"#])
        .await;
    client
}

fn event(channel: &str, payload: &str) -> String {
    format!(">[\"pmessage\" \"__key*\" \"{channel}\" \"{payload}\"]")
}

/// Both messages of one event in database 0: by key, then by event.
fn both(event_name: &str, key: &str) -> [String; 2] {
    [
        event(&format!("__keyspace@0__:{key}"), event_name),
        event(&format!("__keyevent@0__:{event_name}"), key),
    ]
}

async fn hears(client: &mut RawClient, events: &[(&str, &str)]) {
    let expected: Vec<String> = events
        .iter()
        .flat_map(|(event, key)| both(event, key))
        .collect();
    assert_eq!(client.until_fence().await, expected);
}

async fn nothing_is_sent_until_it_is_enabled(server: Server) {
    let mut client = listener(&server, "").await;
    let mut writer = server.raw3().await;
    writer.expect("SET a 1 EX 100", &["+OK"]).await;
    writer.expect("DEL a", &[":1"]).await;
    // A class without `K` or `E` sends nothing either.
    server.set_key_events("g$").await;
    writer.expect("SET a 1", &["+OK"]).await;
    hears(&mut client, &[]).await;
}

async fn every_change_is_sent_by_key_and_by_event(server: Server) {
    let mut client = listener(&server, "KEA").await;
    let mut writer = server.raw3().await;
    for (command, answer, events) in [
        ("SET a 1", "+OK", &[("set", "a")][..]),
        ("SET a 2 EX 100", "+OK", &[("set", "a"), ("expire", "a")]),
        ("SET a 3 KEEPTTL", "+OK", &[("set", "a")]),
        ("GET a", "\"3\"", &[]),
        ("GET missing", "_", &[]),
        ("EXPIRE a 50", ":1", &[("expire", "a")]),
        ("PEXPIRE a 50000", ":1", &[("expire", "a")]),
        ("EXPIRE missing 50", ":0", &[]),
        ("PERSIST a", ":1", &[("persist", "a")]),
        ("PERSIST a", ":0", &[]),
        ("SET b 1 NX", "+OK", &[("set", "b")]),
        ("SET b 2 NX", "_", &[]),
        ("SET c 1 XX", "_", &[]),
        ("DEL a missing b", ":2", &[("del", "a"), ("del", "b")]),
    ] {
        writer.expect(command, &[answer]).await;
        let expected: Vec<String> = events
            .iter()
            .flat_map(|(event, key)| both(event, key))
            .collect();
        assert_eq!(client.until_fence().await, expected, "{command}");
    }
    writer.say_words(&[b"SET", &b"\0\xff*"[..], b"1"]).await;
    writer.hears(&["+OK"]).await;
    hears(&mut client, &[("set", r"\x00\xff*")]).await;
}

async fn only_the_chosen_classes_are_sent(server: Server) {
    let mut writer = server.raw3().await;
    for (classes, expected) in [
        ("K$", vec![event("__keyspace@0__:a", "set")]),
        ("E$", vec![event("__keyevent@0__:set", "a")]),
        (
            "Eg",
            vec![
                event("__keyevent@0__:expire", "a"),
                event("__keyevent@0__:del", "a"),
            ],
        ),
        ("Ex", vec![]),
        (
            "En$",
            vec![
                event("__keyevent@0__:new", "a"),
                event("__keyevent@0__:set", "a"),
            ],
        ),
        ("Em", vec![event("__keyevent@0__:keymiss", "a")]),
    ] {
        let mut client = listener(&server, classes).await;
        writer.expect("SET a 1 EX 100", &["+OK"]).await;
        writer.expect("DEL a", &[":1"]).await;
        writer.expect("GET a", &["_"]).await;
        assert_eq!(client.until_fence().await, expected, "{classes}");
    }
}

async fn an_expired_key_is_reported(server: Server) {
    let mut client = listener(&server, "KEA").await;
    let mut writer = server.raw3().await;
    writer.expect("SET a 1 PX 30", &["+OK"]).await;
    let expected: Vec<String> = ["set", "expire", "expired"]
        .iter()
        .flat_map(|event| both(event, "a"))
        .collect();
    client.hears(&expected).await;
    writer.expect("GET a", &["_"]).await;
    writer.expect("DEL a", &[":0"]).await;
    // A key that is set again does not expire.
    writer.expect("SET b 1 PX 30", &["+OK"]).await;
    writer.expect("SET b 2", &["+OK"]).await;
    writer.expect("SET c 1 PX 60", &["+OK"]).await;
    let expected: Vec<String> = [
        ("set", "b"),
        ("expire", "b"),
        ("set", "b"),
        ("set", "c"),
        ("expire", "c"),
        ("expired", "c"),
    ]
    .iter()
    .flat_map(|(event, key)| both(event, key))
    .collect();
    client.hears(&expected).await;
    writer.expect("EXISTS b c", &[":1"]).await;
}

async fn an_expiration_in_the_past_deletes(server: Server) {
    let mut client = listener(&server, "KEA").await;
    let mut writer = server.raw3().await;
    writer.expect("SET a 1", &["+OK"]).await;
    writer.expect("EXPIRE a -1", &[":1"]).await;
    writer.expect("EXISTS a", &[":0"]).await;
    let frames = client.until_fence().await;
    // Valkey 9 reports it as `expired`.
    let endings = [both("del", "a"), both("expired", "a")];
    assert_eq!(frames[..2], both("set", "a"));
    assert!(
        endings.iter().any(|ending| frames[2..] == *ending),
        "{frames:?}"
    );
}

async fn the_database_is_part_of_the_name(server: Server) {
    let mut client = listener(&server, "KEA").await;
    let mut writer = server.raw3().await;
    writer.expect("SELECT 3", &["+OK"]).await;
    writer.expect("SET a 1", &["+OK"]).await;
    assert_eq!(
        client.until_fence().await,
        [
            event("__keyspace@3__:a", "set"),
            event("__keyevent@3__:set", "a")
        ]
    );
}

async fn flushing_sends_no_key_event(server: Server) {
    let mut client = listener(&server, "KEA").await;
    let mut writer = server.raw3().await;
    writer.expect("SET a 1", &["+OK"]).await;
    writer.expect("SELECT 1", &["+OK"]).await;
    writer.expect("FLUSHDB", &["+OK"]).await;
    writer.expect("SELECT 0", &["+OK"]).await;
    writer.expect("EXISTS a", &[":1"]).await;
    writer.expect("FLUSHALL", &["+OK"]).await;
    writer.expect("EXISTS a", &[":0"]).await;
    hears(&mut client, &[("set", "a")]).await;
}

async fn the_setting_is_read_back_in_the_servers_spelling(server: Server) {
    let mut client = server.raw3().await;
    for (given, read) in [
        ("", ""),
        ("KEA", "AKE"),
        ("Ex$g", "g$xE"),
        ("g$lshzxetd", "A"),
    ] {
        server.set_key_events(given).await;
        let expected = format!("{{\"notify-keyspace-events\" \"{read}\"}}");
        client
            .expect("CONFIG GET Notify-keyspace*", &[expected])
            .await;
    }
    let refusal = client.ask("CONFIG SET notify-keyspace-events Q").await;
    let expected = "-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    assert_eq!(refusal, expected);
    client
        .expect(
            "CONFIG SET notify-keyspace-events K notify-keyspace-events E",
            &["-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - duplicate parameter"],
        )
        .await;
    client
        .expect(
            "CONFIG GET notify-keyspace-events",
            &[r#"{"notify-keyspace-events" "A"}"#],
        )
        .await;
}

async fn expirations_can_be_read_and_removed(server: Server) {
    let mut client = server.raw3().await;
    client.expect("TTL a", &[":-2"]).await;
    client.expect("SET a 1", &["+OK"]).await;
    client.expect("TTL a", &[":-1"]).await;
    client.expect("PTTL a", &[":-1"]).await;
    client.expect("EXPIRE a 100", &[":1"]).await;
    client.expect("TTL a", &[":100"]).await;
    let left: u64 = client.ask("PTTL a").await[1..].parse().unwrap();
    assert!((90_000..=100_000).contains(&left), "{left}");
    client.expect("SET a 2 KEEPTTL", &["+OK"]).await;
    client.expect("TTL a", &[":100"]).await;
    client.expect("SET a 2", &["+OK"]).await;
    client.expect("TTL a", &[":-1"]).await;
}

async fn set_respects_its_conditions(server: Server) {
    let mut client = server.raw().await;
    client.expect("SET a 1 XX", &["$-1"]).await;
    client.expect("SET a 1 NX", &["+OK"]).await;
    client.expect("SET a 2 NX", &["$-1"]).await;
    client.expect("SET a 3 xx ex 100", &["+OK"]).await;
    client.expect("GET a", &["\"3\""]).await;
    client.expect("EXISTS a a b", &[":2"]).await;
    client.expect("DEL a a", &[":1"]).await;
}
