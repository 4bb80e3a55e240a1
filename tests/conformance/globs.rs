//! Globs: what a pattern matches, including quirks.

use redis_push::testing::Broker;
use tests::harness::Test;
use tests::{RawClient, Server, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        patterns_match_what_the_servers_match,
        random_patterns_match_as_on_the_broker,
        a_pattern_of_many_stars_is_cheap
    ]
}

/// The names that the patterns are tested on.
const NAMES: &[&[u8]] = &[
    b"",
    b"a",
    b"b",
    b"z",
    b"-",
    b"]",
    b"[",
    b"^",
    b"\\",
    b"*",
    b"?",
    b"ab",
    b"abc",
    b"abcd",
    b"a.b",
    b"a*",
    b"a?",
    b"a[b]",
    b"a\\b",
    b"a-c",
    b"hat",
    b"hbt",
    b"h^t",
    b"h]t",
    b"h-t",
    b"aaaaab",
    b"a\0b",
    b"a\nb",
    b"\xff",
    b"\x80",
    b"\xc3\xa9",
    b"quotes.EUR",
    b"quotes.EUR.bid",
    b"quotes.",
    b"{tag}:x",
    b"A",
];

/// Patterns, and the names they match.
const CORPUS: &[(&[u8], &[&[u8]])] = include!("globs.in");

async fn subscribe(client: &mut RawClient) {
    for (index, name) in NAMES.iter().enumerate() {
        client.say_words(&[b"SUBSCRIBE", *name]).await;
        client
            .hears(&[format!(
                ">[\"subscribe\" \"{}\" :{}]",
                name.escape_ascii(),
                index + 1
            )])
            .await;
    }
}

/// The subscribed names that match, escaped and sorted.
async fn matching(client: &mut RawClient, pattern: &[u8]) -> Vec<String> {
    client
        .say_words(&[b"PUBSUB", &b"CHANNELS"[..], pattern])
        .await;
    let shown = client.hear().await;
    let mut names: Vec<_> = shown[1..shown.len() - 1]
        .split(' ')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

async fn patterns_match_what_the_servers_match(server: Server) {
    let mut client = server.raw3().await;
    subscribe(&mut client).await;
    for (pattern, names) in CORPUS {
        let mut expected: Vec<_> = names
            .iter()
            .map(|name| format!("\"{}\"", name.escape_ascii()))
            .collect();
        expected.sort();
        assert_eq!(
            matching(&mut client, pattern).await,
            expected,
            "{}",
            pattern.escape_ascii()
        );
    }
    // A subscription matches its pattern in the same way as PUBSUB.
    let mut subscriber = server.raw3().await;
    subscriber.say_words(&["PSUBSCRIBE", r"h[^a\-]t"]).await;
    subscriber
        .hears(&[r#">["psubscribe" "h[^a\\-]t" :1]"#])
        .await;
    for name in ["hat", "hbt", "h-t", "h]t"] {
        server.publish(name, "1").await;
    }
    let heard = ["hbt", "h]t"].map(|name| format!(r#">["pmessage" "h[^a\\-]t" "{name}" "1"]"#));
    assert_eq!(subscriber.until_fence().await, heard);
}

/// Compares every server with a broker on random patterns from a fixed seed.
async fn random_patterns_match_as_on_the_broker(server: Server) {
    let broker = Server::Broker(Broker::start().await.unwrap());
    let (mut here, mut there) = (broker.raw3().await, server.raw3().await);
    subscribe(&mut here).await;
    subscribe(&mut there).await;
    let alphabet = b"aabchtz**??[[]]^^--\\\\.\0\x80\xff";
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for _ in 0..3000 {
        let pattern: Vec<u8> = (0..=random(8))
            .map(|_| alphabet[random(alphabet.len())])
            .collect();
        let expected = matching(&mut there, &pattern).await;
        assert_eq!(
            matching(&mut here, &pattern).await,
            expected,
            "{}",
            pattern.escape_ascii()
        );
    }
}

async fn a_pattern_of_many_stars_is_cheap(server: Server) {
    let mut client = server.raw3().await;
    client
        .say_words(&["SUBSCRIBE".to_owned(), "a".repeat(10_000)])
        .await;
    client.hear().await;
    client
        .say_words(&[
            "PUBSUB".to_owned(),
            "CHANNELS".into(),
            "a*".repeat(900) + "b",
        ])
        .await;
    client.hears(&["[]"]).await;
}
