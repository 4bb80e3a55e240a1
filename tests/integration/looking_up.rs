//! The look-up of a primary and the watch over it, with sentinels that say what a test wants.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::future::join_all;
use redis_push::testing::{Broker, TestKit};
use redis_push::{Endpoint, Handle, Publisher, Subscriber, Subscription};
use tests::{FakeSentinel, RealSentinels, Server, eventually, within};
use tokio::net::TcpSocket;

use crate::support::*;

const NAME: &str = RealSentinels::NAME;

/// Three sentinels that know nothing.
async fn three() -> Vec<FakeSentinel> {
    join_all((0..3).map(|_| FakeSentinel::start())).await
}

async fn broker() -> Broker {
    Broker::start().await.expect("a free port")
}

fn urls(sentinels: &[FakeSentinel]) -> Vec<String> {
    sentinels.iter().map(FakeSentinel::url).collect()
}

fn by(sentinels: &[FakeSentinel]) -> Subscriber {
    linked(Subscriber::sentinel(NAME, urls(sentinels)))
        .start_deadline(Duration::from_secs(20))
        .reconnect_delay(Duration::from_millis(10), Duration::from_millis(200))
        .topology_interval(Duration::from_millis(50))
}

async fn started(subscriber: Subscriber) -> (Handle, Journal) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = within("the start", subscriber.handlers([mount]).start());
    let handle = handle.await.unwrap();
    journal.begins().await;
    (handle, journal)
}

async fn error_of(subscriber: Subscriber) -> redis_push::Error {
    let (mount, _) = recorder("a", Subscription::channel("a"));
    let started = within("the start", subscriber.handlers([mount]).start()).await;
    started.expect_err("it must not start")
}

/// Waits until each sentinel has been asked twice more.
async fn asked_again(sentinels: &[FakeSentinel]) {
    for sentinel in sentinels {
        let before = sentinel.asked();
        eventually("a sentinel to be asked again", async || {
            sentinel.asked() >= before + 2
        })
        .await;
    }
}

pub(crate) async fn the_newest_failover_wins_whoever_answers_first(old: Broker) {
    let (new, sentinels) = (broker().await, three().await);
    sentinels[0].names(old.addr(), 6);
    sentinels[1].names(new.addr(), 7);
    sentinels[2].names(new.addr(), 7);
    let (handle, mut journal) = started(by(&sentinels)).await;
    new.publish("a", "here");
    journal.message("a", "here").await;
    asked_again(&sentinels).await;
    assert!(handle.is_ready());
    assert_eq!(handle.stats().feed.reconnects, 0);
}

pub(crate) async fn a_sentinel_that_is_cut_off_does_not_replace_a_primary(primary: Broker) {
    let (other, sentinels) = (broker().await, three().await);
    for sentinel in &sentinels {
        sentinel.names(primary.addr(), 7);
    }
    let (handle, mut journal) = started(by(&sentinels)).await;
    // An older failover, and another one with the same number.
    for epoch in [6, 7] {
        sentinels[0].names(other.addr(), epoch);
        sentinels[0].announce(primary.addr(), other.addr());
        asked_again(&sentinels).await;
    }
    // A newer failover that has ended at the same server is not overtaken by one before it.
    sentinels[1].names(primary.addr(), 9);
    asked_again(&sentinels).await;
    sentinels[1].be_silent(true);
    sentinels[0].names(other.addr(), 8);
    asked_again(&sentinels[..1]).await;
    assert_eq!(handle.stats().feed.reconnects, 0);
    primary.publish("a", "here");
    journal.message("a", "here").await;
    assert!(handle.is_ready());
}

pub(crate) async fn one_sentinel_that_knows_of_a_newer_failover_is_enough(old: Broker) {
    let (new, sentinels) = (broker().await, three().await);
    for sentinel in &sentinels {
        sentinel.names(old.addr(), 7);
    }
    let (handle, mut journal) = started(by(&sentinels)).await;
    sentinels[2].names(new.addr(), 8);
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    old.publish("a", "nobody hears it");
    new.publish("a", "here");
    journal.message("a", "here").await;
}

pub(crate) async fn an_announcement_is_a_reason_to_ask_at_once(old: Broker) {
    let (new, sentinels) = (broker().await, three().await);
    for sentinel in &sentinels {
        sentinel.names(old.addr(), 7);
    }
    let hour = Duration::from_secs(3_600);
    let (handle, mut journal) = started(by(&sentinels[..1]).topology_interval(hour)).await;
    // The look-up, and the first question of the watch.
    eventually("the watch to ask", async || sentinels[0].asked() >= 2).await;
    sentinels[0].names(new.addr(), 8);
    // It may not be subscribed to yet.
    eventually("the announcement to be heard", async || {
        sentinels[0].announce(old.addr(), new.addr());
        handle.stats().feed.reconnects > 0
    })
    .await;
    journal.lost_connection().await;
    new.publish("a", "here");
    journal.message("a", "here").await;
}

pub(crate) async fn sentinels_that_are_silent_do_not_hold_up_the_others(primary: Broker) {
    let sentinels = three().await;
    sentinels[0].be_silent(true);
    sentinels[1].names(primary.addr(), 7);
    sentinels[2].names(primary.addr(), 7);
    let (handle, mut journal) = started(by(&sentinels)).await;
    primary.kill_connections();
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
}

pub(crate) async fn a_primary_that_is_found_while_the_pauses_are_long_is_connected_to_at_once(
    new: Broker,
) {
    let sentinels = three().await;
    // Nobody listens there.
    let nowhere = "127.0.0.1:1".parse().unwrap();
    for sentinel in &sentinels {
        sentinel.names(nowhere, 7);
    }
    let hour = Duration::from_secs(3_600);
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let subscriber = by(&sentinels).reconnect_delay(hour, hour);
    let handle = subscriber.handlers([mount]).spawn().unwrap();
    eventually("the address in the health", async || {
        let health = handle.health().to_string();
        health.contains("no server answers at 127.0.0.1:1") && health.contains("`mymaster`")
    })
    .await;
    for sentinel in &sentinels {
        sentinel.names(new.addr(), 8);
    }
    within("ready", handle.ready()).await;
    journal.begins().await;
}

/// Its URL may be a mistake.
pub(crate) async fn a_server_among_sentinels_that_names_no_primary_is_logged(primary: Broker) {
    let sentinels = three().await;
    sentinels[1].names(primary.addr(), 7);
    sentinels[2].names(primary.addr(), 7);
    let (_handle, _journal) = started(by(&sentinels)).await;
    asked_again(&sentinels).await;
    let address = sentinels[0].addr().to_string();
    let events = tests::overheard::events("redis_push");
    let is_of_it = |fields: &&std::collections::HashMap<_, String>| {
        let sentinel = fields.get("sentinel");
        sentinel.is_some_and(|sentinel| *sentinel == address) && fields.contains_key("answer")
    };
    assert_eq!(
        events.iter().filter(is_of_it).count(),
        1,
        "once, not each time"
    );
}

/// The connection goes on, so nothing else shows that a failover would be noticed late.
pub(crate) async fn the_topology_says_which_sentinels_do_not_answer(primary: Broker) {
    let sentinels = three().await;
    sentinels[1].names(primary.addr(), 7);
    sentinels[2].names(primary.addr(), 7);
    let (handle, _journal) = started(by(&sentinels)).await;
    let errors = || {
        let topology = handle.topology();
        let each = topology.sentinels.into_iter().zip(&sentinels);
        let each = each.map(|(seen, sentinel)| {
            assert_eq!(seen.address, sentinel.addr().to_string());
            assert_ne!(seen.names_primary, seen.error.is_some(), "{seen}");
            seen.error
        });
        each.collect::<Vec<_>>()
    };
    asked_again(&sentinels).await;
    assert_eq!(handle.topology().sentinels.len(), 3);
    let seen = errors();
    assert!(
        seen[0].as_ref().is_some_and(|error| !error.is_empty()),
        "{seen:?}"
    );
    assert_eq!(seen[1..], [None, None]);
    for sentinel in &sentinels {
        sentinel.be_silent(true);
    }
    let is_silent = |error: &Option<String>| {
        let error = error.as_deref().unwrap_or_default();
        error.contains("did not answer")
    };
    eventually("three errors", async || errors().iter().all(is_silent)).await;
    let text = handle.topology().to_string();
    assert!(
        text.contains(&format!("\nsentinel {}: ", sentinels[2].addr())),
        "{text}"
    );
    assert!(handle.is_ready(), "{}", handle.health());
    for sentinel in &sentinels {
        sentinel.be_silent(false);
    }
    eventually("two answers", async || errors()[1..] == [None, None]).await;
}

pub(crate) async fn an_unknown_name_is_an_error_at_once() {
    let sentinels = three().await;
    let error = error_of(by(&sentinels)).await;
    assert!(error.is_config(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("know no primary by the name `mymaster`"),
        "{text}"
    );
    for sentinel in &sentinels {
        assert!(text.contains(&sentinel.addr().to_string()), "{text}");
    }
}

pub(crate) async fn a_server_that_is_no_sentinel_is_an_error_at_once(server: Server) {
    let subscriber = linked(Subscriber::sentinel(NAME, [server.url()]));
    let error = error_of(subscriber).await;
    assert!(error.is_config(), "{error}");
    let text = error.to_string().to_ascii_lowercase();
    assert!(text.contains("those of sentinels"), "{text}");
    assert!(text.contains("unknown command"), "{text}");
}

pub(crate) async fn the_error_without_a_sentinel_has_the_answer_of_each() {
    let silent = FakeSentinel::start().await;
    silent.be_silent(true);
    let ignorant = FakeSentinel::start().await;
    // Bound but not listening: nobody else gets the port.
    let gone = TcpSocket::new_v4().unwrap();
    gone.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let gone_url = format!("redis://{}/", gone.local_addr().unwrap());
    let urls = [silent.url(), ignorant.url(), gone_url];
    let subscriber = linked(Subscriber::sentinel(NAME, urls))
        .connect_timeout(Duration::from_millis(200))
        .start_deadline(Duration::from_secs(2));
    let error = error_of(subscriber).await;
    assert!(error.is_timeout(), "{error}");
    let text = error.to_string();
    for part in [
        "no sentinel names the primary of `mymaster`",
        &format!("{}: ", silent.addr()),
        // `no answer in time`, or `did not answer within 200ms`: both times are over at once.
        "answer",
        &format!("{}: the sentinel does not know a primary", ignorant.addr()),
        "connection refused",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

pub(crate) async fn mistakes_in_the_options_of_sentinels_are_errors_of_the_start() {
    let url = "redis://127.0.0.1:1/";
    for (subscriber, part) in [
        (Subscriber::sentinel("", [url]), "needs the name"),
        (Subscriber::sentinel(NAME, [""; 0]), "at least one sentinel"),
        (
            Subscriber::sentinel(NAME, ["redis://127.0.0.1:1/3"]),
            "has a database",
        ),
        (Subscriber::sentinel(NAME, ["127.0.0.1"]), "does not parse"),
        (
            Subscriber::new(url).sentinel_credentials(|| async {
                Ok::<_, std::io::Error>(redis_push::Credentials::of_default_user("pw"))
            }),
            "are for sentinels",
        ),
    ] {
        let error = subscriber.start().await.unwrap_err();
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
}

pub(crate) async fn publishers_change_to_the_new_primary(old: Broker) {
    let (new, sentinels) = (broker().await, three().await);
    for sentinel in &sentinels {
        sentinel.names(old.addr(), 7);
    }
    let endpoint = Endpoint::sentinel(NAME, urls(&sentinels));
    let endpoint = endpoint.topology_interval(Duration::from_millis(50));
    let publisher = Publisher::new(endpoint).unwrap();
    let (of_old, mut old_journal) = recorder("a", Subscription::channel("a"));
    let (of_new, mut new_journal) = recorder("a", Subscription::channel("a"));
    let _old_handle = start(old.url(), [of_old]).await;
    let _new_handle = start(new.url(), [of_new]).await;
    old_journal.begins().await;
    new_journal.begins().await;
    assert_eq!(publisher.publish_to("a", "old").await.unwrap(), 1);
    old_journal.message("a", "old").await;
    sentinels[1].names(new.addr(), 8);
    let mut number = 0;
    eventually("the publisher to change", async || {
        number += 1;
        publisher
            .publish_to("a", &*number.to_string())
            .await
            .unwrap();
        !new_journal.so_far().is_empty()
    })
    .await;
}

pub(crate) async fn a_publish_to_a_primary_that_is_frozen_is_unknown_when_it_is_replaced(
    old: Broker,
) {
    let (new, sentinels) = (broker().await, three().await);
    let proxy = tests::Proxy::start(old.addr(), 0).await;
    for sentinel in &sentinels {
        sentinel.names(proxy.addr(), 7);
    }
    let endpoint = Endpoint::sentinel(NAME, urls(&sentinels));
    let endpoint = endpoint.topology_interval(Duration::from_millis(50));
    let publisher = Publisher::new(endpoint).unwrap();
    let publisher = publisher.timeout(Duration::from_secs(3_600));
    publisher.publish_to("a", "before").await.unwrap();
    proxy.black_hole(tests::Way::ToClient, true);
    let publishing = publisher.publish_to("a", "during");
    let (published, ()) = tokio::join!(within("an answer", publishing), async {
        sentinels[0].names(new.addr(), 8);
    });
    let error = published.unwrap_err();
    assert!(error.is_connection(), "{error}");
    let text = error.to_string();
    assert!(text.contains("not known to be published"), "{text}");
    assert!(text.contains(&proxy.addr().to_string()), "{text}");
    publisher.publish_to("a", "after").await.unwrap();
}

pub(crate) async fn a_subscriber_by_sentinels_runs_in_a_test_kit() {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    // Nobody listens there.
    let sentinels = ["redis://127.0.0.1:1/"];
    let app = linked(Subscriber::sentinel(NAME, sentinels)).handlers([mount]);
    let kit = TestKit::start(app).await.unwrap();
    journal.begins().await;
    let publisher = Publisher::new(Endpoint::sentinel(NAME, sentinels)).unwrap();
    publisher.publish_to("a", "here").await.unwrap();
    kit.settle().await.unwrap();
    journal.message("a", "here").await;
}
