//! MULTI and EXEC: what is queued, and what runs. WATCH is in `watching`.

use tests::harness::Test;
use tests::{RawClient, Server, tests};

use crate::data::{events, listener};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        commands_are_queued_and_run_together,
        an_error_in_one_command_does_not_stop_the_others,
        a_discarded_transaction_does_nothing,
        commands_outside_a_transaction_are_refused,
        a_refused_command_refuses_the_transaction,
        nesting_is_refused,
        reset_and_quit_end_a_transaction,
        transactions_reply_in_resp2,
        the_database_may_change_inside,
        nobody_sees_half_of_a_transaction,
        events_and_invalidations_of_a_transaction_come_in_its_order,
    ]
}

pub(crate) fn since_7() -> Vec<Test<(Server,)>> {
    tests![
        unknown_commands_refuse_the_transaction,
        pushes_to_the_client_itself_come_after_the_reply,
        a_keyspace_listener_hears_a_new_key_once,
    ]
}

const ABORTED: &str = "-EXECABORT Transaction discarded because of previous errors.";

/// Sends commands that have to be queued.
pub(crate) async fn queued(client: &mut RawClient, commands: &[&str]) {
    for command in commands {
        assert_eq!(client.ask(command).await, "+QUEUED", "{command}");
    }
}

async fn commands_are_queued_and_run_together(server: Server) {
    let mut listener = listener(&server).await;
    let mut client = server.raw3().await;
    let mut other = server.raw3().await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(
        &mut client,
        &[
            "SET a 1",
            "INCR a",
            "GET a",
            "HSET h f v",
            "HGETALL h",
            "SMEMBERS none",
            "ZADD z 1.5 m",
            "ZSCORE z m",
            "GET none",
            "PING",
        ],
    )
    .await;
    other.expect("EXISTS a h z", &[":0"]).await;
    events(&mut listener).await;
    client
        .expect(
            "EXEC",
            &[r#"[+OK :2 "2" :1 {"f" "v"} ~[] :1 ,1.5 _ +PONG]"#],
        )
        .await;
    assert_eq!(
        events(&mut listener).await,
        "set a, incrby a, hset h, keymiss none, zadd z, keymiss none"
    );
}

async fn an_error_in_one_command_does_not_stop_the_others(server: Server) {
    let mut client = server.raw3().await;
    client.expect("SET a 1", &["+OK"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["LPUSH a x", "INCRBY a x", "INCR a"]).await;
    client
        .expect(
            "EXEC",
            &[
                "[-WRONGTYPE Operation against a key holding the wrong kind of value \
               -ERR value is not an integer or out of range :2]",
            ],
        )
        .await;
}

async fn a_discarded_transaction_does_nothing(server: Server) {
    let mut client = server.raw3().await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["SET a 1"]).await;
    client.expect("DISCARD", &["+OK"]).await;
    client.expect("EXISTS a", &[":0"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    client.expect("EXEC", &["[]"]).await;
}

async fn commands_outside_a_transaction_are_refused(server: Server) {
    let mut client = server.raw3().await;
    for (command, reply) in [
        ("EXEC", "-ERR EXEC without MULTI"),
        ("DISCARD", "-ERR DISCARD without MULTI"),
        (
            "MULTI now",
            "-ERR wrong number of arguments for 'multi' command",
        ),
        (
            "EXEC now",
            "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
        ),
        (
            "WATCH",
            "-ERR wrong number of arguments for 'watch' command",
        ),
        ("UNWATCH", "+OK"),
    ] {
        client.expect(command, &[reply]).await;
    }
}

async fn a_refused_command_refuses_the_transaction(server: Server) {
    let mut client = server.raw3().await;
    for (command, reply) in [
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        (
            "DISCARD now",
            "-ERR wrong number of arguments for 'discard' command",
        ),
    ] {
        assert_eq!(client.ask("MULTI").await, "+OK");
        queued(&mut client, &["SET a 1"]).await;
        assert_eq!(client.ask(command).await, reply);
        queued(&mut client, &["SET a 2"]).await;
        client.expect("EXEC", &[ABORTED]).await;
    }
    client.expect("EXISTS a", &[":0"]).await;
    // A refused EXEC ends the transaction itself.
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["SET a 1"]).await;
    client
        .expect("EXEC now", &["-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"])
        .await;
    client.expect("EXEC", &["-ERR EXEC without MULTI"]).await;
    // The refusal counts more than a watched change, and it does not last.
    client.expect("WATCH a", &["+OK"]).await;
    client.expect("SET a 1", &["+OK"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    client.ask("GET").await;
    client.expect("EXEC", &[ABORTED]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    client.expect("EXEC", &["[]"]).await;
}

async fn unknown_commands_refuse_the_transaction(server: Server) {
    let mut client = server.raw3().await;
    for command in ["FOO", "CLIENT FOO"] {
        assert_eq!(client.ask("MULTI").await, "+OK");
        let reply = client.ask(command).await;
        assert!(reply.starts_with("-ERR unknown "), "{reply}");
        client.expect("EXEC", &[ABORTED]).await;
    }
}

/// Valkey 9 also refuses the transaction. Redis goes on.
async fn nesting_is_refused(server: Server) {
    let mut client = server.raw3().await;
    for (command, redis) in [
        ("MULTI", "-ERR MULTI calls can not be nested"),
        ("WATCH a", "-ERR WATCH inside MULTI is not allowed"),
    ] {
        assert_eq!(client.ask("MULTI").await, "+OK");
        let name = command.split(' ').next().unwrap().to_ascii_lowercase();
        let valkey = format!("-ERR Command '{name}' not allowed inside a transaction");
        let reply = client.ask(command).await;
        let outcome = client.ask("EXEC").await;
        assert!(
            (reply.as_str(), outcome.as_str()) == (redis, "[]")
                || (reply, outcome.as_str()) == (valkey, ABORTED),
            "{command}: {outcome}"
        );
    }
}

async fn reset_and_quit_end_a_transaction(server: Server) {
    let mut client = server.raw3().await;
    let mut writer = server.raw3().await;
    client.expect("WATCH a", &["+OK"]).await;
    writer.expect("SET a 1", &["+OK"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["SET a 2"]).await;
    client.expect("RESET", &["+RESET"]).await;
    client.expect("EXEC", &["-ERR EXEC without MULTI"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["GET a"]).await;
    client.expect("EXEC", &["[\"1\"]"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["SET a 3"]).await;
    assert_eq!(client.ask("QUIT").await, "+OK");
    assert_eq!(client.hear_or_end().await, None);
    writer.expect("GET a", &["\"1\""]).await;
}

async fn transactions_reply_in_resp2(server: Server) {
    let mut client = server.raw().await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(
        &mut client,
        &[
            "HSET h f v",
            "HGETALL h",
            "ZADD z 1 m",
            "ZSCORE z m",
            "GET none",
        ],
    )
    .await;
    client
        .expect("EXEC", &[r#"[:1 ["f" "v"] :1 "1" $-1]"#])
        .await;
    client.expect("WATCH h", &["+OK"]).await;
    client.expect("HSET h f w", &[":0"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    client.expect("EXEC", &["*-1"]).await;
}

async fn the_database_may_change_inside(server: Server) {
    let mut client = server.raw3().await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["SELECT 3", "SET a 1", "SELECT 0", "GET a"]).await;
    client.expect("EXEC", &["[+OK +OK +OK _]"]).await;
    client.expect("SELECT 3", &["+OK"]).await;
    client.expect("GET a", &["\"1\""]).await;
}

async fn nobody_sees_half_of_a_transaction(server: Server) {
    let mut writer = server.raw3().await;
    let mut reader = server.raw3().await;
    writer.expect("MSET a 0 b 0", &["+OK"]).await;
    for round in 1..=50 {
        // In pieces, so that other clients run between them.
        writer.send(b"MULTI\r\nINCR a\r\n").await;
        reader.say("MGET a b").await;
        writer.send(b"INCR b\r\nEXEC\r\n").await;
        reader.say("MGET a b").await;
        for _ in 0..2 {
            let both = reader.hear().await;
            let words = both.trim_matches(['[', ']']).split_once(' ').unwrap();
            assert_eq!(words.0, words.1, "round {round}");
        }
        writer
            .hears(&[
                "+OK".to_owned(),
                "+QUEUED".to_owned(),
                "+QUEUED".to_owned(),
                format!("[:{round} :{round}]"),
            ])
            .await;
    }
}

async fn events_and_invalidations_of_a_transaction_come_in_its_order(server: Server) {
    server.set_key_events("E$").await;
    let mut by_prefix = server.raw3().await;
    let mut by_key = server.raw3().await;
    let mut client = server.raw3().await;
    by_prefix.expect("CLIENT TRACKING ON BCAST", &["+OK"]).await;
    by_key.expect("CLIENT TRACKING ON", &["+OK"]).await;
    by_key.expect("MGET a b", &["[_ _]"]).await;
    for listener in [&mut by_prefix, &mut by_key] {
        listener
            .expect(
                "SUBSCRIBE __keyevent@0__:set",
                &[r#">["subscribe" "__keyevent@0__:set" :1]"#],
            )
            .await;
    }
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["SET b 1", "SET a 1", "SET b 2"]).await;
    client.expect("EXEC", &["[+OK +OK +OK]"]).await;
    let set = |key: &str| format!(">[\"message\" \"__keyevent@0__:set\" \"{key}\"]");
    let invalidate = |keys: &str| format!(">[\"invalidate\" [{keys}]]");
    assert_eq!(
        by_prefix.until_fence().await,
        [set("b"), set("a"), set("b"), invalidate(r#""a" "b""#)]
    );
    assert_eq!(
        by_key.until_fence().await,
        [
            invalidate(r#""b""#),
            set("b"),
            invalidate(r#""a""#),
            set("a"),
            set("b")
        ]
    );
}

async fn pushes_to_the_client_itself_come_after_the_reply(server: Server) {
    let mut client = server.raw3().await;
    client
        .expect("SUBSCRIBE news", &[r#">["subscribe" "news" :1]"#])
        .await;
    client.expect("CLIENT TRACKING ON", &["+OK"]).await;
    client.expect("MGET a b", &["[_ _]"]).await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(
        &mut client,
        &["SET a 1", "SET b 1", "PUBLISH news hi", "GET a", "SET a 2"],
    )
    .await;
    client.say("EXEC").await;
    let heard = client.until_fence().await;
    let reply = "[+OK +OK :1 \"1\" +OK]";
    let message = r#">["message" "news" "hi"]"#;
    let invalidate = |key: &str| format!(">[\"invalidate\" [\"{key}\"]]");
    let invalidations = [invalidate("a"), invalidate("b"), invalidate("a")];
    if heard[0] == reply {
        assert_eq!(heard[1], message);
        assert_eq!(heard[2..], invalidations);
    } else {
        // Before 7.2 a message to the client itself is written into the reply.
        assert_eq!(heard[0], format!("[+OK +OK {message} :1 \"1\"]"));
        assert_eq!(heard[1], "+OK");
        assert_eq!(heard[2..], invalidations);
    }
}

async fn a_keyspace_listener_hears_a_new_key_once(server: Server) {
    let mut listener = listener(&server).await;
    server.set_key_events("En$g").await;
    let mut client = server.raw3().await;
    assert_eq!(client.ask("MULTI").await, "+OK");
    queued(&mut client, &["SET a 1", "SET a 2", "DEL a", "SET a 3"]).await;
    client.expect("EXEC", &["[+OK +OK :1 +OK]"]).await;
    assert_eq!(
        events(&mut listener).await,
        "new a, set a, set a, del a, new a, set a"
    );
}
