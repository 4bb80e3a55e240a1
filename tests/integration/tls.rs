//! `rediss://`, through a TLS proxy in front of servers without TLS.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Client, TlsCertificates};
use redis_push::testing::Broker;
use redis_push::{
    Endpoint, Error, Handle, Mount, Publisher, PushMessage, Subscriber, Subscription, Tls,
};
use tests::{Authority, RealServer, Server, TlsProxy};
use tests::{eventually, within};

use crate::support::{is_wire, linked, plain, recorder, subscriber};

#[derive(PushMessage)]
#[push(shard = "orders", codec = text)]
struct Order {
    number: u64,
}

fn mount() -> Mount<()> {
    recorder("a", Subscription::channel("a")).0
}

fn trusting(authority: &Authority) -> Tls {
    Tls::new().root_certificate(authority.pem())
}

async fn started(subscriber: Subscriber) -> Handle {
    within("the start", subscriber.start()).await.unwrap()
}

async fn refused(subscriber: Subscriber) -> Error {
    within("the start", subscriber.handlers([mount()]).start())
        .await
        .expect_err("there must be no connection")
}

pub(crate) async fn messages_arrive_over_tls_whatever_ends_the_connection(server: Server) {
    let authority = Authority::new("ours");
    let proxy = TlsProxy::start(server.addr(), &authority.server()).await;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let tls = trusting(&authority);
    let handle = started(subscriber(proxy.url()).tls(tls).handlers([mount])).await;
    journal.begins().await;
    let long = "x".repeat(1_000_000);
    for round in 0..6 {
        for number in 0..50 {
            server.publish("a", &number.to_string()).await;
        }
        server.publish("a", &long).await;
        for number in 0..50 {
            journal.message("a", &number.to_string()).await;
        }
        journal.message("a", &long).await;
        match round % 3 {
            0 => proxy.close(),
            1 => proxy.cut(),
            _ => server.kill_connections().await,
        }
        journal.lost_connection().await;
        within("ready again", handle.ready()).await;
        assert_eq!(handle.stats().feed.reconnects, round + 1);
    }
    let report = handle.shutdown(Duration::from_secs(5)).await;
    assert_eq!(report.stats.handlers[0].handled, 6 * 51);
}

pub(crate) async fn a_server_that_cannot_prove_its_identity_is_rejected_over_tls(server: Server) {
    let ours = Authority::new("ours");
    let wrong = [
        (Authority::new("other").server(), "not trusted here"),
        (ours.expired(), "has expired"),
        (ours.not_yet_valid(), "not valid yet"),
        (ours.server_named("elsewhere.example"), "another name"),
    ];
    for (certificate, reason) in wrong {
        let proxy = TlsProxy::start(server.addr(), &certificate).await;
        let error = refused(plain(proxy.url()).tls(trusting(&ours))).await;
        assert!(error.is_tls(), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().contains(&proxy.addr().to_string()));
        assert!(proxy.attempts() > 0);
        assert_eq!(proxy.established(), 0, "connected in spite of: {reason}");
    }
    // The certificate is valid, but its authority is not trusted here.
    let proxy = TlsProxy::start(server.addr(), &ours.server()).await;
    let error = refused(plain(proxy.url())).await;
    assert!(
        error.is_tls() || error.to_string().contains("`ca-certificates`"),
        "{error}"
    );
    assert_eq!(proxy.established(), 0);
}

pub(crate) async fn a_port_without_tls_is_reported(server: Server) {
    let url = server.url().replace("redis://", "rediss://");
    let error = refused(plain(url).tls(trusting(&Authority::new("ours")))).await;
    assert!(error.is_tls(), "{error}");
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}

pub(crate) async fn a_plain_url_to_a_tls_port_is_reported(server: Server) {
    let certificate = Authority::new("ours").server();
    let proxy = TlsProxy::start(server.addr(), &certificate).await;
    let url = proxy.url().replace("rediss://", "redis://");
    let error = refused(plain(url).start_deadline(Duration::from_secs(1))).await;
    assert!(error.is_connection(), "{error}");
    assert!(error.to_string().contains("`rediss://`"), "{error}");
    assert_eq!(proxy.established(), 0);
}

pub(crate) async fn a_certificate_that_becomes_invalid_is_rejected_over_tls_until_it_is_valid(
    server: Server,
) {
    let authority = Authority::new("ours");
    let proxy = TlsProxy::start(server.addr(), &authority.server()).await;
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let tls = trusting(&authority);
    let handle = started(subscriber(proxy.url()).tls(tls).handlers([mount])).await;
    journal.begins().await;
    for bad in [Authority::new("other").server(), authority.expired()] {
        let (attempts, established) = (proxy.attempts(), proxy.established());
        proxy.show(&bad);
        proxy.cut();
        eventually("several attempts", async || {
            proxy.attempts() >= attempts + 3
        })
        .await;
        assert!(!handle.is_ready());
        assert_eq!(proxy.established(), established);
        proxy.show(&authority.server());
        journal.lost_connection().await;
        within("ready again", handle.ready()).await;
        server.publish("a", "again").await;
        journal.message("a", "again").await;
    }
}

pub(crate) async fn a_client_certificate_is_sent_over_tls_and_named_if_it_is_missing(
    server: Server,
) {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let proxy = TlsProxy::for_clients_of(&theirs, server.addr(), &ours.server()).await;
    let url = || plain(proxy.url()).start_deadline(Duration::from_secs(2));
    let hint = "`Tls::client_certificate`";

    let error = refused(url().tls(trusting(&ours))).await;
    assert!(error.to_string().contains(hint), "{error}");
    let stranger = Authority::new("another").client("stranger");
    let tls = trusting(&ours).client_certificate(stranger.certificate, stranger.key);
    let error = refused(url().tls(tls)).await;
    assert!(error.to_string().contains(hint), "{error}");
    assert_eq!(proxy.established(), 0);

    let known = theirs.client("known");
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let tls = trusting(&ours).client_certificate(known.certificate, known.key);
    let handle = started(subscriber(proxy.url()).tls(tls).handlers([mount])).await;
    journal.begins().await;
    proxy.cut();
    journal.lost_connection().await;
    within("ready again", handle.ready()).await;
    server.publish("a", "again").await;
    journal.message("a", "again").await;
}

pub(crate) async fn the_name_in_the_certificate_can_be_set_for_tls(server: Server) {
    let authority = Authority::new("ours");
    let certificate = authority.server_named("redis.internal");
    let proxy = TlsProxy::start(server.addr(), &certificate).await;
    let tls = trusting(&authority).server_name("redis.internal");
    let handle = started(subscriber(proxy.url()).tls(tls).handlers([mount()])).await;
    assert!(handle.is_ready());
    let tls = trusting(&authority).server_name("other.internal");
    assert!(refused(plain(proxy.url()).tls(tls)).await.is_tls());
}

pub(crate) async fn insecure_tls_is_rejected_unless_it_is_enabled_by_its_name(server: Server) {
    let certificate = Authority::new("nobody's").expired();
    let proxy = TlsProxy::start(server.addr(), &certificate).await;
    let url = format!("{}#insecure", proxy.url());
    let client = Client::open(url.clone()).unwrap();
    for subscriber in [plain(&url), linked(Subscriber::with_client(client))] {
        let error = refused(subscriber).await;
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().contains("danger_accept_any"), "{error}");
    }
    assert_eq!(proxy.attempts(), 0);

    let tls = Tls::new().danger_accept_any_certificate();
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let handle = started(subscriber(url).tls(tls).handlers([mount])).await;
    journal.begins().await;
    server.publish("a", "1").await;
    journal.message("a", "1").await;
    assert!(handle.is_ready());
}

pub(crate) async fn the_tls_settings_of_a_client_of_redis_rs_are_used_where_they_can_be_read(
    server: Server,
) {
    let authority = Authority::new("ours");
    let proxy = TlsProxy::start(server.addr(), &authority.server()).await;
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(authority.pem().into_bytes()),
    };
    let client = Client::build_with_tls(proxy.url(), certificates).unwrap();
    let theirs = || linked(Subscriber::with_client(client.clone()));
    if is_wire() {
        let error = refused(theirs()).await;
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().contains("`Subscriber::tls`"), "{error}");
    } else {
        let handle = started(theirs().handlers([mount()])).await;
        assert!(handle.is_ready());
    }
    // Our settings override those of the client, on either link.
    let other = theirs().tls(trusting(&Authority::new("other")));
    assert!(refused(other).await.is_tls());
    let same = theirs().tls(trusting(&authority));
    let handle = started(same.handlers([mount()])).await;
    assert!(handle.is_ready());
}

pub(crate) async fn unusable_tls_options_are_reported_without_a_connection() {
    let authority = Authority::new("ours");
    let client = authority.client("me");
    let key = client.key.replace('\n', "");
    let secret = key.trim_matches('-')[30..60].to_owned();
    let url = "rediss://127.0.0.1/";
    for (url, tls, reason) in [
        ("redis://127.0.0.1/", trusting(&authority), "`rediss://`"),
        (url, Tls::new().root_certificate("none"), "no certificate"),
        (
            url,
            Tls::new().root_certificate(client.key.clone()),
            "no certificate",
        ),
        (
            url,
            trusting(&authority).client_certificate("none", client.key.clone()),
            "no certificate",
        ),
        // A PEM text from an environment variable that has lost its line breaks.
        (
            url,
            trusting(&authority).client_certificate(client.certificate.clone(), key),
            "no private key",
        ),
        (
            url,
            trusting(&authority)
                .client_certificate(client.certificate.clone(), authority.server().key),
            "",
        ),
    ] {
        let shown = format!("{tls:?}");
        let error = refused(plain(url).tls(tls)).await;
        assert!(error.is_config(), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        let said = format!("{shown} {error} {error:?}");
        assert!(!said.contains(&secret), "{said}");
    }
}

/// OpenSSL on the server's side, if the server was built with it, as Debian's is.
pub(crate) async fn a_server_with_its_own_tls_port_works(server: RealServer) {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let Some(url) = server.speak_tls(&ours.server(), &theirs).await else {
        return eprintln!("skipped: {} was built without TLS", server.name());
    };
    let url = || plain(&url).start_deadline(Duration::from_secs(2));
    let stranger = ours.client("stranger");
    let known = theirs.client("known");
    let hint = "`Tls::client_certificate`";
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        server
            .command(&["CONFIG", "SET", "tls-protocols", protocol])
            .await;
        let error = refused(url().tls(trusting(&theirs))).await;
        assert!(error.is_tls(), "{error}");
        let error = refused(url().tls(trusting(&ours))).await;
        assert!(error.to_string().contains(hint), "{protocol}: {error}");
        let tls =
            trusting(&ours).client_certificate(stranger.certificate.clone(), stranger.key.clone());
        let error = refused(url().tls(tls)).await;
        assert!(error.to_string().contains(hint), "{protocol}: {error}");
    }
    let (mount, mut journal) = recorder("a", Subscription::channel("a"));
    let tls = trusting(&ours).client_certificate(known.certificate, known.key);
    let handle = started(url().tls(tls).handlers([mount])).await;
    journal.begins().await;
    let server = Server::Real(server);
    for _ in 0..3 {
        for number in 0..200 {
            server.publish("a", &number.to_string()).await;
        }
        for number in 0..200 {
            journal.message("a", &number.to_string()).await;
        }
        server.kill_connections().await;
        journal.lost_connection().await;
        within("ready again", handle.ready()).await;
    }
}

pub(crate) async fn every_node_of_a_cluster_is_reached_over_tls() {
    let cluster = Broker::cluster(3).start().await.unwrap();
    cluster.set_key_events("KEA");
    let authority = Authority::new("ours");
    let mut proxies = Vec::new();
    for node in cluster.nodes() {
        proxies.push(TlsProxy::start(node.addr(), &authority.server()).await);
    }
    let reached = cluster
        .nodes()
        .iter()
        .zip(&proxies)
        .map(|(node, proxy)| (node.addr().port(), proxy.addr().port()));
    let reached: HashMap<u16, u16> = reached.collect();
    let map = move |_: &str, port| Some(("localhost".to_owned(), *reached.get(&port)?));
    let name = "orders";
    let (mount, mut journal) = recorder(name, Subscription::shard(name));
    let (events, mut changes) = recorder("events", Subscription::keyspace("{key}").unwrap());
    let seed = || [proxies[0].url()];
    let subscriber = Subscriber::cluster(seed())
        .tls(trusting(&authority))
        .address_map(map.clone())
        .topology_interval(Duration::from_millis(100));
    let _handle = started(subscriber.handlers([mount, events])).await;
    journal.begins().await;
    changes.begins().await;
    let endpoint = Endpoint::cluster(seed());
    let endpoint = endpoint.tls(trusting(&authority)).address_map(map);
    let publisher = Publisher::new(endpoint).unwrap();
    let owner = cluster.node_of(name);
    for number in 1..=3 {
        cluster.move_slot(cluster.slot_of(name), (owner + number) % 3);
        journal.gap().await;
        let order = Order {
            number: number as u64,
        };
        let published = within("a publish", publisher.publish(&order)).await;
        assert_eq!(published.unwrap(), 1);
        let text = number.to_string();
        journal.message_after_gaps(name, &text).await;
    }
    // The replicas are not asked for anything.
    let mut primaries = proxies.iter().take(3).map(TlsProxy::established);
    assert!(primaries.all(|count| count >= 2));
}
