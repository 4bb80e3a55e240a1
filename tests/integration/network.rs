//! Network faults, and the gaps that handlers receive.

use std::time::{Duration, SystemTime};

use redis_push::Subscription;
use tests::{Proxy, Server, Way, eventually, within};
use tokio::time::sleep;

use crate::support::{recorder, start, subscriber};

pub(crate) async fn a_message_that_is_cut_inside_its_frame_is_not_delivered(server: Server) {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let proxy = Proxy::start(server.addr(), seed).await;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(proxy.url(), [mount]).await;
    journal.begins().await;
    for _ in 0..20 {
        server.publish("a", "before").await;
        journal.message("a", "before").await;
        proxy.cut_inside_a_frame();
        server.publish("a", "a payload that is cut").await;
        journal.lost_connection().await;
        within("ready again", handle.ready()).await;
    }
}

pub(crate) async fn a_reset_is_reported_and_resubscribed(server: Server) {
    let proxy = Proxy::start(server.addr(), 0).await;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(proxy.url(), [mount]).await;
    journal.begins().await;
    proxy.refuse(true);
    proxy.reset();
    eventually("the reset to be noticed", async || !handle.is_ready()).await;
    proxy.refuse(false);
    journal.lost_connection().await;
    server.publish("a", "again").await;
    journal.message("a", "again").await;
}

pub(crate) async fn nothing_is_lost_on_a_slow_line_in_one_byte_pieces(server: Server) {
    let proxy = Proxy::start(server.addr(), 0).await;
    proxy.split(1);
    proxy.delay(Duration::from_millis(20));
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(proxy.url(), [mount]).await;
    journal.begins().await;
    for number in 0..50 {
        server.publish("a", &number.to_string()).await;
    }
    for number in 0..50 {
        journal.message("a", &number.to_string()).await;
    }
    assert_eq!(handle.stats().feed.reconnects, 0);
}

/// What is lost was published while an earlier message was still on its way.
pub(crate) async fn a_gap_begins_before_the_first_loss_on_a_slow_line(server: Server) {
    let proxy = Proxy::start(server.addr(), 0).await;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(proxy.url(), [mount]).await;
    journal.begins().await;
    for _ in 0..3 {
        proxy.delay(Duration::from_millis(300));
        server.publish("a", "arrives").await;
        // The proxy has read the first message, and holds it.
        sleep(Duration::from_millis(100)).await;
        let published = SystemTime::now();
        server.publish("a", "is lost").await;
        journal.message("a", "arrives").await;
        proxy.reset();
        let gap = journal.lost_connection().await;
        let resumed = SystemTime::now();
        assert!(gap.since <= published, "the gap begins too late: {gap}");
        assert!(published <= gap.until && gap.until <= resumed);
        proxy.delay(Duration::ZERO);
        within("ready again", handle.ready()).await;
    }
}

/// Each answered `PING` moves the beginning of the next gap. Otherwise gaps would grow with the age of
/// the connection.
pub(crate) async fn a_gap_begins_at_the_last_ping_that_was_answered(server: Server) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let starting = subscriber(server.url())
        .ping(Duration::from_millis(20), Duration::from_secs(5))
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    let mut subscribed = SystemTime::now();
    // The first pings of a connection may not be answered before it is killed.
    eventually("a gap that begins after the confirmation", async || {
        sleep(Duration::from_millis(100)).await;
        server.kill_connections().await;
        let gap = journal.lost_connection().await;
        within("ready again", handle.ready()).await;
        std::mem::replace(&mut subscribed, SystemTime::now()) < gap.since
    })
    .await;
}

pub(crate) async fn a_black_hole_in_either_direction_is_noticed(server: Server) {
    let proxy = Proxy::start(server.addr(), 0).await;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let ping = Duration::from_millis(200);
    let starting = subscriber(proxy.url())
        .ping(ping, ping)
        .connect_timeout(Duration::from_millis(500))
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    for way in [Way::ToClient, Way::ToServer] {
        proxy.black_hole(way, true);
        eventually("the silence to be noticed", async || !handle.is_ready()).await;
        proxy.black_hole(way, false);
        journal.lost_connection().await;
        within("ready again", handle.ready()).await;
    }
    proxy.forget_server();
    journal.lost_connection().await;
    server.publish("a", "again").await;
    journal.message("a", "again").await;
}

/// While pushes arrive, the reply to a ping may take longer than the timeout. That ends with the last
/// push.
pub(crate) async fn messages_after_a_ping_do_not_hide_the_silence(server: Server) {
    let proxy = Proxy::start(server.addr(), 0).await;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    // `eventually` waits less than twice the timeout.
    let starting = subscriber(proxy.url())
        .ping(Duration::from_millis(1), Duration::from_secs(6))
        .connect_timeout(Duration::from_millis(500))
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    // From here on no ping is answered, and one is sent before the last message.
    proxy.black_hole(Way::ToServer, true);
    for _ in 0..10 {
        sleep(Duration::from_millis(20)).await;
        server.publish("a", "1").await;
        journal.message("a", "1").await;
    }
    proxy.black_hole(Way::ToClient, true);
    eventually("the silence to be noticed", async || !handle.is_ready()).await;
    for way in [Way::ToClient, Way::ToServer] {
        proxy.black_hole(way, false);
    }
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
}
