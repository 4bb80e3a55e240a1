//! Deadlines of keys of any type. Those of strings are set in `strings` too.

use tests::harness::Test;
use tests::{Server, tests};

use super::{ONE_OF_EACH, events, listener, replies_and_events};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![idle_keys_of_every_type_expire]
}

pub(crate) fn since_7() -> Vec<Test<(Server,)>> {
    tests![
        expire_respects_its_conditions,
        expire_refuses_options_that_exclude_each_other,
    ]
}

async fn idle_keys_of_every_type_expire(server: Server) {
    let mut listener = listener(&server).await;
    let mut client = server.raw3().await;
    for (command, reply) in ONE_OF_EACH {
        client.expect(command, &[reply]).await;
    }
    events(&mut listener).await;
    let mut expected = Vec::new();
    for key in ["string", "hash", "list", "set", "zset"] {
        client.expect(&format!("PEXPIRE {key} 20"), &[":1"]).await;
        for event in ["expire", "expired"] {
            expected.push(format!(
                ">[\"pmessage\" \"__keyevent@0__:*\" \"__keyevent@0__:{event}\" \"{key}\"]"
            ));
        }
    }
    // Nobody touches the keys: the events arrive because the server looks for expired keys.
    let mut heard = Vec::new();
    for _ in &expected {
        heard.push(listener.hear().await);
    }
    expected.sort_unstable();
    heard.sort_unstable();
    assert_eq!(heard, expected);
    client.expect("DBSIZE", &[":0"]).await;
    client.expect("HGETALL hash", &["{}"]).await;
}

async fn expire_respects_its_conditions(server: Server) {
    replies_and_events(
        &server,
        &[
            ("SET a 1", "+OK", "set a"),
            ("EXPIRE a 100 XX", ":0", ""),
            ("EXPIRE a 100 GT", ":0", ""),
            ("EXPIRE a 100 NX", ":1", "expire a"),
            ("EXPIRE a 200 NX", ":0", ""),
            ("EXPIRE a 200 GT", ":1", "expire a"),
            ("EXPIRE a 100 GT", ":0", ""),
            ("PEXPIRE a 300000 LT", ":0", ""),
            ("PEXPIRE a 100000 LT", ":1", "expire a"),
            ("EXPIRE a 300 XX GT", ":1", "expire a"),
            ("TTL a", ":300", ""),
            ("EXPIRE a -1 GT", ":0", ""),
            ("PERSIST a", ":1", "persist a"),
            ("EXPIRE a 100 LT", ":1", "expire a"),
            ("EXPIRE none 100 NX", ":0", ""),
        ],
    )
    .await;
}

async fn expire_refuses_options_that_exclude_each_other(server: Server) {
    let both = "-ERR NX and XX, GT or LT options at the same time are not compatible";
    let mut client = server.raw3().await;
    for (command, reply) in [
        ("EXPIRE a 1 NX XX", both),
        ("EXPIRE a 1 NX GT", both),
        ("PEXPIRE a 1 LT NX", both),
        (
            "EXPIRE a 1 GT LT",
            "-ERR GT and LT options at the same time are not compatible",
        ),
        ("EXPIRE a 1 Foo", "-ERR Unsupported option Foo"),
        (
            "EXPIRE a x GT",
            "-ERR value is not an integer or out of range",
        ),
        (
            "EXPIRE a -9223372036854775808",
            "-ERR invalid expire time in 'expire' command",
        ),
        ("PEXPIRE a -9223372036854775808", ":0"),
    ] {
        client.expect(command, &[reply]).await;
    }
}
