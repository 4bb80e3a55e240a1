//! The metrics, as a real Prometheus sees them: it scrapes while connections are killed and a handler lags,
//! and what it has seen is compared with what the readers have counted themselves.
//!
//! Without Prometheus the tests are skipped, unless `REQUIRE_PROMETHEUS` is 1. It scrapes for five seconds,
//! or for `SCRAPE_SECONDS`.

use std::io::Write as _;
use std::ops::Range;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use leash::Leashed;
use redis_push::{
    Gap, GapCause, PushMessage, State, Subscriber, gap_handler, handlers, push_handler,
};
use reqwest::Client;
use tests::{Server, eventually_in};
use tokio::net::TcpListener;
use tokio::time::{Instant, interval};

use crate::stage::{Application, BOUND, Folder, is_required, on_path, server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_notifications");

/// How the two kinds of server-sent events begin.
const SNAPSHOT: &str = r#"data: {"snapshot""#;
const MESSAGE: &str = r#"data: {"message""#;

/// A Prometheus that scrapes one service.
struct Prometheus {
    _process: Leashed,
    _folder: Folder,
    url: String,
    client: Client,
}

impl Prometheus {
    /// Starts one, and returns when it has scraped. `None` if there is none.
    async fn start(target: &str) -> Option<Self> {
        let Some(program) = on_path("prometheus") else {
            let missing = "no prometheus on PATH (on Debian, install prometheus)";
            assert!(
                !is_required("REQUIRE_PROMETHEUS"),
                "REQUIRE_PROMETHEUS=1: {missing}"
            );
            std::io::stderr()
                .write_all(format!("skipped: {missing}\n").as_bytes())
                .unwrap();
            return None;
        };
        let folder = Folder::create();
        let config = folder.0.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n\
             scrape_configs: [{{job_name: service, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        // It cannot say which port it has chosen, so the port is chosen before.
        let port = free_port().await;
        let process = Leashed::spawn(program, |prometheus| {
            prometheus
                .arg(format!("--config.file={}", config.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.0.join("data").display()
                ))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
        })
        .unwrap();
        let prometheus = Self {
            _process: process,
            _folder: folder,
            url: format!("http://127.0.0.1:{port}/api/v1/query"),
            client: Client::new(),
        };
        let scraped = async || prometheus.value("up").await == Some(1.0);
        eventually_in(BOUND, "the first scrape", scraped).await;
        Some(prometheus)
    }

    /// Returns the value of a query: the only series of its answer.
    async fn value(&self, query: &str) -> Option<f64> {
        let mut url = reqwest::Url::parse(&self.url).unwrap();
        url.query_pairs_mut().append_pair("query", query);
        let answer = self.client.get(url).send().await.ok()?.text().await.ok()?;
        // It answers with plain text until it is ready.
        let answer: serde_json::Value = serde_json::from_str(&answer).ok()?;
        match answer["data"]["result"].as_array()?.as_slice() {
            [] => None,
            [one] => one["value"][1].as_str()?.parse().ok(),
            several => panic!("{query} has {} series", several.len()),
        }
    }

    /// Returns by how much a counter has grown since the first scrape. Unlike `increase`, this does not
    /// extrapolate.
    async fn grown(&self, series: &str) -> Option<f64> {
        let range = format!("max_over_time({series}[1h]) - min_over_time({series}[1h])");
        self.value(&range).await
    }

    /// Waits until a counter has grown by exactly this much.
    async fn has_grown(&self, series: &str, by: u64) {
        let expected = Some(by as f64);
        let what = format!("{series} to grow by {by}");
        eventually_in(BOUND, &what, async || self.grown(series).await == expected).await;
    }
}

/// Publishes orders all at once, so that they arrive faster than the handler takes them on any machine.
async fn publish(server: &Server, numbers: Range<u64>) {
    let mut orders = redis::pipe();
    for number in numbers {
        let payload = format!(r#"{{"number":{number}}}"#);
        orders.publish("orders.north", payload).ignore();
    }
    // A new connection, because the one before may have been killed.
    let client = redis::Client::open(server.url()).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    orders.exec_async(&mut redis).await.unwrap();
}

pub(crate) async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

fn scraping() -> Duration {
    let seconds = std::env::var("SCRAPE_SECONDS").map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(5))
}

#[derive(PushMessage)]
#[push(channel = "orders.{shop}")]
struct Order {
    shop: String,
    number: u64,
}

/// What the handlers have counted themselves.
#[derive(Default)]
struct Counts {
    orders: AtomicU64,
    lost: AtomicU64,
    lags: AtomicU64,
    connections: AtomicU64,
    failed: AtomicU64,
}

#[push_handler(on_gap = count_gap, buffer = 16)]
async fn on_order(order: Order, State(counts): State<Arc<Counts>>) -> Result<(), String> {
    if order.number.is_multiple_of(10) {
        // Too slow for a burst.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    if order.number % 100 == 99 {
        counts.failed.fetch_add(1, Relaxed);
        return Err(format!("order {} of {}", order.number, order.shop));
    }
    counts.orders.fetch_add(1, Relaxed);
    Ok(())
}

#[gap_handler]
async fn count_gap(gap: Gap, State(counts): State<Arc<Counts>>) {
    match (gap.cause, gap.missed) {
        (GapCause::Lagged, redis_push::Missed::Exactly(missed)) => {
            counts.lags.fetch_add(1, Relaxed);
            counts.lost.fetch_add(missed, Relaxed);
        }
        (GapCause::ConnectionLost, _) => _ = counts.connections.fetch_add(1, Relaxed),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_sees_what_the_handlers_have_counted_themselves() {
    let server = server().await;
    let counts = Arc::new(Counts::default());
    let subscriber = Subscriber::new(server.url())
        .state(Arc::clone(&counts))
        .handlers(handlers![on_order]);
    let handle = subscriber.start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let router = web::probes::route(handle.clone());
    let serving = tokio::spawn(axum::serve(listener, router).into_future());
    let Some(prometheus) = Prometheus::start(&target).await else {
        return;
    };
    let end = Instant::now() + scraping();
    let mut bursts = interval(Duration::from_millis(400));
    let mut published = 0;
    let mut round = 0;
    while Instant::now() < end {
        bursts.tick().await;
        publish(&server, published..published + 100).await;
        published += 100;
        round += 1;
        if round % 5 == 0 {
            server.kill_connections().await;
            handle.ready().await;
        }
    }
    let load = |count: &AtomicU64| count.load(Relaxed);
    let settled = async || {
        let stats = handle.stats();
        let [handler] = &stats.handlers[..] else {
            return false;
        };
        handler.queued + handler.running == 0 && handler.received == handler.accounted()
    };
    eventually_in(BOUND, "the last message", settled).await;
    let labels = r#"handler="on_order",messaging_destination_template="orders.{shop}""#;
    let of = |metric: &str, more: &str| format!("{metric}{{{labels}{more}}}");
    let consumed = "messaging_client_consumed_messages_total";
    for (series, count) in [
        (of(consumed, r#",error_type="""#), load(&counts.orders)),
        (
            of(consumed, r#",error_type="failed""#),
            load(&counts.failed),
        ),
        (of("redis_push_dropped_total", ""), load(&counts.lost)),
        (
            of("redis_push_gaps_total", r#",cause="lagged""#),
            load(&counts.lags),
        ),
        (
            of("redis_push_gaps_total", r#",cause="connection_lost""#),
            load(&counts.connections),
        ),
        (of("redis_push_gaps_total", r#",cause="oversized""#), 0),
    ] {
        prometheus.has_grown(&series, count).await;
        let resets = prometheus.value(&format!("resets({series}[1h])")).await;
        assert_eq!(resets, Some(0.0), "{series} has fallen");
    }
    assert!(load(&counts.lost) > 0, "no lag");
    assert!(load(&counts.connections) > 0, "no lost connection");
    assert_eq!(prometheus.value("redis_push_ready").await, Some(1.0));
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_sees_the_streams_of_the_notifications() {
    let server = server().await;
    let application = Application::start(PROGRAM, &["--port", "0"], &server.url(), 1);
    let (_, target) = application.urls[0].rsplit_once('/').unwrap();
    let Some(prometheus) = Prometheus::start(target).await else {
        return;
    };
    let client = Client::new();
    let page = client.get(application.page("/ann/events"));
    let mut page = page.send().await.unwrap();
    let mut read = 0;
    let begin = count(&mut page, SNAPSHOT).await;
    assert_eq!(begin, 1);
    let notify = || client.post(application.page("/ann/notifications"));
    for number in 0..20 {
        let sent = notify().body(number.to_string()).send().await.unwrap();
        assert!(sent.status().is_success());
        read += count(&mut page, MESSAGE).await;
    }
    let streams = r#"messaging_destination_template="notifications.{user*}""#;
    let of = |metric: &str| format!("redis_push_streams_{metric}{{{streams}}}");
    eventually_in(BOUND, "the stream", async || {
        prometheus.value(&of("taken_total")).await == Some(read as f64)
    })
    .await;
    kill_subscriber(&server).await;
    assert_eq!(count(&mut page, SNAPSHOT).await, 1);
    eventually_in(BOUND, "the gap", async || {
        prometheus.value(&of("gaps_total")).await == Some(1.0)
    })
    .await;
    assert_eq!(prometheus.value(&of("open")).await, Some(1.0));
    let ready = client.get(application.page("/health/ready"));
    assert!(ready.send().await.unwrap().status().is_success());
    drop(page);
    assert!(application.terminate().await);
}

/// Kills the connection of the subscriber, but not that by which the service reads what is stored.
async fn kill_subscriber(server: &Server) {
    match server {
        Server::Real(server) => _ = server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await,
        Server::Broker(_) => server.kill_connections().await,
    }
}

/// Reads until a response has had an event that begins like this, and returns how many it has had.
async fn count(response: &mut reqwest::Response, line: &str) -> usize {
    let mut text = String::new();
    loop {
        let count = text.matches(line).count();
        if count > 0 && text.ends_with("\n\n") {
            return count;
        }
        let chunk = tokio::time::timeout(BOUND, response.chunk())
            .await
            .expect("more in time");
        let chunk = chunk.unwrap().expect("the response goes on");
        text.push_str(str::from_utf8(&chunk).unwrap());
    }
}
