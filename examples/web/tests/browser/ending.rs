//! The end of a service. Clients that have stopped reading, such as a suspended phone, do not keep it from
//! ending.

use std::time::Duration;

use redis::AsyncCommands as _;
use tests::{Server, eventually_in};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::client::{request, status, upgrade};
use crate::stage::{Application, BOUND, server};

/// How long responses may take to end after the subscriber: what `Site::serve` promises.
const FINISH: Duration = Duration::from_secs(5);
/// How much later a process may end on a busy machine.
const SLACK: Duration = Duration::from_secs(10);

/// More than what the systems of both ends keep for a connection whose client does not read.
const PIECE: usize = 128 * 1024;
const PIECES: usize = 64;

async fn start(program: &str) -> (Server, Application) {
    let server = server().await;
    let application = Application::start(program, &["--port", "0"], &server.url(), 1);
    (server, application)
}

/// Publishes until a stream of the application is behind by its whole buffer: nobody takes it. What a stream
/// has lost is counted when it is read again, so this looks at what waits for it.
async fn flood(server: &Server, application: &Application, channel: &str, payload: &str) {
    const BUFFER: u64 = 256;
    let flood = async || {
        for _ in 0..PIECES {
            server.publish(channel, payload).await;
        }
        let queued = values(application, "redis_push_streams_queued{", "").await;
        queued.iter().any(|queued| *queued >= BUFFER)
    };
    eventually_in(BOUND, "the stream to fall behind", flood).await;
}

/// Returns the values of a metric whose labels contain a text.
async fn values(application: &Application, metric: &str, label: &str) -> Vec<u64> {
    let metrics = reqwest::get(application.page("/metrics")).await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let of_metric = |line: &&str| line.starts_with(metric) && line.contains(label);
    let values = metrics.lines().filter(of_metric);
    values
        .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        .collect()
}

/// Asks an application to end, and returns how long that took.
async fn end(application: Application, stalled: TcpStream) -> Duration {
    let begun = Instant::now();
    assert!(application.terminate().await);
    let took = begun.elapsed();
    drop(stalled);
    assert!(took < FINISH + SLACK, "it has ended after {took:?}");
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_in_the_list_of_services_while_it_runs() {
    let (server, application) = start(env!("CARGO_BIN_EXE_notifications")).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let mut services = async || -> Vec<String> {
        let services = redis.smembers("example:notifications:services").await;
        services.unwrap()
    };
    let (_, address) = application.urls[0].rsplit_once('/').unwrap();
    let address = address.to_owned();
    eventually_in(BOUND, "the service in the list", async || {
        services().await == [&*address]
    })
    .await;
    assert!(application.terminate().await);
    assert!(services().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_end_although_a_page_does_not_read() {
    let (server, application) = start(env!("CARGO_BIN_EXE_notifications")).await;
    let mut page = request(&application, "GET /ann/events HTTP/1.1").await;
    assert_eq!(status(&mut page).await, 200);
    server.wait_for_subscribers_of("notifications.ann", 1).await;
    let payload = format!(r#"{{"id":1,"text":"{}"}}"#, "x".repeat(PIECE));
    flood(&server, &application, "notifications.ann", &payload).await;
    let took = end(application, page).await;
    // Otherwise this test would be of a response that has ended.
    assert!(took >= FINISH, "nothing was left to send after {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_ends_although_a_socket_is_not_read() {
    let (server, application) = start(env!("CARGO_BIN_EXE_chat")).await;
    let mut socket = request(&application, &upgrade("/lobby/ann/socket")).await;
    assert_eq!(status(&mut socket).await, 101);
    server.wait_for_subscribers_of("chat.lobby.said", 1).await;
    let text = "x".repeat(PIECE);
    let payload = format!(r#"{{"id":1,"name":"bob","text":"{text}"}}"#);
    flood(&server, &application, "chat.lobby.said", &payload).await;
    end(application, socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_ends_although_a_page_does_not_read() {
    let (server, application) = start(env!("CARGO_BIN_EXE_sync")).await;
    let mut page = request(&application, "GET /events HTTP/1.1").await;
    assert_eq!(status(&mut page).await, 200);
    server.wait_for_subscribers_of("cart.changes", 1).await;
    // A page receives the whole cart with each change, and it grows until it does not fit.
    for version in 1..=PIECES {
        let item = format!("{version}{}", "x".repeat(PIECE));
        let payload = format!(r#"{{"version":{version},"item":"{item}","quantity":1}}"#);
        server.publish("cart.changes", &payload).await;
    }
    let applied = async || {
        let metric = "messaging_client_consumed_messages_total{";
        let consumed = values(&application, metric, r#"handler="on_change""#).await;
        consumed.iter().sum::<u64>() == PIECES as u64
    };
    eventually_in(BOUND, "the changes", applied).await;
    let took = end(application, page).await;
    assert!(took >= FINISH, "nothing was left to send after {took:?}");
}
