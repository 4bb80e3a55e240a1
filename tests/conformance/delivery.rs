//! Publishing: which messages arrive where, and in what order.

use tests::harness::Test;
use tests::{Server, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        publish_counts_one_per_matching_subscription,
        the_channel_comes_before_the_patterns,
        a_sharded_message_reaches_sharded_subscribers_only,
        a_publisher_receives_its_own_message_once,
        messages_come_in_the_order_they_were_published,
        one_megabyte_arrives_whole,
        the_database_does_not_matter,
        nothing_comes_after_unsubscribing,
    ]
}

async fn publish_counts_one_per_matching_subscription(server: Server) {
    let mut one = server.raw3().await;
    let mut two = server.raw().await;
    one.expect("SUBSCRIBE news", &[r#">["subscribe" "news" :1]"#])
        .await;
    one.expect(
        "PSUBSCRIBE n* ?ews",
        &[r#">["psubscribe" "n*" :2]"#, r#">["psubscribe" "?ews" :3]"#],
    )
    .await;
    two.expect(
        "PSUBSCRIBE n* x*",
        &[r#"["psubscribe" "n*" :1]"#, r#"["psubscribe" "x*" :2]"#],
    )
    .await;
    let mut publisher = server.raw3().await;
    publisher.expect("PUBLISH news 1", &[":4"]).await;
    publisher.expect("PUBLISH new 1", &[":2"]).await;
    publisher.expect("PUBLISH other 1", &[":0"]).await;
    assert_eq!(server.publish("xylophone", "1").await, 1);
}

async fn the_channel_comes_before_the_patterns(server: Server) {
    let mut client = server.raw3().await;
    // The pattern is subscribed first, and its message still comes second.
    client
        .expect("PSUBSCRIBE n*", &[r#">["psubscribe" "n*" :1]"#])
        .await;
    client
        .expect("SUBSCRIBE news", &[r#">["subscribe" "news" :2]"#])
        .await;
    for n in 0..3 {
        server.publish("news", &n.to_string()).await;
    }
    for n in 0..3 {
        client
            .hears(&[
                format!(">[\"message\" \"news\" \"{n}\"]"),
                format!(">[\"pmessage\" \"n*\" \"news\" \"{n}\"]"),
            ])
            .await;
    }
    client
        .expect("PSUBSCRIBE *s", &[r#">["psubscribe" "*s" :3]"#])
        .await;
    server.publish("news", "x").await;
    let frames = client.until_fence().await;
    assert_eq!(frames[0], r#">["message" "news" "x"]"#);
    let mut patterns = frames[1..].to_vec();
    // The order of patterns depends on the server.
    patterns.sort();
    assert_eq!(
        patterns,
        [
            r#">["pmessage" "*s" "news" "x"]"#,
            r#">["pmessage" "n*" "news" "x"]"#
        ]
    );
}

async fn a_sharded_message_reaches_sharded_subscribers_only(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    client
        .expect("PSUBSCRIBE *", &[r#">["psubscribe" "*" :2]"#])
        .await;
    client
        .expect("SSUBSCRIBE a", &[r#">["ssubscribe" "a" :1]"#])
        .await;
    let mut publisher = server.raw3().await;
    publisher.expect("SPUBLISH a sharded", &[":1"]).await;
    publisher.expect("SPUBLISH b sharded", &[":0"]).await;
    publisher.expect("PUBLISH a plain", &[":2"]).await;
    client
        .hears(&[
            r#">["smessage" "a" "sharded"]"#,
            r#">["message" "a" "plain"]"#,
            r#">["pmessage" "*" "a" "plain"]"#,
        ])
        .await;
}

async fn a_publisher_receives_its_own_message_once(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    client.say("PUBLISH a 1").await;
    let frames = client.until_fence().await;
    // Since 7.2 the reply comes first.
    let orders = [
        [":1", r#">["message" "a" "1"]"#],
        [r#">["message" "a" "1"]"#, ":1"],
    ];
    assert!(orders.iter().any(|order| frames == order), "{frames:?}");
}

async fn messages_come_in_the_order_they_were_published(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect(
            "SUBSCRIBE a b",
            &[r#">["subscribe" "a" :1]"#, r#">["subscribe" "b" :2]"#],
        )
        .await;
    let mut publisher = server.raw3().await;
    let mut requests = String::new();
    let mut expected = Vec::new();
    for n in 0..5000 {
        let channel = if n % 3 == 0 { "a" } else { "b" };
        requests.push_str(&format!("PUBLISH {channel} {n}\r\n"));
        expected.push(format!(">[\"message\" \"{channel}\" \"{n}\"]"));
    }
    publisher.send(requests.as_bytes()).await;
    client.hears(&expected).await;
}

async fn one_megabyte_arrives_whole(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    let payload: Vec<u8> = (0..1_048_576_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut publisher = server.raw3().await;
    publisher
        .say_words(&[b"PUBLISH", &b"a"[..], &payload])
        .await;
    publisher.hears(&[":1"]).await;
    let heard = client.hear().await;
    assert!(
        heard == format!(">[\"message\" \"a\" \"{}\"]", payload.escape_ascii()),
        "{} characters",
        heard.len()
    );
    publisher.say_words(&[b"SET", &b"big"[..], &payload]).await;
    publisher.hears(&["+OK"]).await;
    assert!(publisher.ask("GET big").await == format!("\"{}\"", payload.escape_ascii()));
}

async fn the_database_does_not_matter(server: Server) {
    let mut client = server.raw3().await;
    client.expect("SELECT 5", &["+OK"]).await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    server.publish("a", "1").await;
    client.hears(&[r#">["message" "a" "1"]"#]).await;
}

async fn nothing_comes_after_unsubscribing(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    client
        .expect("PSUBSCRIBE a*", &[r#">["psubscribe" "a*" :2]"#])
        .await;
    client
        .expect("UNSUBSCRIBE a", &[r#">["unsubscribe" "a" :1]"#])
        .await;
    assert_eq!(server.publish("a", "1").await, 1);
    client.hears(&[r#">["pmessage" "a*" "a" "1"]"#]).await;
    client
        .expect("PUNSUBSCRIBE a*", &[r#">["punsubscribe" "a*" :0]"#])
        .await;
    assert_eq!(server.publish("a", "2").await, 0);
    client.expect("PING", &["+PONG"]).await;
}
