//! `start` and its errors.

use std::error::Error as _;
use std::time::Duration;

use redis_push::testing::Broker;
use redis_push::{
    Error, Mount, PushMessage, Spec, Subscriber, Subscription, handlers, push_handler,
};
use tests::{RawClient, RealServer, Server, within};

use crate::support::{linked, plain, recorder, recorder_of, start, subscriber};

async fn refused(subscriber: Subscriber) -> Error {
    within("the start", subscriber.start())
        .await
        .expect_err("it cannot start")
}

fn mounts() -> [Mount<()>; 2] {
    let (alerts, _) = recorder("on_alert", Subscription::channel("alerts"));
    let place = Spec::new("on_quote").at("src/quotes.rs", 12);
    let (quotes, _) = recorder_of(place.on(Subscription::template("quotes.{symbol}").unwrap()));
    [alerts, quotes]
}

pub(crate) async fn an_unreachable_server_is_named_with_the_missing_subscriptions() {
    // A port that was free just now, without a server.
    let broker = Broker::start().await.unwrap();
    let address = broker.addr().to_string();
    let url = broker.url();
    broker.stop().await;
    let error = refused(
        plain(url)
            .start_deadline(Duration::from_millis(300))
            .handlers(mounts()),
    )
    .await;
    assert!(error.is_timeout() && error.is_connection());
    let text = error.to_string();
    for part in [
        "300ms",
        &address,
        "connection refused",
        "2 of 2",
        "channel `alerts`, for `on_alert`",
        "`quotes.{symbol}`, for `on_quote` (src/quotes.rs:12)",
    ] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

pub(crate) async fn a_wrong_password_is_reported_at_once_and_not_shown(server: Server) {
    server.set_password(Some("right")).await;
    let secret = "correct-horse-battery";
    let url = server
        .url()
        .replace("redis://", &format!("redis://:{secret}@"));
    let error = refused(plain(url).handlers(mounts())).await;
    assert!(error.is_auth(), "{error}");
    assert!(
        error.to_string().contains("refused the credentials"),
        "{error}"
    );
    let mut texts = vec![error.to_string(), format!("{error:?}")];
    let mut source = error.source();
    while let Some(error) = source {
        texts.extend([error.to_string(), format!("{error:?}")]);
        source = error.source();
    }
    for text in texts {
        assert!(!text.contains(secret) && !text.contains("right"), "{text}");
    }
}

pub(crate) async fn a_missing_password_is_named_as_that(server: Server) {
    server.set_password(Some("right")).await;
    let error = refused(plain(server.url()).handlers(mounts())).await;
    assert!(error.is_auth(), "{error}");
    let text = format!("{error} {:?}", error.source());
    assert!(
        text.contains("requires a password, and none is set"),
        "{text}"
    );
    assert!(!text.contains("HELLO"), "{text}");
}

pub(crate) async fn a_denied_name_is_reported_at_once_with_the_servers_reason(server: Server) {
    server.deny("alerts").await;
    let (alerts, _) = recorder("on_alert", Subscription::channel("alerts"));
    let (fine, _) = recorder("fine", Subscription::channel("fine"));
    let error = refused(plain(server.url()).handlers([alerts, fine])).await;
    assert!(error.is_denied(), "{error}");
    let text = error.to_string();
    assert!(text.contains("1 of 2"), "{text}");
    assert!(text.contains("channel `alerts`, for `on_alert`"), "{text}");
    assert!(
        text.contains("NOPERM") || text.contains("No permissions"),
        "{text}"
    );
    assert!(!text.contains("`fine`"), "{text}");
}

pub(crate) async fn a_denied_name_may_be_allowed_at_the_start(server: Server) {
    server.deny("alerts").await;
    let (alerts, mut alerts_journal) = recorder("on_alert", Subscription::channel("alerts"));
    let (fine, mut fine_journal) = recorder("fine", Subscription::channel("fine"));
    let subscriber = subscriber(server.url()).handlers([alerts, fine]);
    let handle = within("the start", subscriber.allow_denied().start())
        .await
        .unwrap();
    assert!(!handle.is_ready());
    let health = handle.health().to_string();
    assert!(health.contains("alerts"), "{health}");
    fine_journal.begins().await;
    server.publish("fine", "1").await;
    fine_journal.message("fine", "1").await;
    server.allow("alerts").await;
    within("readiness", handle.ready()).await;
    alerts_journal.begins().await;
}

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}", receive_only)]
struct Quote {
    symbol: String,
}

#[push_handler]
async fn on_quote(quote: Quote) {
    drop(quote.symbol);
}

pub(crate) async fn a_mount_whose_name_lacks_a_param_of_the_message_is_refused() {
    let other = Subscription::template("quotes.{venue}").unwrap();
    let mounts = handlers![on_quote.on(other)];
    let error = refused(plain("redis://127.0.0.1/").handlers(mounts)).await;
    assert!(error.is_config(), "{error}");
    assert!(error.to_string().contains("no param `{symbol}`"), "{error}");
    let mounts = handlers![
        on_quote
            .on(Subscription::pattern("__keyevent@0__:set"))
            .prefix("eu:")
    ];
    let error = refused(plain("redis://127.0.0.1/").handlers(mounts)).await;
    assert!(
        error.to_string().contains("no prefix can go before"),
        "{error}"
    );
}

pub(crate) async fn invalid_settings_are_reported_without_a_connection() {
    let secret = "hunter2";
    let config = [
        format!("redis://user:{secret}@ho st/"),
        format!("http://user:{secret}@127.0.0.1/"),
        format!("redis://user:{secret}@127.0.0.1/?protocol=resp2"),
        format!("redis://user:{secret}@127.0.0.1/not-a-number"),
        format!("redis://:{secret}@wo#rd@127.0.0.1/"),
        format!("redis://:wo?{secret}@127.0.0.1/"),
        String::new(),
    ];
    for url in config {
        let error = refused(plain(&url).handlers(mounts())).await;
        assert!(error.is_config(), "{url}: {error}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains(secret), "{text}");
    }
    for url in [
        "redis://",
        "redis:host",
        "redis:///1",
        "rediss://",
        "redis://:6379",
        "redis://:p#w@host",
        "redis://:p/w@host",
        "127.0.0.1:6379",
    ] {
        let error = refused(plain(url).handlers(mounts())).await;
        let text = error.to_string();
        assert!(error.is_config(), "{url}: {text}");
        assert!(!text.contains("InvalidClientConfig"), "{url}: {text}");
        let is_explained = text.contains("must look like `redis://")
            || text.contains("must be percent-encoded")
            || (text.contains("feature") && url == "rediss://");
        assert!(is_explained, "{url}: {text}");
        assert!(
            !url.contains('w') || text.contains("percent-encoded"),
            "{text}"
        );
    }
    let error = refused(plain("redis://127.0.0.1/x").handlers(mounts())).await;
    let text = error.to_string();
    assert!(
        text.contains("database") && !text.contains("Config"),
        "{text}"
    );
    let (nothing, _) = recorder_of(Spec::new("idle"));
    let error = refused(plain("redis://127.0.0.1/").handlers([nothing])).await;
    assert!(
        error.is_config() && error.to_string().contains("idle"),
        "{error}"
    );
}

#[cfg(not(any(feature = "native-tls", feature = "rustls")))]
pub(crate) async fn a_tls_url_names_the_feature_that_is_missing() {
    let error = refused(plain("rediss://127.0.0.1/").handlers(mounts())).await;
    assert!(error.is_config(), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("`rustls`") && text.contains("`redis-push`"),
        "{text}"
    );
}

pub(crate) async fn a_missing_database_is_reported_at_once(server: RealServer) {
    let error = refused(plain(format!("{}99", server.url())).handlers(mounts())).await;
    assert!(
        error.is_config() && error.to_string().contains("database"),
        "{error}"
    );
}

pub(crate) async fn state_after_handlers_is_an_error_of_start() {
    let subscriber = plain("redis://127.0.0.1/").handlers(mounts()).state(1_u8);
    let error = within("the start", subscriber.start()).await.unwrap_err();
    assert!(
        error.is_config() && error.to_string().contains("before"),
        "{error}"
    );
}

pub(crate) async fn a_server_that_starts_late_is_waited_for(broker: Broker) {
    broker.refuse(true);
    let starting = tokio::spawn(
        crate::support::subscriber(broker.url())
            .handlers(mounts())
            .start(),
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!starting.is_finished());
    broker.refuse(false);
    let handle = within("the start", starting).await.unwrap().unwrap();
    assert!(handle.is_ready());
}

pub(crate) async fn a_client_of_redis_rs_is_used_with_its_credentials(server: Server) {
    server.set_password(Some("right")).await;
    let url = server.url().replace("redis://", "redis://:right@");
    let client = redis::Client::open(url).unwrap();
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let subscriber = linked(Subscriber::with_client(client)).handlers([mount]);
    let handle = within("the start", subscriber.start()).await.unwrap();
    assert!(handle.is_ready());
    journal.begins().await;
}

pub(crate) async fn run_until_ends_with_its_signal_and_drains(server: Server) {
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(
        plain(server.url())
            .handlers([mount])
            .run_until(async { stopped.await.unwrap() }),
    );
    journal.begins().await;
    server.publish("a", "1").await;
    journal.message("a", "1").await;
    stop.send(()).unwrap();
    within("the end", running).await.unwrap().unwrap();
    journal.ends().await;
    server.wait_for_subscribers_of("a", 0).await;
}

mod quotes {
    use redis_push::{PushMessage, push_handler};

    #[derive(PushMessage)]
    #[push(channel = "quotes.{symbol}")]
    pub(crate) struct Quote {
        symbol: String,
    }

    #[push_handler]
    pub(crate) async fn on_quote(quote: Quote) {
        println!("{}", quote.symbol);
    }

    #[push_handler(channel = "quotes.{symbol}")]
    pub(crate) async fn on_quote_again(quote: Result<Quote, redis_push::Rejection>) {
        println!("{}", quote.is_ok());
    }
}

mod trades {
    use redis_push::{Json, PushMessage, push_handler};

    #[derive(PushMessage)]
    #[push(channel = "trades.{symbol}")]
    pub(crate) struct Quote<'a> {
        symbol: &'a str,
    }

    #[push_handler(channel = "quotes.{symbol}")]
    pub(crate) async fn on_trade(trade: Option<Quote<'_>>) {
        println!("{}", trade.is_some_and(|trade| trade.symbol.is_empty()));
    }

    #[push_handler(channel = "quotes.{symbol}")]
    pub(crate) async fn on_json(Json(any): Json<serde_json::Value>) {
        println!("{any}");
    }

    #[push_handler(channel = "quotes.{symbol}")]
    pub(crate) async fn on_text(text: &str) {
        println!("{text}");
    }
}

pub(crate) async fn different_messages_from_one_name_are_refused_with_both_places() {
    let disagree = handlers![quotes::on_quote, trades::on_json, trades::on_trade];
    let wiring = plain("redis://127.0.0.1/").handlers(disagree).wiring();
    let place = |name: &str| {
        let row = wiring.handler(name).unwrap();
        format!(
            "`{name}` ({}:{})",
            row.file.as_ref().unwrap(),
            row.line.unwrap()
        )
    };
    let disagree = handlers![quotes::on_quote, trades::on_json, trades::on_trade];
    let error = refused(plain("redis://127.0.0.1/").handlers(disagree)).await;
    assert!(error.is_config(), "{error}");
    let text = error.to_string();
    for part in [
        String::from("channels `quotes.{symbol}`: "),
        place("on_quote"),
        place("on_trade"),
        String::from("starting::quotes::Quote`"),
        String::from("starting::trades::Quote"),
        String::from("take `Json<T>` or `&str`"),
    ] {
        assert!(text.contains(&part), "{part:?} is not in: {text}");
    }
    assert!(!text.contains("on_json"), "{text}");
}

pub(crate) async fn one_name_may_have_views_and_the_same_message_twice(server: Server) {
    let mounts = handlers![
        quotes::on_quote,
        quotes::on_quote_again,
        trades::on_json,
        trades::on_text,
        // On another name it does not conflict.
        trades::on_trade.on(Subscription::template("trades.{symbol}").unwrap()),
    ];
    let handle = start(server.url(), mounts).await;
    assert!(handle.is_ready());
    assert_eq!(handle.wiring().handlers.len(), 5);
    handle.shutdown(Duration::from_secs(5)).await;
}

/// The server writes its reason before it closes a connection, on which the greeting then fails.
pub(crate) async fn a_server_without_room_is_reported_with_its_reason(server: RealServer) {
    let guest = RawClient::resp3(server.addr()).await;
    server.command(&["CONFIG", "SET", "maxclients", "1"]).await;
    // Enough for a machine that is busy. Each start waits that long.
    let deadline = Duration::from_secs(1);
    for url in [server.url(), server.unix_url()] {
        // More than once, because the server's close races with the greeting.
        for _ in 0..3 {
            let attempt = subscriber(&url).start_deadline(deadline);
            let error = refused(attempt.handlers(mounts())).await;
            let text = error.to_string();
            assert!(
                text.contains("max number of clients reached"),
                "{url}: {text}"
            );
        }
    }
    let publisher = redis_push::Publisher::new(server.url()).unwrap();
    let error = within("an answer", publisher.publish_to("a", "1")).await;
    let text = error.unwrap_err().to_string();
    assert!(text.contains("max number of clients reached"), "{text}");
    drop(guest);
    let starting = subscriber(server.url()).handlers(mounts());
    let _handle = within("the start", starting.start()).await.unwrap();
}

pub(crate) async fn a_database_in_a_cluster_is_reported_at_once(server: RealServer) {
    let node = RealServer::start_with(server.binary(), &["--cluster-enabled", "yes"]).await;
    let url = format!("{}3", node.url());
    let error = refused(plain(url).handlers(mounts())).await;
    assert!(error.is_config(), "{error}");
    // Valkey 9 can have several databases in a cluster, and has one by default.
    let text = error.to_string();
    let is_explained = text.contains("node of a cluster") || text.contains("has no database");
    assert!(is_explained, "{text}");
}
