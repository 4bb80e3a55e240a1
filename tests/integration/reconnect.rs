//! Lost and silent connections, and the gaps that handlers receive.

use std::time::Duration;

use redis_push::testing::Broker;
use redis_push::{GapCause, Subscription};
use tests::{RealServer, Server};
use tests::{eventually, within};
use tokio::time::Instant;

use crate::support::{Seen, recorder, start, subscriber};

pub(crate) async fn a_killed_connection_is_resubscribed_and_every_handler_gets_a_gap(
    server: Server,
) {
    let (a, mut a_journal) = recorder("a", Subscription::channel("a"));
    let (b, mut b_journal) = recorder("b", Subscription::pattern("b.*"));
    let handle = start(server.url(), [a, b]).await;
    a_journal.begins().await;
    b_journal.begins().await;
    for round in 0..5 {
        server.publish("a", "before").await;
        a_journal.message("a", "before").await;
        server.kill_connections().await;
        let gap = a_journal.lost_connection().await;
        assert!(gap.since <= gap.until);
        b_journal.lost_connection().await;
        within("ready again", handle.ready()).await;
        server.publish("a", "after").await;
        server.publish("b.1", "after").await;
        a_journal.message("a", "after").await;
        b_journal.message("b.1", "after").await;
        assert_eq!(handle.stats().feed.reconnects, round + 1);
    }
    let report = handle.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.stats.gaps(), 10);
}

/// redis-rs stops after six retries, which take about 6 to 13 seconds, and then stays deaf.
pub(crate) async fn reconnects_after_an_outage_that_is_longer_than_the_managers_own_retries(
    server: RealServer,
) {
    let server = Server::Real(server);
    let (mounts, mut journals): (Vec<_>, Vec<_>) = ["a", "b", "c"]
        .map(|name| recorder(name, Subscription::channel(name)))
        .into_iter()
        .unzip();
    let handle = start(server.url(), mounts).await;
    for journal in &mut journals {
        journal.begins().await;
    }
    server.stop().await;
    eventually("the outage to be noticed", async || !handle.is_ready()).await;
    let outage = Duration::from_secs(15);
    tokio::time::sleep(outage).await;
    assert!(!handle.is_ready());
    server.start_again().await;
    // The user sends no command. The library reconnects anyway.
    for (journal, name) in journals.iter_mut().zip(["a", "b", "c"]) {
        let gap = journal.lost_connection().await;
        assert!(gap.until.duration_since(gap.since).unwrap() >= outage);
        server.wait_for_subscribers_of(name, 1).await;
        server.publish(name, "again").await;
        journal.message(name, "again").await;
    }
}

pub(crate) async fn a_server_that_goes_silent_is_noticed_by_ping(server: Server) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let ping = Duration::from_millis(200);
    let starting = subscriber(server.url())
        .ping(ping, ping)
        .connect_timeout(Duration::from_millis(500))
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    server.freeze(true);
    eventually("the silence to be noticed", async || !handle.is_ready()).await;
    server.freeze(false);
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    server.publish("a", "again").await;
    journal.message("a", "again").await;
}

pub(crate) async fn an_idle_connection_raises_no_false_alarm(server: Server) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let starting = subscriber(server.url())
        .ping(Duration::from_millis(1), Duration::from_secs(5))
        .handlers([mount])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    // About a thousand pings.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(handle.is_ready());
    assert_eq!(handle.stats().feed.reconnects, 0);
}

pub(crate) async fn a_wrong_password_during_an_outage_is_retried(server: Server) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    server.set_password(Some("another")).await;
    server.kill_connections().await;
    eventually("the outage to be noticed", async || !handle.is_ready()).await;
    // Long enough for several attempts, which the server all refuses.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!handle.is_ready());
    server.set_password(None).await;
    journal.lost_connection().await;
    server.publish("a", "again").await;
    journal.message("a", "again").await;
}

pub(crate) async fn a_denied_name_affects_no_other_name_and_recovers_when_it_is_allowed(
    server: Server,
) {
    let (fine, mut fine_journal) = recorder("fine", Subscription::channel("fine"));
    let (secret, mut secret_journal) = recorder("secret", Subscription::channel("secret"));
    let handle = start(server.url(), [fine, secret]).await;
    fine_journal.begins().await;
    secret_journal.begins().await;

    // The server closes a connection that is subscribed to a denied name, so there may be two losses.
    server.deny("secret").await;
    server.kill_connections().await;
    fine_journal.lost_connection().await;
    server.wait_for_subscribers_of("fine", 1).await;
    server.publish("fine", "1").await;
    loop {
        match fine_journal.next().await {
            Seen::Gap(gap) => assert_eq!(gap.cause, GapCause::ConnectionLost),
            message => break assert_eq!(message, Seen::Message("fine".into(), "1".into())),
        }
    }
    assert!(!handle.is_ready());

    // Readiness follows the confirmation, however long ago the denial was.
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.allow("secret").await;
    let gap = within("ready again", async {
        handle.ready().await;
        secret_journal.gap().await
    })
    .await;
    assert_eq!(gap.cause, GapCause::ConnectionLost);
    server.publish("secret", "2").await;
    secret_journal.message("secret", "2").await;
}

pub(crate) async fn an_unexpected_unsubscribe_is_reported_and_resubscribed(broker: Broker) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(broker.url(), [mount]).await;
    journal.begins().await;
    broker.inject(b">3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
    let gap = journal.gap().await;
    assert_eq!(gap.cause, GapCause::Resubscribed);
    within("ready again", handle.ready()).await;
    broker.publish("a", "again");
    journal.message("a", "again").await;
}

pub(crate) async fn late_confirmations_are_waited_for(broker: Broker) {
    broker.delay_confirmations(Duration::from_millis(300));
    let (mounts, journals): (Vec<_>, Vec<_>) = ["a", "b", "c"]
        .map(|name| recorder(name, Subscription::channel(name)))
        .into_iter()
        .unzip();
    let begun = Instant::now();
    let handle = start(broker.url(), mounts).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    for (mut journal, name) in journals.into_iter().zip(["a", "b", "c"]) {
        journal.begins().await;
        broker.publish(name, "x");
        journal.message(name, "x").await;
    }
    drop(handle);
}

/// A handler must never receive messages of two connections at once, and a gap separates the messages
/// of one connection from those of the next.
pub(crate) async fn order_is_kept_without_duplicates_over_many_disconnects(server: Server) {
    const DISCONNECTS: u64 = 30;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = start(server.url(), [mount]).await;
    let mut number = 0;
    for round in 0..DISCONNECTS {
        for _ in 0..20 {
            server.publish("a", &number.to_string()).await;
            number += 1;
        }
        server.kill_connections().await;
        for _ in 0..20 {
            server.publish("a", &number.to_string()).await;
            number += 1;
        }
        eventually("the next connection", async || {
            handle.stats().feed.reconnects == round + 1 && handle.is_ready()
        })
        .await;
    }
    let report = handle.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.stats.gaps(), DISCONNECTS);
    let (mut next, mut has_gap) = (0, false);
    for seen in journal.so_far() {
        match seen {
            Seen::Gap(_) => has_gap = true,
            Seen::Message(_, payload) => {
                let number: u64 = payload.parse().unwrap();
                assert!(number >= next, "{number} came where {next} was due");
                assert!(
                    number == next || has_gap,
                    "{next} to {number} are missing without a gap"
                );
                (next, has_gap) = (number + 1, false);
            }
        }
    }
}
