//! The commands on keys: their replies, and the key events that they send.
//!
//! | file | contents |
//! | --- | --- |
//! | `strings`, `hashes`, `lists`, `sets`, `sorted_sets` | the commands on one type |
//! | `keys` | the commands on keys of any type, and on keys of a wrong type |
//! | `expiry` | deadlines |
//! | `tracking` | invalidations by key |
//! | `random` | random commands, compared with the broker |
//!
//! Servers from 6.2 on run these tests. What Redis 7.0 has changed is in the lists that are called
//! `since_7`.

mod expiry;
mod hashes;
mod keys;
mod lists;
mod random;
mod sets;
mod sorted_sets;
mod strings;
mod tracking;

use tests::harness::Test;
use tests::{RawClient, Server};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    [
        strings::tests(),
        hashes::tests(),
        lists::tests(),
        sets::tests(),
        sorted_sets::tests(),
        keys::tests(),
        expiry::tests(),
        tracking::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(crate) fn since_7() -> Vec<Test<(Server,)>> {
    [
        strings::since_7(),
        sorted_sets::since_7(),
        keys::since_7(),
        expiry::since_7(),
        random::tests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Writes one key of each type.
const ONE_OF_EACH: [(&str, &str); 5] = [
    ("SET string 1", "+OK"),
    ("HSET hash a 1", ":1"),
    ("RPUSH list a", ":1"),
    ("SADD set a", ":1"),
    ("ZADD zset 1 a", ":1"),
];

/// A listener to the key events of the types, and to `keymiss`.
pub(crate) async fn listener(server: &Server) -> RawClient {
    server.set_key_events("EAm").await;
    let mut client = server.raw3().await;
    client
        .expect(
            "PSUBSCRIBE __keyevent@0__:*",
            &[r#">["psubscribe" "__keyevent@0__:*" :1]"#],
        )
        .await;
    client
}

/// Returns the events that the listener has received since the last call: `set a, expire a`.
pub(crate) async fn events(listener: &mut RawClient) -> String {
    let frames = listener.until_fence().await;
    let events = frames.iter().map(|frame| {
        let event = frame.strip_prefix(r#">["pmessage" "__keyevent@0__:*" "__keyevent@0__:"#);
        let event = event.and_then(|event| event.strip_suffix("\"]"));
        let (event, key) = event
            .and_then(|event| event.split_once("\" \""))
            .unwrap_or_else(|| panic!("not a key event: {frame}"));
        format!("{event} {key}")
    });
    events.collect::<Vec<_>>().join(", ")
}

/// Runs commands over RESP3. Each has to get its reply, and to send its events.
async fn replies_and_events(server: &Server, rows: &[(&str, &str, &str)]) {
    let mut listener = listener(server).await;
    let mut client = server.raw3().await;
    for (command, reply, expected) in rows {
        client.say(command).await;
        let frames = client.until_fence().await;
        assert!(
            matches!(&frames[..], [frame] if fits(command, frame, reply)),
            "the reply to {command} is {frames:?} instead of {reply}"
        );
        assert_eq!(
            events(&mut listener).await,
            *expected,
            "the events of {command}"
        );
    }
}

/// Whether a reply is the expected one. On a busy machine, the time that TTL returns may be a few seconds
/// shorter.
fn fits(command: &str, reply: &str, expected: &str) -> bool {
    let number = |reply: &str| reply.strip_prefix(':')?.parse::<i64>().ok();
    match (number(reply), number(expected)) {
        (Some(left), Some(set @ 1..)) if command.starts_with("TTL ") => {
            (set - 10..=set).contains(&left)
        }
        _ => reply == expected,
    }
}

/// Runs commands over RESP2.
async fn replies_in_resp2(server: &Server, rows: &[(&str, &str)]) {
    let mut client = server.raw().await;
    for (command, reply) in rows {
        client.expect(command, &[reply]).await;
    }
}
