//! Subscribers over unix sockets.

use std::time::Duration;

use redis_push::Subscription;
use tests::{RealServer, Server, eventually, within};

use crate::support::{plain, recorder, start};

pub(crate) async fn messages_arrive_over_a_unix_socket_and_after_each_outage(server: RealServer) {
    server.set_password(Some("right")).await;
    let url = format!("{}?db=2&pass=right", server.unix_url());
    let server = Server::Real(server);
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(url, [mount]).await;
    journal.begins().await;
    server.publish("a", "1").await;
    journal.message("a", "1").await;
    server.kill_connections().await;
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    server.publish("a", "2").await;
    journal.message("a", "2").await;

    server.stop().await;
    eventually("the outage to be noticed", async || !handle.is_ready()).await;
    server.start_again().await;
    // The restart has removed the password, and a default user without a password accepts any.
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    server.publish("a", "3").await;
    journal.message("a", "3").await;
}

pub(crate) async fn a_missing_unix_socket_is_named() {
    let (mount, _) = recorder("a", Subscription::channel("a"));
    let starting = plain("redis+unix:///nowhere/redis.sock")
        .start_deadline(Duration::from_millis(500))
        .handlers([mount])
        .start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(error.is_connection(), "{error}");
    let text = error.to_string();
    assert!(text.contains("the socket /nowhere/redis.sock"), "{text}");
}
