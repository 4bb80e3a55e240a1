//! The commands HELLO, AUTH, CLIENT, RESET, QUIT and PING.

use tests::harness::Test;
use tests::{Server, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        hello_greets_with_the_same_keys,
        hello_takes_credentials_and_a_name,
        hello_refuses_what_it_does_not_know,
        a_password_is_required,
        an_authenticated_connection_stays_so_when_the_password_changes,
        reset_makes_a_connection_new,
        quit_answers_and_closes,
        ping_and_echo_answer_in_both_protocols,
        a_client_has_an_id_and_a_name,
        a_library_name_is_accepted_or_unknown_to_the_server,
        a_client_can_be_killed_by_id_and_by_type,
        a_server_that_is_no_node_says_so,
    ]
}

/// The keys of a HELLO reply. The values differ between servers.
fn keys(greeting: &str) -> Vec<&str> {
    let known = [
        "server", "version", "proto", "id", "mode", "role", "modules",
    ];
    let mut found: Vec<_> = known
        .into_iter()
        .filter_map(|key| Some((greeting.find(&format!("\"{key}\" "))?, key)))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, key)| key).collect()
}

async fn hello_greets_with_the_same_keys(server: Server) {
    let mut client = server.raw().await;
    let all = [
        "server", "version", "proto", "id", "mode", "role", "modules",
    ];
    let resp2 = client.ask("HELLO").await;
    assert!(
        resp2.starts_with('[') && resp2.contains("\"proto\" :2"),
        "{resp2}"
    );
    assert_eq!(keys(&resp2), all, "{resp2}");
    let resp3 = client.ask("HELLO 3").await;
    assert!(
        resp3.starts_with('{') && resp3.contains("\"proto\" :3"),
        "{resp3}"
    );
    assert_eq!(keys(&resp3), all, "{resp3}");
    assert!(
        resp3.contains("\"mode\" \"standalone\" \"role\" \"master\""),
        "{resp3}"
    );
    let resp2 = client.ask("HELLO 2").await;
    assert!(
        resp2.starts_with('[') && resp2.contains("\"proto\" :2"),
        "{resp2}"
    );
}

async fn hello_takes_credentials_and_a_name(server: Server) {
    server.set_password(Some("secret")).await;
    let mut client = server.raw().await;
    let greeting = client.ask("HELLO 3 AUTH default secret SETNAME bob").await;
    assert!(greeting.starts_with('{'), "{greeting}");
    client.expect("CLIENT GETNAME", &["\"bob\""]).await;
}

async fn hello_refuses_what_it_does_not_know(server: Server) {
    let mut client = server.raw().await;
    for (command, answer) in [
        ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("HELLO 1", "-NOPROTO unsupported protocol version"),
        (
            "HELLO abc",
            "-ERR Protocol version is not an integer or out of range",
        ),
        ("HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'"),
        ("HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'"),
        (
            "HELLO 3 SETNAME",
            "-ERR Syntax error in HELLO option 'SETNAME'",
        ),
        (
            "HELLO 3 AUTH nobody x",
            "-WRONGPASS invalid username-password pair or user is disabled.",
        ),
        (
            "HELLO 3 SETNAME a\u{1}b",
            "-ERR Client names cannot contain spaces, newlines or special characters.",
        ),
    ] {
        client.expect(command, &[answer]).await;
    }
    // None of these has changed the protocol: the null is that of RESP2.
    client.expect("GET missing", &["$-1"]).await;
}

async fn a_password_is_required(server: Server) {
    let mut client = server.raw().await;
    client.expect("AUTH x", &["-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"]).await;
    client.expect("AUTH default x", &["+OK"]).await;
    server.set_password(Some("secret")).await;
    let mut client = server.raw().await;
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.";
    for (command, answer) in [
        ("PING", "-NOAUTH Authentication required."),
        ("SUBSCRIBE a", "-NOAUTH Authentication required."),
        ("PUBLISH a b", "-NOAUTH Authentication required."),
        ("HELLO 3 AUTH default bad", wrong),
        ("AUTH bad", wrong),
        ("AUTH default bad", wrong),
        ("AUTH nobody secret", wrong),
        ("AUTH a b c", "-ERR syntax error"),
    ] {
        client.expect(command, &[answer]).await;
    }
    let refusal = client.ask("HELLO 3").await;
    assert!(
        refusal.starts_with("-NOAUTH HELLO must be called with the client already authenticated"),
        "{refusal}"
    );
    client.expect("AUTH secret", &["+OK"]).await;
    client.expect("PING", &["+PONG"]).await;
    client.expect("AUTH default secret", &["+OK"]).await;
    client
        .expect("CONFIG GET requirepass", &[r#"["requirepass" "secret"]"#])
        .await;
    for (bytes, answer) in [
        (
            "*11\r\n",
            "-ERR Protocol error: unauthenticated multibulk length",
        ),
        (
            "*1\r\n$16385\r\n",
            "-ERR Protocol error: unauthenticated bulk length",
        ),
    ] {
        let mut stranger = server.raw().await;
        stranger.send(bytes.as_bytes()).await;
        assert_eq!(stranger.hear().await, answer);
        assert_eq!(stranger.hear_or_end().await, None);
    }
}

async fn an_authenticated_connection_stays_so_when_the_password_changes(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    server.set_password(Some("secret")).await;
    client.expect("PING", &["+PONG"]).await;
    let mut stranger = server.raw().await;
    stranger
        .expect("PING", &["-NOAUTH Authentication required."])
        .await;
    server.set_password(None).await;
    server.raw().await.expect("PING", &["+PONG"]).await;
}

async fn reset_makes_a_connection_new(server: Server) {
    let mut client = server.raw3().await;
    client.expect("CLIENT SETNAME bob", &["+OK"]).await;
    client.expect("SELECT 3", &["+OK"]).await;
    client.expect("CLIENT TRACKING ON BCAST", &["+OK"]).await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    client
        .expect("PSUBSCRIBE a*", &[r#">["psubscribe" "a*" :2]"#])
        .await;
    client
        .expect("SSUBSCRIBE a", &[r#">["ssubscribe" "a" :1]"#])
        .await;
    client.expect("RESET", &["+RESET"]).await;
    client.expect("CLIENT GETNAME", &["$-1"]).await;
    client.expect("PUBLISH a 1", &[":0"]).await;
    client.expect("SPUBLISH a 1", &[":0"]).await;
    client.expect("SET a 1", &["+OK"]).await;
    // The connection is in database 0 and in RESP2 again.
    server.raw().await.expect("GET a", &["\"1\""]).await;
    client
        .expect("SUBSCRIBE a", &[r#"["subscribe" "a" :1]"#])
        .await;
    client.expect("RESET", &["+RESET"]).await;
    server.set_password(Some("secret")).await;
    client.expect("RESET", &["+RESET"]).await;
    client
        .expect("PING", &["-NOAUTH Authentication required."])
        .await;
}

async fn quit_answers_and_closes(server: Server) {
    let mut client = server.raw().await;
    client
        .expect("SUBSCRIBE a", &[r#"["subscribe" "a" :1]"#])
        .await;
    client.say("QUIT").await;
    client.hears(&["+OK"]).await;
    assert_eq!(client.hear_or_end().await, None);
    server.wait_for_subscribers_of("a", 0).await;
}

async fn ping_and_echo_answer_in_both_protocols(server: Server) {
    let mut client = server.raw().await;
    client.expect("PING", &["+PONG"]).await;
    client.expect("PING x", &["\"x\""]).await;
    client.expect("ECHO x", &["\"x\""]).await;
    client
        .expect("SUBSCRIBE a", &[r#"["subscribe" "a" :1]"#])
        .await;
    client.expect("PING", &[r#"["pong" ""]"#]).await;
    client.expect("PING x", &[r#"["pong" "x"]"#]).await;
    client
        .expect("UNSUBSCRIBE a", &[r#"["unsubscribe" "a" :0]"#])
        .await;
    client.expect("PING", &["+PONG"]).await;
    let mut client = server.raw3().await;
    client
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    client.expect("PING", &["+PONG"]).await;
    client.expect("PING x", &["\"x\""]).await;
    client.expect("ECHO x", &["\"x\""]).await;
}

async fn a_client_has_an_id_and_a_name(server: Server) {
    let mut client = server.raw3().await;
    let mut other = server.raw3().await;
    let (first, second) = (client.ask("CLIENT ID").await, other.ask("CLIENT ID").await);
    assert!(
        first.starts_with(':') && second.starts_with(':') && first != second,
        "{first} {second}"
    );
    assert_eq!(client.ask("CLIENT ID").await, first);
    client.expect("CLIENT GETNAME", &["_"]).await;
    client.expect("CLIENT SETNAME bob", &["+OK"]).await;
    client.expect("CLIENT GETNAME", &["\"bob\""]).await;
    client
        .expect(
            "CLIENT SETNAME a\nb",
            &["-ERR Client names cannot contain spaces, newlines or special characters."],
        )
        .await;
    client.expect("CLIENT GETNAME", &["\"bob\""]).await;
    client.say_words(&["CLIENT", "SETNAME", ""]).await;
    client.hears(&["+OK"]).await;
    client.expect("CLIENT GETNAME", &["_"]).await;
    client.expect("CLIENT NO-EVICT ON", &["+OK"]).await;
}

async fn a_library_name_is_accepted_or_unknown_to_the_server(server: Server) {
    let mut client = server.raw3().await;
    // There is no SETINFO before 7.2, and clients ignore the error.
    let unknown = "-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.";
    for (command, answer) in [
        ("CLIENT SETINFO LIB-NAME x", "+OK"),
        ("CLIENT SETINFO lib-ver 1", "+OK"),
        ("CLIENT SETINFO FOO x", "-ERR Unrecognized option 'FOO'"),
    ] {
        let heard = client.ask(command).await;
        assert!(
            [answer, unknown].contains(&heard.as_str()),
            "{command}: {heard}"
        );
    }
}

async fn a_client_can_be_killed_by_id_and_by_type(server: Server) {
    let mut killer = server.raw3().await;
    let mut victim = server.raw3().await;
    let id = victim.ask("CLIENT ID").await;
    killer.expect("CLIENT KILL ID 9999999", &[":0"]).await;
    killer
        .expect(&format!("CLIENT KILL ID {}", &id[1..]), &[":1"])
        .await;
    assert_eq!(victim.hear_or_end().await, None);
    killer.expect("CLIENT KILL TYPE pubsub", &[":0"]).await;
    let mut victim = server.raw3().await;
    victim
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    killer.expect("CLIENT KILL TYPE pubsub", &[":1"]).await;
    assert_eq!(victim.hear_or_end().await, None);
    killer.expect("PUBSUB NUMSUB a", &[r#"["a" :0]"#]).await;
    killer
        .expect("CLIENT KILL TYPE foo", &["-ERR Unknown client type 'foo'"])
        .await;
    killer
        .expect("CLIENT KILL 1.2.3.4:99", &["-ERR No such client"])
        .await;
    killer
        .expect("CLIENT KILL FOO BAR", &["-ERR syntax error"])
        .await;
    // The connection that has seen the server start may still be open: redis-rs closes it in a task of its own.
    let others = killer.ask("CLIENT KILL TYPE normal SKIPME yes").await;
    assert!(matches!(&*others, ":0" | ":1"), "{others}");
    killer.say("CLIENT KILL TYPE normal SKIPME no").await;
    killer.hears(&[":1"]).await;
    assert_eq!(killer.hear_or_end().await, None);
}

async fn a_server_that_is_no_node_says_so(server: Server) {
    let mut client = server.raw3().await;
    const DISABLED: &str = "-ERR This instance has cluster support disabled";
    for command in [
        "CLUSTER SLOTS",
        "CLUSTER SHARDS",
        "CLUSTER NODES",
        "CLUSTER LINKS",
        "CLUSTER INFO",
        "CLUSTER MYID",
        "ASKING",
    ] {
        client.expect(command, &[DISABLED]).await;
    }
    client.expect("ROLE", &[r#"["master" :0 []]"#]).await;
    let info = r#"="txt:# Cluster\r\ncluster_enabled:0\r\n""#;
    client.expect("INFO cluster", &[info]).await;
}
