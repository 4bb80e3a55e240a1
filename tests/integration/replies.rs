//! Replies that belong to another command, that come late, or that do not mean what they say.

use std::time::Duration;

use redis_push::{Handle, Subscription};
use tests::{Proxy, RealServer, Server, eventually, within};

use crate::support::{Journal, is_wire, plain, recorder, subscriber};

/// A push that a server sends on its own when a slot leaves it.
const UNSOLICITED: &[u8] = b">3\r\n$12\r\nsunsubscribe\r\n$5\r\nother\r\n:0\r\n";

/// Starts handlers of the channels `denied` and `fine`. The server is asked for the first one again and
/// again.
async fn start_with_a_denied_name(server: &Server, proxy: &Proxy) -> (Handle, Journal) {
    server.deny("denied").await;
    let (denied, _) = recorder("denied", Subscription::channel("denied"));
    let (fine, mut journal) = recorder("fine", Subscription::channel("fine"));
    let starting = subscriber(proxy.url())
        .allow_denied()
        .handlers([denied, fine])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    (handle, journal)
}

/// redis-rs takes the push for the reply to its oldest command, and from then on every reply for that
/// to the command before.
pub(crate) async fn a_reply_that_belongs_to_another_command_is_not_believed(server: Server) {
    let proxy = Proxy::start(server.addr(), 0).await;
    let (handle, mut journal) = start_with_a_denied_name(&server, &proxy).await;
    for _ in 0..3 {
        let before = handle.stats().feed.reconnects;
        // Before the reply to the next attempt to subscribe to the denied name.
        proxy.inject(UNSOLICITED);
        if is_wire() {
            // The second push arrives with the attempt after that.
            let pushes = handle.stats().feed.pushes;
            eventually("the push", async || handle.stats().feed.pushes > pushes).await;
        } else {
            eventually("the end of the connection", async || {
                handle.stats().feed.reconnects > before
            })
            .await;
            journal.lost_connection().await;
        }
        server.publish("fine", "1").await;
        journal.message("fine", "1").await;
        let health = handle.health().to_string();
        assert!(!health.contains("`fine`"), "{health}");
        eventually("the denial", async || {
            let health = handle.health().to_string();
            health.contains("`denied`") && health.contains("ermission")
        })
        .await;
    }
    if is_wire() {
        assert_eq!(handle.stats().feed.reconnects, 0);
    }
}

/// A script keeps the server from executing other commands.
pub(crate) async fn a_busy_server_is_waited_for(server: RealServer) {
    server
        .command(&["CONFIG", "SET", "lua-time-limit", "50"])
        .await;
    let mut script = tests::RawClient::connect(server.addr()).await;
    script.say_words(&["EVAL", "while true do end", "0"]).await;
    let mut client = tests::RawClient::connect(server.addr()).await;
    eventually("the server to be busy", async || {
        client.ask("PING").await.contains("BUSY")
    })
    .await;
    let (mount, _) = recorder("early", Subscription::channel("a"));
    let starting = plain(server.url())
        .start_deadline(Duration::from_secs(1))
        .handlers([mount])
        .start();
    let error = within("the start", starting)
        .await
        .expect_err("a busy server");
    assert!(error.is_timeout() && !error.is_denied(), "{error}");
    assert!(error.to_string().contains("BUSY"), "{error}");
    let (mount, mut journal) = recorder("late", Subscription::channel("a"));
    let starting = tokio::spawn(subscriber(server.url()).handlers([mount]).start());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!starting.is_finished());
    client.ask("SCRIPT KILL").await;
    let _handle = within("the start", starting).await.unwrap().unwrap();
    journal.begins().await;
    server.command(&["PUBLISH", "a", "1"]).await;
    journal.message("a", "1").await;
}

/// The reply to the next attempt to subscribe to the denied name arrives after messages that need
/// longer than any fixed limit.
pub(crate) async fn a_denied_name_does_not_end_a_connection_with_a_backlog(server: Server) {
    const MESSAGES: usize = 450;
    let proxy = Proxy::start(server.addr(), 0).await;
    let (handle, mut journal) = start_with_a_denied_name(&server, &proxy).await;
    // The proxy forwards at most 16 KiB at a time.
    proxy.delay(Duration::from_millis(20));
    let payload = "x".repeat(16 * 1024);
    for _ in 0..MESSAGES {
        server.publish("fine", &payload).await;
    }
    for _ in 0..MESSAGES {
        journal.message("fine", &payload).await;
    }
    assert_eq!(handle.stats().feed.reconnects, 0);
}

/// While this process stands still, messages and the reply to a `PING` arrive in its socket.
pub(crate) async fn a_standstill_of_this_process_is_not_the_servers_silence(server: Server) {
    const PAUSES: usize = 5;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let subscriber = subscriber(server.url())
        .ping(Duration::from_millis(1), Duration::from_millis(400))
        .handlers([mount]);
    let (stop, mut stopped) = tokio::sync::mpsc::channel::<()>(1);
    let (resumed, mut resumes) = tokio::sync::mpsc::channel(1);
    // With a runtime of its own, which one task can block.
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let handle = subscriber.start().await.unwrap();
            while let Some(()) = stopped.recv().await {
                std::thread::sleep(Duration::from_millis(1_200));
                let _ = resumed.send(handle.stats().feed.reconnects).await;
            }
            handle.stats().feed.reconnects
        })
    });
    journal.begins().await;
    for pause in 0..PAUSES {
        stop.send(()).await.unwrap();
        for _ in 0..20 {
            server.publish("a", &pause.to_string()).await;
        }
        within("the end of the pause", resumes.recv()).await;
        for _ in 0..20 {
            journal.message("a", &pause.to_string()).await;
        }
    }
    drop(stop);
    let ended = tokio::task::spawn_blocking(|| thread.join());
    let reconnects = within("the end of the thread", ended)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(reconnects, 0);
}

/// A server with a `timeout` closes idle connections without subscriptions. Tracking is none.
pub(crate) async fn a_connection_with_tracking_only_outlives_the_servers_timeout(
    server: RealServer,
) {
    server.command(&["CONFIG", "SET", "timeout", "1"]).await;
    let (mount, mut journal) = recorder("a", Subscription::invalidation("user:"));
    let handle = crate::support::start(server.url(), [mount]).await;
    journal.begins().await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(handle.stats().feed.reconnects, 0);
    assert!(handle.is_ready(), "{}", handle.health());
}
