//! Error replies, with the exact texts of the servers.

use tests::harness::Test;
use tests::{Server, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        commands_are_refused_in_the_servers_words,
        unknown_commands_are_quoted_up_to_a_length,
        a_subscribed_resp2_client_may_only_change_its_subscriptions,
        a_denied_channel_refuses_the_whole_command,
        a_subscriber_of_a_denied_channel_is_disconnected,
        broken_requests_end_the_connection,
        odd_requests_are_understood,
        pipelined_requests_are_answered_in_order,
    ]
}

async fn commands_are_refused_in_the_servers_words(server: Server) {
    let mut client = server.raw3().await;
    for (command, answer) in [
        (
            "FOO",
            "-ERR unknown command 'FOO', with args beginning with: ",
        ),
        (
            "foo a b",
            "-ERR unknown command 'foo', with args beginning with: 'a' 'b' ",
        ),
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        (
            "GET a b",
            "-ERR wrong number of arguments for 'get' command",
        ),
        (
            "PING a b",
            "-ERR wrong number of arguments for 'ping' command",
        ),
        (
            "SUBSCRIBE",
            "-ERR wrong number of arguments for 'subscribe' command",
        ),
        (
            "PSUBSCRIBE",
            "-ERR wrong number of arguments for 'psubscribe' command",
        ),
        (
            "SSUBSCRIBE",
            "-ERR wrong number of arguments for 'ssubscribe' command",
        ),
        (
            "PUBLISH a",
            "-ERR wrong number of arguments for 'publish' command",
        ),
        (
            "SPUBLISH a",
            "-ERR wrong number of arguments for 'spublish' command",
        ),
        ("ECHO", "-ERR wrong number of arguments for 'echo' command"),
        ("DEL", "-ERR wrong number of arguments for 'del' command"),
        (
            "RESET now",
            "-ERR wrong number of arguments for 'reset' command",
        ),
        (
            "CLIENT",
            "-ERR wrong number of arguments for 'client' command",
        ),
        (
            "CLIENT FOO",
            "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.",
        ),
        (
            "CLIENT SETNAME",
            "-ERR wrong number of arguments for 'client|setname' command",
        ),
        (
            "client id 1",
            "-ERR wrong number of arguments for 'client|id' command",
        ),
        (
            "CLIENT KILL",
            "-ERR wrong number of arguments for 'client|kill' command",
        ),
        (
            "CLIENT TRACKING",
            "-ERR wrong number of arguments for 'client|tracking' command",
        ),
        (
            "CONFIG FOO",
            "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.",
        ),
        (
            "CONFIG GET",
            "-ERR wrong number of arguments for 'config|get' command",
        ),
        (
            "CONFIG SET",
            "-ERR wrong number of arguments for 'config|set' command",
        ),
        (
            "CONFIG SET a",
            "-ERR wrong number of arguments for 'config|set' command",
        ),
        (
            "CONFIG SET foo a",
            "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'",
        ),
        ("CONFIG SET foo a b", "-ERR syntax error"),
        ("CONFIG GET foo", "{}"),
        (
            "PUBSUB",
            "-ERR wrong number of arguments for 'pubsub' command",
        ),
        (
            "PUBSUB FOO",
            "-ERR unknown subcommand 'FOO'. Try PUBSUB HELP.",
        ),
        (
            "PUBSUB NUMPAT 1",
            "-ERR wrong number of arguments for 'pubsub|numpat' command",
        ),
        (
            "PUBSUB CHANNELS a b",
            "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.",
        ),
        ("SELECT 99", "-ERR DB index is out of range"),
        ("SELECT -1", "-ERR DB index is out of range"),
        ("SELECT a", "-ERR value is not an integer or out of range"),
        ("SET k v EX 0", "-ERR invalid expire time in 'set' command"),
        ("SET k v EX -1", "-ERR invalid expire time in 'set' command"),
        (
            "SET k v PX 9223372036854775807",
            "-ERR invalid expire time in 'set' command",
        ),
        (
            "SET k v EX a",
            "-ERR value is not an integer or out of range",
        ),
        ("SET k v EX", "-ERR syntax error"),
        ("SET k v FOO", "-ERR syntax error"),
        ("SET k v EX 10 PX 10", "-ERR syntax error"),
        ("SET k v KEEPTTL EX 10", "-ERR syntax error"),
        ("SET k v NX XX", "-ERR syntax error"),
        ("EXPIRE k a", "-ERR value is not an integer or out of range"),
        (
            "EXPIRE k 9223372036854775807",
            "-ERR invalid expire time in 'expire' command",
        ),
        ("FLUSHALL FOO", "-ERR syntax error"),
    ] {
        client.expect(command, &[answer]).await;
    }
}

async fn unknown_commands_are_quoted_up_to_a_length(server: Server) {
    let mut client = server.raw3().await;
    let (long, name) = ("x".repeat(100), "n".repeat(200));
    client
        .expect(
            &format!("{name} a\r\nb {long} {long} {long}"),
            &[format!(
                "-ERR unknown command '{}', with args beginning with: 'a  b' '{long}' '{}' ",
                &name[..128],
                &long[..18]
            )],
        )
        .await;
    client.say_words(&[&b"a\0b"[..], b"c\0d"]).await;
    client
        .hears(&["-ERR unknown command 'a', with args beginning with: 'c' "])
        .await;
    client.say_words(&[""]).await;
    client
        .hears(&["-ERR unknown command '', with args beginning with: "])
        .await;
}

async fn a_subscribed_resp2_client_may_only_change_its_subscriptions(server: Server) {
    let mut client = server.raw().await;
    client
        .expect("SUBSCRIBE a", &[r#"["subscribe" "a" :1]"#])
        .await;
    for (command, name) in [
        ("GET a", "get"),
        ("PUBLISH a 1", "publish"),
        ("CLIENT ID", "client|id"),
        ("HELLO 3", "hello"),
    ] {
        let answer = format!(
            "-ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
        );
        client.expect(command, &[answer]).await;
    }
    client
        .expect("SSUBSCRIBE a", &[r#"["ssubscribe" "a" :1]"#])
        .await;
    client
        .expect("UNSUBSCRIBE a", &[r#"["unsubscribe" "a" :0]"#])
        .await;
    client
        .expect("SUNSUBSCRIBE a", &[r#"["sunsubscribe" "a" :0]"#])
        .await;
    client.expect("GET a", &["$-1"]).await;
}

/// Older servers use a longer text.
const NOPERM: [&str; 2] = [
    "-NOPERM No permissions to access a channel",
    "-NOPERM this user has no permissions to access one of the channels used as arguments",
];

async fn a_denied_channel_refuses_the_whole_command(server: Server) {
    let mut client = server.raw3().await;
    server.deny("nope").await;
    for command in [
        "SUBSCRIBE nope",
        "SUBSCRIBE fine nope also",
        "SSUBSCRIBE nope",
    ] {
        let refusal = client.ask(command).await;
        assert!(NOPERM.contains(&refusal.as_str()), "{command}: {refusal}");
    }
    for name in ["fine", "no", "nopes", "note"] {
        client
            .expect(
                &format!("SUBSCRIBE {name}"),
                &[format!(">[\"subscribe\" \"{name}\" :1]")],
            )
            .await;
        client
            .expect(
                &format!("UNSUBSCRIBE {name}"),
                &[format!(">[\"unsubscribe\" \"{name}\" :0]")],
            )
            .await;
    }
    server.allow("nope").await;
    client
        .expect("SUBSCRIBE nope", &[r#">["subscribe" "nope" :1]"#])
        .await;
}

async fn a_subscriber_of_a_denied_channel_is_disconnected(server: Server) {
    let mut client = server.raw3().await;
    let mut other = server.raw3().await;
    client
        .expect("SUBSCRIBE nope", &[r#">["subscribe" "nope" :1]"#])
        .await;
    other
        .expect("SUBSCRIBE fine", &[r#">["subscribe" "fine" :1]"#])
        .await;
    server.deny("nope").await;
    assert_eq!(client.hear_or_end().await, None);
    other.expect("PING", &["+PONG"]).await;
}

async fn broken_requests_end_the_connection(server: Server) {
    for (bytes, reason) in [
        ("*abc\r\n", "invalid multibulk length"),
        ("*2147483648\r\n", "invalid multibulk length"),
        ("*1\r\n$abc\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n:1\r\n", "expected '$', got ':'"),
        ("*2\r\n$4\r\nPING\r\nfoo\r\n", "expected '$', got 'f'"),
        ("PING 'a b\r\n", "unbalanced quotes in request"),
    ] {
        let mut client = server.raw().await;
        // Complete requests before it are still answered.
        client
            .send(format!("PING first\r\n{bytes}").as_bytes())
            .await;
        client
            .hears(&[
                "\"first\"".to_owned(),
                format!("-ERR Protocol error: {reason}"),
            ])
            .await;
        assert_eq!(client.hear_or_end().await, None, "{bytes:?}");
    }
}

async fn odd_requests_are_understood(server: Server) {
    let mut client = server.raw().await;
    client.send(b"*-1\r\n*0\r\n\r\n\nPING\n").await;
    client.hears(&["+PONG"]).await;
    client.send(b"PING 'a b'\r\n  PING   \"c\\nd\"  \r\n").await;
    client.hears(&["\"a b\"", "\"c\\nd\""]).await;
    for byte in b"*2\r\n$4\r\npInG\r\n$0\r\n\r\n" {
        client.send(&[*byte]).await;
    }
    client.hears(&["\"\""]).await;
}

async fn pipelined_requests_are_answered_in_order(server: Server) {
    let mut client = server.raw3().await;
    let mut requests = String::new();
    let mut answers = Vec::new();
    for n in 0..1000 {
        requests.push_str(&format!("PING {n}\r\nSUBSCRIBE {n}\r\n"));
        answers.extend([
            format!("\"{n}\""),
            format!(">[\"subscribe\" \"{n}\" :{}]", n + 1),
        ]);
    }
    client.send(requests.as_bytes()).await;
    client.hears(&answers).await;
}
