//! Malicious payloads and names, and how they are logged.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use redis_push::{Fault, FromPush, Handler, Json, Mount, Push, PushMessage, Spec, Subscription};
use redis_push::{handlers, push_handler};
use serde::Deserialize;
use tests::{RawClient, Server, eventually, within};

use crate::logs;
use crate::support::{Seen, recorder, recorder_of, start, subscriber};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it decodes is of interest")]
struct Price<'p> {
    bid: f64,
    #[serde(default)]
    size: u64,
    #[serde(borrow, default)]
    note: Cow<'p, str>,
}

#[push_handler(channel = "prices.ACME")]
async fn on_json(Json(_price): Json<Price<'_>>) {}

#[derive(PushMessage)]
#[push(channel = "prices.{symbol}")]
#[serde(deny_unknown_fields)]
struct Quote<'p> {
    symbol: &'p str,
    bid: f64,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    note: Cow<'p, str>,
}

#[push_handler]
async fn on_message(_quote: Quote<'_>) {}

/// Payloads that are not the JSON of a price.
fn poison() -> Vec<Vec<u8>> {
    let nested =
        |open: &str, close: &str| (open.repeat(200) + "1" + &close.repeat(200)).into_bytes();
    let key = "k".repeat(1 << 20);
    vec![
        b"".to_vec(),
        b"\0".to_vec(),
        b"{\"bid\":1,\"note\":\"\xc3\x28\"}".to_vec(),
        b"\xff\xfe".to_vec(),
        nested("[", "]"),
        nested("{\"bid\":", "}"),
        br#"{"bid":1e999}"#.to_vec(),
        br#"{"bid":1,"size":18446744073709551616}"#.to_vec(),
        format!("{{\"bid\":1,\"size\":{}}}", "9".repeat(100_000)).into_bytes(),
        br#"{"bid":NaN}"#.to_vec(),
        br#"{"bid":1,"bid":2}"#.to_vec(),
        b"\xef\xbb\xbf{\"bid\":1}".to_vec(),
        br#"{"bid":1} x"#.to_vec(),
        b"{\"bid\":1}\0".to_vec(),
        br#"{"bid":1,"note":"\ud800"}"#.to_vec(),
        br#"{"bid":1,"note":"\udc00\ud800"}"#.to_vec(),
        format!(r#"{{"bid":1,"{key}":1}}"#).into_bytes(),
        br#"{"bid":"1"}"#.to_vec(),
        br#"{"size":1}"#.to_vec(),
        b"null".to_vec(),
    ]
}

pub(crate) async fn every_malicious_payload_is_rejected_and_the_next_message_is_handled(
    server: Server,
) {
    let handle = start(server.url(), handlers![on_json, on_message]).await;
    let mut client = server.raw().await;
    let poison = poison();
    for payload in &poison {
        publish(&mut client, b"prices.ACME", payload, 2).await;
        publish(&mut client, b"prices.ACME", br#"{"bid":1}"#, 2).await;
    }
    let report = handle.shutdown(Duration::from_secs(5)).await;
    for name in ["on_json", "on_message"] {
        let counts = report.stats.handler(name).unwrap();
        let number = poison.len() as u64;
        assert_eq!(
            (counts.rejected, counts.handled),
            (number, number),
            "{name}"
        );
        assert_eq!(counts.received, counts.accounted());
    }
    assert_eq!(report.stats.gaps(), 0);
}

pub(crate) async fn a_channel_name_may_be_long_or_invalid_utf8(server: Server) {
    let handle = start(server.url(), handlers![on_message]).await;
    let mut client = server.raw().await;
    let long = [b"prices.", "ü".repeat(500_000).as_bytes()].concat();
    publish(&mut client, &long, br#"{"bid":1}"#, 1).await;
    publish(&mut client, b"prices.\xff\xfe", br#"{"bid":1}"#, 1).await;
    publish(&mut client, b"prices.", br#"{"bid":1}"#, 1).await;
    let report = handle.shutdown(Duration::from_secs(5)).await;
    let counts = report.stats.handler("on_message").unwrap();
    assert_eq!((counts.handled, counts.unmatched), (1, 2));
}

/// A real server disconnects the subscribers of the channel, because it does not buffer that much. The
/// broker delivers it. Either way it is not lost silently.
pub(crate) async fn a_payload_of_33_mb_arrives_or_is_reported_as_a_gap(server: Server) {
    let (mount, mut journal) = recorder("large", Subscription::channel("large"));
    let handle = start(server.url(), [mount]).await;
    journal.begins().await;
    let large = "x".repeat(33 << 20);
    server.publish("large", &large).await;
    match journal.next().await {
        Seen::Message(_, payload) => assert_eq!(payload.len(), large.len()),
        Seen::Gap(gap) => assert_eq!(gap.cause, redis_push::GapCause::ConnectionLost),
    }
    tests::within("ready again", handle.ready()).await;
    server.publish("large", "good").await;
    journal.message("large", "good").await;
}

/// A handler of numbers with a unique name, by which its logs are found.
struct Numbers(Spec);

impl Handler<()> for Numbers {
    fn spec(&self) -> Spec {
        self.0.clone()
    }

    async fn handle(&self, push: Push<'_>, state: &()) -> Result<(), Fault> {
        let Json(_number) = Json::<u32>::from_push(push, state)?;
        Ok(())
    }
}

fn numbers() -> (String, Mount<()>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("numbers_{}", COUNT.fetch_add(1, Relaxed));
    let spec = Spec::new(name.clone()).on(Subscription::pattern("*"));
    (name, Mount::new(Numbers(spec)))
}

pub(crate) async fn logs_escape_and_cut_channel_names_and_omit_payloads(server: Server) {
    logs::listen();
    let (name, mount) = numbers();
    let handle = start(server.url(), [mount]).await;
    let mut client = server.raw().await;
    let channel = [b"\x1b[31m\r\nred \xff\0 ", "ü".repeat(50_000).as_bytes()].concat();
    publish(&mut client, &channel, br#"{"password":"hunter2"}"#, 1).await;
    handle.shutdown(Duration::from_secs(5)).await;
    let lines = logs::of_handler(&name);
    assert_eq!(lines.len(), 1);
    let logged = &lines[0]["channel"];
    assert!(
        logged.starts_with(r"\x1b[31m\r\nred \xff\x00 \xc3\xbc"),
        "{logged}"
    );
    assert!(logged.ends_with(" more bytes)"), "{logged}");
    assert!(logged.len() < 600, "{} bytes of name", logged.len());
    for value in lines[0].values() {
        assert!(!value.contains(char::is_control), "{value:?}");
        assert!(
            !value.contains("hunter2") && !value.contains("password"),
            "{value}"
        );
    }
}

/// Each payload is one byte longer than the one before, so that `bytes` in a line is the number of the
/// message.
pub(crate) async fn a_flood_of_bad_messages_logs_one_line_a_second_with_a_count(server: Server) {
    logs::listen();
    let (name, mount) = numbers();
    let handle = start(server.url(), [mount]).await;
    let mut client = server.raw().await;
    let begun = Instant::now();
    let mut sent = 0;
    let mut send = async || {
        sent += 1;
        publish(&mut client, b"flood", &vec![b'x'; sent], 1).await;
        sent as u64
    };
    while send().await < 1_000 {}
    eventually("the flood to be rejected", async || {
        handle.stats().handler(&name).unwrap().rejected == 1_000
    })
    .await;
    let most = 1 + begun.elapsed().as_secs();
    let lines = logs::of_handler(&name).len() as u64;
    assert!((1..=most).contains(&lines), "{lines} lines, at most {most}");

    // The next line, or one of its own, reports how many were suppressed.
    eventually("the next line", async || {
        send().await;
        logs::of_handler(&name).len() as u64 > lines
    })
    .await;
    let report = within("the shutdown", handle.shutdown(Duration::from_secs(5))).await;
    let number = |text: &String| text.parse::<u64>().unwrap();
    let mut accounted = 0;
    for line in logs::of_handler(&name) {
        accounted += 1 + number(&line["suppressed"]);
        assert!(number(&line["bytes"]) >= accounted, "{line:?}");
    }
    assert!(accounted > 1);
    let rejected = report.stats.handler(&name).unwrap().rejected;
    eventually("every message to be accounted for", async || {
        logs::accounted(&name) == rejected
    })
    .await;
}

/// A handler that stays slow has a gap with each batch.
pub(crate) async fn a_flood_of_lags_logs_one_line_a_second_with_a_count(server: Server) {
    logs::listen();
    // Tests run concurrently, each on its own server.
    let name = format!("slow-for-long-{}", server.addr().port());
    let spec = Spec::new(name.clone())
        .on(Subscription::channel("flood"))
        .buffer(1);
    let (mount, mut journal) = recorder_of(spec);
    // With its default the wire link would leave the burst in the socket while the handler is busy.
    let (idle, mut idle_journal) = recorder("idle", Subscription::channel("nothing"));
    let starting = subscriber(server.url())
        .wire_wait(Duration::ZERO)
        .handlers([mount, idle])
        .start();
    let handle = within("the start", starting).await.unwrap();
    journal.begins().await;
    idle_journal.begins().await;
    let begun = Instant::now();
    let mut client = server.raw().await;
    eventually("thirty gaps", async || {
        let burst = b"PUBLISH flood x\r\n".repeat(50);
        client.send(&burst).await;
        client.hears(&[":1"; 50]).await;
        handle.stats().gaps() >= 30
    })
    .await;
    let most = 1 + begun.elapsed().as_secs();
    let lines = logs::gaps_of(&name) as u64;
    assert!((1..=most).contains(&lines), "{lines} lines, at most {most}");
}

async fn publish(client: &mut RawClient, channel: &[u8], payload: &[u8], receivers: usize) {
    client.say_words(&[b"PUBLISH", channel, payload]).await;
    client.hears(&[format!(":{receivers}")]).await;
}
