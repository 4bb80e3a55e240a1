//! What the conformance tests do not see: expiry under a paused clock, and what a connection leaves behind.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, advance};

use super::Broker;

const HOUR: Duration = Duration::from_secs(3600);

async fn expect(stream: &mut TcpStream, reply: &str) {
    let mut received = vec![0; reply.len()];
    stream.read_exact(&mut received).await.unwrap();
    assert_eq!(
        received.escape_ascii().to_string(),
        reply.escape_debug().to_string()
    );
}

async fn ask(stream: &mut TcpStream, command: &str, reply: &str) {
    let line = format!("{command}\r\n");
    stream.write_all(line.as_bytes()).await.unwrap();
    expect(stream, reply).await;
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_measured_by_tokios_clock() {
    let broker = Broker::start().await.unwrap();
    let mut client = TcpStream::connect(broker.addr()).await.unwrap();
    ask(&mut client, "SET a 1 EX 3600", "+OK\r\n").await;
    ask(&mut client, "PTTL a", ":3600000\r\n").await;
    advance(HOUR / 2).await;
    ask(&mut client, "PTTL a", ":1800000\r\n").await;
    ask(&mut client, "WATCH a", "+OK\r\n").await;
    advance(HOUR / 2).await;
    ask(&mut client, "EXISTS a", ":0\r\n").await;
    ask(
        &mut client,
        "MULTI\r\nPING\r\nEXEC",
        "+OK\r\n+QUEUED\r\n*-1\r\n",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_key_expires_at_its_deadline() {
    let broker = Broker::start().await.unwrap();
    broker.set_key_events("Ex");
    let mut listener = TcpStream::connect(broker.addr()).await.unwrap();
    let channel = "__keyevent@0__:expired";
    let subscribed = format!("*3\r\n$9\r\nsubscribe\r\n$22\r\n{channel}\r\n:1\r\n");
    ask(&mut listener, &format!("SUBSCRIBE {channel}"), &subscribed).await;
    let mut client = TcpStream::connect(broker.addr()).await.unwrap();
    let start = Instant::now();
    ask(&mut client, "HSET b f v", ":1\r\n").await;
    ask(&mut client, "EXPIRE b 7200", ":1\r\n").await;
    ask(&mut client, "SET a 1 EX 3600", "+OK\r\n").await;
    // Nothing else is left to do, so the clock jumps to one deadline after the other.
    for (key, hours) in [("a", 1), ("b", 2)] {
        let message = format!("*3\r\n$7\r\nmessage\r\n$22\r\n{channel}\r\n$1\r\n{key}\r\n");
        expect(&mut listener, &message).await;
        let passed = start.elapsed();
        // A timer may be a millisecond late.
        assert!(
            (0..=1).contains(&(passed - HOUR * hours).as_millis()),
            "{passed:?}"
        );
    }
}

#[tokio::test]
async fn a_watch_ends_with_its_connection() {
    let broker = Broker::start().await.unwrap();
    let mut client = TcpStream::connect(broker.addr()).await.unwrap();
    ask(&mut client, "WATCH a b", "+OK\r\n").await;
    assert_eq!(broker.shared.lock().watchers.len(), 2);
    broker.kill_connections();
    assert!(broker.shared.lock().watchers.is_empty());
}
