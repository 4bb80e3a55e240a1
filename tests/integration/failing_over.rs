//! Failovers of real servers by real sentinels, with numbered messages.

use std::time::{Duration, SystemTime};

use redis_push::{BoxError, Credentials, Endpoint, Publisher, Subscriber, Subscription};
use tests::{FakeSentinel, RawClient, RealSentinels, eventually, within};

use crate::numbered::{Numbered, promotion};
use crate::support::*;

const NAME: &str = RealSentinels::NAME;

fn by(sentinels: &RealSentinels) -> Subscriber {
    linked(Subscriber::sentinel(NAME, sentinels.urls()))
        .start_deadline(Duration::from_secs(20))
        .reconnect_delay(Duration::from_millis(10), Duration::from_secs(2))
        .ping(Duration::from_secs(1), Duration::from_secs(5))
}

pub(crate) async fn a_planned_failover_is_a_gap_and_loses_nothing_else(sentinels: RealSentinels) {
    let old = sentinels.primary().await;
    let numbered = Numbered::begin(by(&sentinels), &sentinels, None).await;
    let (promoted, _) = tokio::join!(promotion(&sentinels, old), sentinels.fail_over());
    numbered.is_over().await;
    let account = numbered.end().await;
    account.report("planned", promoted);
    account.assert_reported();
}

pub(crate) async fn a_killed_primary_is_a_gap_and_loses_nothing_else(sentinels: RealSentinels) {
    let old = sentinels.primary().await;
    let numbered = Numbered::begin(by(&sentinels), &sentinels, None).await;
    sentinels.kill(old).await;
    let promoted = promotion(&sentinels, old).await;
    numbered.is_over().await;
    let account = numbered.end().await;
    account.report("killed", promoted);
    account.assert_reported();
}

pub(crate) async fn a_frozen_primary_that_returns_is_a_gap_and_nothing_comes_twice(
    sentinels: RealSentinels,
) {
    let old = sentinels.primary().await;
    let numbered = Numbered::begin(by(&sentinels), &sentinels, None).await;
    sentinels.freeze(old);
    let promoted = promotion(&sentinels, old).await;
    numbered.is_over().await;
    let back = SystemTime::now();
    sentinels.thaw(old);
    // It takes itself for the primary for seconds, and nobody hears what is published there.
    let mut client = RawClient::resp3(old.addr()).await;
    for _ in 0..100 {
        assert_eq!(client.ask("PUBLISH numbered 1000000").await, ":0");
    }
    let account = numbered.end().await;
    account.report("frozen", promoted);
    account.assert_reported();
    assert!(
        account.gaps.iter().all(|gap| gap.until <= back),
        "{account:?}"
    );
}

pub(crate) async fn a_publisher_of_its_own_goes_on_after_a_failover(sentinels: RealSentinels) {
    let old = sentinels.primary().await;
    let publisher = Publisher::new(Endpoint::sentinel(NAME, sentinels.urls())).unwrap();
    let numbered = Numbered::begin(by(&sentinels), &sentinels, Some(publisher)).await;
    sentinels.kill(old).await;
    let promoted = promotion(&sentinels, old).await;
    numbered.is_over().await;
    let account = numbered.end().await;
    account.report("a publisher of its own, killed", promoted);
    account.assert_reported();
}

pub(crate) async fn a_stale_sentinel_that_is_first_in_the_list_does_not_decide(
    sentinels: RealSentinels,
) {
    let old = sentinels.primary().await;
    let stale = FakeSentinel::start().await;
    stale.names(old.addr(), 0);
    let new = sentinels.fail_over().await;
    let mut urls = vec![stale.url()];
    urls.extend(sentinels.urls());
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let subscriber = linked(Subscriber::sentinel(NAME, urls)).handlers([mount]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    journal.begins().await;
    new.command(&["PUBLISH", "a", "here"]).await;
    journal.message("a", "here").await;
    let before = stale.asked();
    eventually("it to be asked again", async || stale.asked() >= before + 2).await;
    assert!(handle.is_ready());
    assert_eq!(handle.stats().feed.reconnects, 0);
}

pub(crate) async fn a_server_that_is_not_the_primary_is_not_subscribed_to(
    sentinels: RealSentinels,
) {
    let replica = sentinels.replicas().await[0];
    let wrong = FakeSentinel::start().await;
    wrong.names(replica.addr(), 9);
    let (mount, _) = recorder("a", Subscription::channel("a"));
    let subscriber = linked(Subscriber::sentinel(NAME, [wrong.url()]))
        .start_deadline(Duration::from_secs(1))
        .handlers([mount]);
    let error = within("the start", subscriber.start()).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let text = error.to_string();
    let (replica, primary) = (replica.addr(), sentinels.primary().await.addr());
    for part in [
        format!("{replica}, the primary of `mymaster`: "),
        format!("says that it is a replica of {primary}"),
        format!("{}: names {replica} (failover 9)", wrong.addr()),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
}

pub(crate) async fn sentinels_and_the_primary_have_credentials_of_their_own(
    sentinels: RealSentinels,
) {
    sentinels.set_password("theirs").await;
    sentinels.set_sentinel_password("ours").await;
    let provider = |password: &'static str| {
        move || async move { Ok::<_, BoxError>(Credentials::of_default_user(password)) }
    };
    let start = async |subscriber: Subscriber| {
        let (mount, journal) = recorder("a", Subscription::channel("a"));
        let subscriber = linked(subscriber).handlers([mount]);
        let started = within("the start", subscriber.start()).await;
        started.map(|handle| (handle, journal))
    };
    let in_urls = sentinels.urls().into_iter();
    let in_urls: Vec<_> = in_urls.map(|url| url.replace("//", "//:ours@")).collect();

    let error = start(Subscriber::sentinel(NAME, sentinels.urls()))
        .await
        .unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert!(
        error.to_string().contains("`sentinel_credentials`"),
        "{error}"
    );
    let error = start(Subscriber::sentinel(NAME, &in_urls))
        .await
        .unwrap_err();
    assert!(error.is_auth(), "{error}");
    assert!(error.to_string().contains("set `credentials`"), "{error}");
    let wrong = Subscriber::sentinel(NAME, &in_urls).credentials(provider("wrong-canary"));
    let error = start(wrong).await.unwrap_err();
    assert!(error.is_auth(), "{error}");
    for secret in ["ours", "theirs", "canary"] {
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }

    let right = Subscriber::sentinel(NAME, sentinels.urls())
        .sentinel_credentials(provider("ours"))
        .credentials(provider("theirs"));
    let (_handle, mut journal) = start(right).await.unwrap();
    journal.begins().await;
    sentinels
        .primary()
        .await
        .command(&["PUBLISH", "a", "here"])
        .await;
    journal.message("a", "here").await;
}

pub(crate) async fn sentinels_whose_user_may_not_ask_are_an_error_at_once(
    sentinels: RealSentinels,
) {
    for sentinel in sentinels.sentinels() {
        let rights =
            "ACL SETUSER watcher on >theirs resetchannels &+switch-master -@all +subscribe";
        let words: Vec<_> = rights.split_ascii_whitespace().collect();
        sentinel.command(&words).await;
    }
    let urls = sentinels.urls().into_iter();
    let urls = urls.map(|url| url.replace("//", "//watcher:theirs@"));
    let (mount, _) = recorder("a", Subscription::channel("a"));
    let subscriber = linked(Subscriber::sentinel(NAME, urls))
        .start_deadline(Duration::from_secs(300))
        .handlers([mount]);
    let error = within("the error", subscriber.start()).await.unwrap_err();
    assert!(error.is_auth(), "{error}");
    let text = error.to_string();
    for part in ["NOPERM", "grant `+sentinel|master"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

pub(crate) async fn the_rights_of_the_guide_are_enough(sentinels: RealSentinels) {
    for sentinel in sentinels.sentinels() {
        let rights = "ACL SETUSER watcher on >theirs resetchannels &+switch-master -@all \
            +sentinel|get-master-addr-by-name +sentinel|master +subscribe";
        let words: Vec<_> = rights.split_ascii_whitespace().collect();
        sentinel.command(&words).await;
    }
    let rights =
        "ACL SETUSER reader on >ours resetchannels &a -@all +subscribe +unsubscribe +ping +role";
    let words: Vec<_> = rights.split_ascii_whitespace().collect();
    for server in sentinels.servers() {
        server.command(&words).await;
    }
    let urls = sentinels.urls().into_iter();
    let urls = urls.map(|url| url.replace("//", "//watcher:theirs@"));
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let subscriber = linked(Subscriber::sentinel(NAME, urls))
        .credentials(|| async { Ok::<_, BoxError>(Credentials::new("reader", "ours")) })
        .handlers([mount]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    journal.begins().await;
    let new = sentinels.fail_over().await;
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    new.command(&["PUBLISH", "a", "here"]).await;
    journal.message("a", "here").await;
}
