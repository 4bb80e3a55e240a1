//! Invalidations: which handler receives which keys.

use std::time::Duration;

use redis::{PushInfo, PushKind, Value};
use redis_push::{GapCause, Overflow, Spec, Subscription};
use tests::{RawClient, RealServer, Server};
use tests::{eventually, within};
use tokio::sync::watch;

use crate::attaching::{attach, service};
use crate::gated::gated;
use crate::support::{Journal, Seen, recorder, start, subscriber};

/// Writes keys, and waits for the replies.
async fn set(writer: &mut RawClient, keys: &[&str]) {
    for key in keys {
        writer.expect(&format!("SET {key} x"), &["+OK"]).await;
    }
}

impl Journal {
    /// Asserts that the next entries are these keys. An empty key stands for all keys.
    async fn keys(&mut self, keys: &[&str]) {
        for key in keys {
            self.message(key, "").await;
        }
    }
}

pub(crate) async fn a_changed_key_is_reported_to_the_handlers_of_its_prefix(server: Server) {
    let invalidations = |prefix: &'static str| recorder(prefix, Subscription::invalidation(prefix));
    // The longest first: the server rejects a prefix that another prefix begins with.
    let (seven, mut seven_journal) = invalidations("user:7");
    let (users, mut users_journal) = invalidations("user:");
    let (again, mut again_journal) = invalidations("user:");
    let (items, mut items_journal) = invalidations("item:");
    // Wildcards and params have no meaning in a prefix.
    let (star, mut star_journal) = invalidations("{user}:*");
    let handle = start(server.url(), [seven, users, again, items, star]).await;
    for journal in [
        &mut seven_journal,
        &mut users_journal,
        &mut again_journal,
        &mut items_journal,
        &mut star_journal,
    ] {
        journal.begins().await;
    }
    let mut writer = server.raw().await;
    set(&mut writer, &["user:7", "other", "user", "user:8"]).await;
    set(&mut writer, &["item:1", "{user}:*1", "{user}:1"]).await;
    writer.expect("DEL user:71 user:8 nothing", &[":1"]).await;
    writer.expect("SET user:79 x PX 20", &["+OK"]).await;
    users_journal
        .keys(&["user:7", "user:8", "user:8", "user:79", "user:79"])
        .await;
    again_journal
        .keys(&["user:7", "user:8", "user:8", "user:79", "user:79"])
        .await;
    seven_journal.keys(&["user:7", "user:79", "user:79"]).await;
    items_journal.keys(&["item:1"]).await;
    star_journal.keys(&["{user}:*1"]).await;
    // A flush invalidates all keys, although no key of these handlers exists.
    writer.expect("FLUSHALL", &["+OK"]).await;
    for journal in [
        &mut seven_journal,
        &mut users_journal,
        &mut again_journal,
        &mut items_journal,
        &mut star_journal,
    ] {
        journal.keys(&[""]).await;
    }
    let stats = handle.shutdown(Duration::from_secs(5)).await.stats;
    assert_eq!(stats.feed.unrouted, 0);
    assert_eq!(stats.gaps(), 0);
}

pub(crate) async fn an_empty_prefix_matches_every_key(server: Server) {
    let (all, mut all_journal) = recorder("all", Subscription::invalidation(""));
    let (one, mut one_journal) = recorder("one", Subscription::invalidation("a"));
    let handle = start(server.url(), [all, one]).await;
    all_journal.begins().await;
    one_journal.begins().await;
    let mut writer = server.raw().await;
    set(&mut writer, &["b", "a"]).await;
    all_journal.keys(&["b", "a"]).await;
    one_journal.keys(&["a"]).await;
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn invalidations_come_back_after_each_lost_connection(server: Server) {
    let (users, mut users_journal) = recorder("users", Subscription::invalidation("user:"));
    let (news, mut news_journal) = recorder("news", Subscription::channel("news"));
    let handle = start(server.url(), [users, news]).await;
    users_journal.begins().await;
    news_journal.begins().await;
    for _ in 0..3 {
        let mut writer = server.raw().await;
        set(&mut writer, &["user:1"]).await;
        users_journal.keys(&["user:1"]).await;
        server.kill_connections().await;
        users_journal.lost_connection().await;
        news_journal.lost_connection().await;
        within("ready again", handle.ready()).await;
        let mut writer = server.raw().await;
        set(&mut writer, &["user:2"]).await;
        users_journal.keys(&["user:2"]).await;
        server.publish("news", "1").await;
        news_journal.message("news", "1").await;
    }
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn invalidations_before_the_shutdown_are_delivered(server: Server) {
    let (users, mut journal) = recorder("users", Subscription::invalidation("user:"));
    let handle = start(server.url(), [users]).await;
    journal.begins().await;
    let mut writer = server.raw().await;
    let keys = 5_000;
    let commands = (0..keys).map(|number| format!("SET user:{number} x\r\n"));
    writer.send(commands.collect::<String>().as_bytes()).await;
    for _ in 0..keys {
        writer.hears(&["+OK"]).await;
    }
    let report = within("the end", handle.shutdown(Duration::from_secs(10))).await;
    assert_eq!(report.stats.handlers[0].handled, keys);
}

pub(crate) async fn a_shutdown_with_tracking_does_not_wait_for_a_silent_or_stopped_server(
    server: Server,
) {
    for is_silent in [true, false] {
        let (users, mut journal) = recorder("users", Subscription::invalidation("user:"));
        let handle = start(server.url(), [users]).await;
        journal.begins().await;
        set(&mut server.raw().await, &["user:1"]).await;
        journal.keys(&["user:1"]).await;
        if is_silent {
            server.freeze(true);
            let shutdown = handle.shutdown(Duration::from_millis(500));
            let report = within("the shutdown", shutdown).await;
            server.freeze(false);
            assert_eq!(report.stats.handlers[0].handled, 1);
        } else {
            server.stop().await;
            eventually("the outage to be noticed", async || !handle.is_ready()).await;
            // The deadline is longer than the test may take.
            let shutdown = handle.shutdown(Duration::from_secs(3_600));
            within("the shutdown", shutdown).await;
        }
        journal.ends().await;
    }
}

pub(crate) async fn a_latest_queue_of_invalidations_has_each_key_once(server: Server) {
    let (gate, closed) = watch::channel(false);
    let spec = Spec::new("users")
        .on(Subscription::invalidation("user:"))
        .overflow(Overflow::Latest);
    let (users, mut journal) = gated(spec, closed);
    let handle = start(server.url(), [users]).await;
    journal.begins().await;
    let mut writer = server.raw().await;
    set(&mut writer, &["user:0"]).await;
    eventually("the first key to be in delivery", async || {
        handle.stats().handlers[0].running == 1
    })
    .await;
    set(&mut writer, &["user:1", "user:2", "user:1", "user:2"]).await;
    eventually("all keys to have arrived", async || {
        handle.stats().handlers[0].superseded == 2
    })
    .await;
    gate.send_replace(true);
    journal.keys(&["user:0", "user:1", "user:2"]).await;
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn a_prefix_of_a_mount_precedes_the_prefix_of_the_keys(server: Server) {
    let (users, mut journal) = recorder("users", Subscription::invalidation("user:"));
    let handle = start(server.url(), [users.prefix("eu:")]).await;
    journal.begins().await;
    let mut writer = server.raw().await;
    set(&mut writer, &["user:1", "eu:user:1"]).await;
    journal.keys(&["eu:user:1"]).await;
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn denied_tracking_is_reported_and_retried(server: RealServer) {
    server
        .command(&["ACL", "SETUSER", "default", "-client"])
        .await;
    let (users, mut users_journal) = recorder("users", Subscription::invalidation("user:"));
    let (news, mut news_journal) = recorder("news", Subscription::channel("news"));
    let starting = subscriber(server.url())
        .allow_denied()
        .handlers([users, news])
        .start();
    let handle = within("the start", starting).await.unwrap();
    news_journal.begins().await;
    assert!(!handle.is_ready());
    let health = handle.health().to_string();
    assert!(
        health.contains("invalidations of keys `user:…` (NOPERM"),
        "{health}"
    );
    server.command(&["PUBLISH", "news", "1"]).await;
    news_journal.message("news", "1").await;
    server
        .command(&["ACL", "SETUSER", "default", "+client"])
        .await;
    within("ready", handle.ready()).await;
    users_journal.begins().await;
    server.command(&["SET", "user:1", "x"]).await;
    users_journal.keys(&["user:1"]).await;
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn an_attached_manager_tracks_in_addition_to_the_service(server: Server) {
    let (manager, sender) = service(&server, 1_000).await;
    // The service has its own prefixes on the connection already.
    let mut theirs = manager.clone();
    redis::cmd("CLIENT")
        .arg(&[
            "TRACKING", "ON", "BCAST", "PREFIX", "user:", "PREFIX", "their:",
        ])
        .exec_async(&mut theirs)
        .await
        .unwrap();
    let (users, mut journal) = recorder("users", Subscription::invalidation("user:7"));
    let (items, mut items_journal) = recorder("items", Subscription::invalidation("item:"));
    let handle = attach(&manager, &sender, [users, items]).await;
    journal.begins().await;
    items_journal.begins().await;
    let mut writer = server.raw().await;
    set(&mut writer, &["their:1", "user:1", "user:71", "item:1"]).await;
    journal.keys(&["user:71"]).await;
    items_journal.keys(&["item:1"]).await;
    eventually("the service's keys to be counted", async || {
        handle.stats().feed.unrouted == 2
    })
    .await;
    // The service's prefixes are gone with the manager's first connection.
    server.kill_connections().await;
    journal.lost_connection().await;
    items_journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    let mut writer = server.raw().await;
    set(&mut writer, &["user:72"]).await;
    journal.keys(&["user:72"]).await;
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn tracking_that_the_service_has_ended_is_enabled_again(server: Server) {
    let (manager, sender) = service(&server, 1_000).await;
    let (users, mut journal) = recorder("users", Subscription::invalidation("user:"));
    let starting = redis_push::Subscriber::attach(manager.clone(), sender.subscribe())
        .ping(Duration::from_millis(20), Duration::from_secs(5))
        .handlers([users])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    for _ in 0..2 {
        redis::cmd("CLIENT")
            .arg(&["TRACKING", "OFF"])
            .exec_async(&mut manager.clone())
            .await
            .unwrap();
        let gap = journal.gap().await;
        assert_eq!(gap.cause, GapCause::Resubscribed, "{gap}");
        let mut writer = server.raw().await;
        set(&mut writer, &["user:1"]).await;
        journal.keys(&["user:1"]).await;
    }
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn tracking_by_key_in_the_service_is_reported_as_a_conflict(server: Server) {
    let (manager, sender) = service(&server, 1_000).await;
    let mut theirs = manager.clone();
    redis::cmd("CLIENT")
        .arg(&["TRACKING", "ON"])
        .exec_async(&mut theirs)
        .await
        .unwrap();
    let (users, _journal) = recorder("users", Subscription::invalidation("user:"));
    let starting = redis_push::Subscriber::attach(manager, sender.subscribe())
        .start_deadline(Duration::from_secs(10))
        .handlers([users])
        .start();
    let error = within("the start", starting).await.unwrap_err();
    assert!(error.is_denied(), "{error}");
    assert!(error.to_string().contains("BCAST mode"), "{error}");
}

/// A push as redis-rs sends it.
fn push(kind: PushKind, data: Value) -> PushInfo {
    PushInfo {
        kind,
        data: vec![data],
    }
}

pub(crate) async fn invalidations_after_an_overflow_of_the_services_channel_are_delivered(
    server: Server,
) {
    let (manager, sender) = service(&server, 64).await;
    let (users, mut journal) = recorder("users", Subscription::invalidation("user:"));
    let handle = attach(&manager, &sender, [users]).await;
    journal.begins().await;
    for round in 0..20 {
        // More than the channel holds, before the forwarding task can run.
        for _ in 0..10_000 {
            sender.send(push(PushKind::Message, Value::Nil)).unwrap();
        }
        // After the gap, and before the library asks the server again.
        let keys = [0, 1, 2, 3].map(|number| format!("user:{round}:{number}"));
        for key in &keys {
            let key = Value::BulkString(key.clone().into_bytes());
            sender
                .send(push(PushKind::Invalidate, Value::Array(vec![key])))
                .unwrap();
        }
        let mut received = Vec::new();
        while received.len() < keys.len() {
            match journal.next().await {
                Seen::Message(key, _) => received.push(key),
                // The second one follows when the tracking is confirmed again: its end may have been
                // lost too.
                Seen::Gap(gap) => assert!(
                    matches!(gap.cause, GapCause::Lagged | GapCause::Resubscribed),
                    "{gap}"
                ),
            }
        }
        assert_eq!(received, keys);
    }
    assert!(handle.stats().gaps() > 0, "the channel has lagged");
    within("ready again", handle.ready()).await;
    let mut writer = server.raw().await;
    set(&mut writer, &["user:fresh"]).await;
    let fresh = Seen::Message("user:fresh".into(), String::new());
    while journal.next().await != fresh {}
    handle.shutdown(Duration::from_secs(5)).await;
}

pub(crate) async fn an_unreadable_invalidation_is_reported_as_all_keys(server: Server) {
    let (manager, sender) = service(&server, 64).await;
    let (users, mut journal) = recorder("users", Subscription::invalidation("user:"));
    let handle = attach(&manager, &sender, [users]).await;
    journal.begins().await;
    // A flush as the first releases of Redis 6.0 send it, and data that cannot be parsed.
    let flush = Value::Array(vec![Value::BulkString(vec![0])]);
    for data in [flush, Value::Int(1)] {
        sender.send(push(PushKind::Invalidate, data)).unwrap();
        journal.keys(&[""]).await;
    }
    assert_eq!(handle.stats().feed.malformed, 1);
    handle.shutdown(Duration::from_secs(5)).await;
}
