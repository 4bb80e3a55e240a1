//! The tools of the tests themselves, on every kind of server.

use std::time::Duration;

use tests::harness::Test;
use tests::{RealServer, Server, eventually_in, tests};

pub(crate) fn tests() -> Vec<Test<(Server,)>> {
    tests![
        a_stopped_server_refuses_and_starts_again_on_its_port,
        killed_connections_end_and_the_server_keeps_running,
        a_frozen_server_keeps_connections_open_and_sends_nothing,
    ]
}

async fn a_stopped_server_refuses_and_starts_again_on_its_port(server: Server) {
    for _ in 0..3 {
        let mut client = server.raw3().await;
        client
            .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
            .await;
        server.stop().await;
        assert_eq!(client.hear_or_end().await, None);
        let refused = tokio::net::TcpStream::connect(server.addr())
            .await
            .unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        server.start_again().await;
        server
            .raw3()
            .await
            .expect("PUBSUB NUMSUB a", &[r#"["a" :0]"#])
            .await;
    }
}

async fn killed_connections_end_and_the_server_keeps_running(server: Server) {
    let mut subscribed = server.raw3().await;
    let mut other = server.raw3().await;
    subscribed
        .expect("SUBSCRIBE a", &[r#">["subscribe" "a" :1]"#])
        .await;
    server.kill_connections().await;
    assert_eq!(subscribed.hear_or_end().await, None);
    assert_eq!(other.hear_or_end().await, None);
    assert_eq!(server.publish("a", "1").await, 0);
    server.raw3().await.expect("PING", &["+PONG"]).await;
}

async fn a_frozen_server_keeps_connections_open_and_sends_nothing(server: Server) {
    let mut client = server.raw3().await;
    server.freeze(true);
    client.say("PING 1").await;
    let silence = tokio::time::timeout(Duration::from_millis(100), client.hear_or_end()).await;
    assert!(silence.is_err(), "{silence:?}");
    server.freeze(false);
    client.hears(&["\"1\""]).await;
}

pub(crate) async fn a_resumed_server_continues_where_it_stopped(server: RealServer) {
    server.freeze(true);
    server.freeze(false);
    assert_eq!(
        server.command(&["ECHO", "x"]).await,
        redis::Value::BulkString(b"x".to_vec())
    );
}

pub(crate) async fn a_timeout_names_what_was_waited_for() {
    let waiting = tokio::spawn(async {
        // The bound also ends a condition that never returns.
        eventually_in(
            Duration::from_millis(20),
            "the moon",
            std::future::pending::<bool>,
        )
        .await;
    });
    let panic = waiting.await.unwrap_err().into_panic();
    let message = panic.downcast::<String>().unwrap();
    assert!(
        message.starts_with("timed out after 20ms: the moon (tests/conformance/support.rs:"),
        "{message}"
    );
}
