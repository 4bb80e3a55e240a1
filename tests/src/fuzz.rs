//! The functions of the fuzz targets. `cargo test` calls them as well, for a bounded time. Each
//! accepts any bytes, and panics if a property does not hold.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use redis_push::{Bytes, ChannelName, FromPush, Json, OwnedPush, Push, Rejection};
use redis_push::{PushMessage, Subscription, Text};
use serde::Deserialize;
use serde::de::IgnoredAny;

pub use redis_push::__fuzz::{push, slot_of, template, topology, wire};

/// A check that accepts any bytes.
pub type Target = fn(&[u8]);

/// The targets by name. The folder of a target's seeds has the same name.
pub const TARGETS: [(&str, Target); 5] = [
    ("decode", decode),
    ("push", push),
    ("template", template),
    ("topology", topology),
    ("wire", wire),
];

#[derive(PushMessage)]
#[push(channel = "q.{symbol}")]
struct Quote {
    symbol: String,
    bid: f64,
    #[serde(default)]
    asks: Vec<f32>,
}

#[derive(PushMessage)]
#[push(channel = "q.{number}.{path*}")]
#[serde(deny_unknown_fields)]
struct Strict<'p> {
    number: u16,
    path: Cow<'p, str>,
    text: Cow<'p, str>,
    raw: &'p str,
    small: Option<i8>,
}

#[derive(PushMessage)]
#[push(channel = "q.{rest*}")]
struct Flat<'p> {
    rest: &'p str,
    #[serde(flatten)]
    others: HashMap<String, serde_json::Value>,
}

#[derive(PushMessage)]
#[push(channel = "q")]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Event {
    Opened { at: u64 },
    Closed { at: u64, reason: String },
    Idle,
}

/// Checks that every decoder accepts or rejects any payload on any channel.
///
/// The first line is the name of the channel, and the rest is the payload.
///
/// # Panics
///
/// If a decoder panics, if it accepts what its format does not allow, or if the text of a rejection
/// is not safe to log.
pub fn decode(bytes: &[u8]) {
    static BY: LazyLock<Vec<Subscription>> = LazyLock::new(|| {
        let templates = ["q.{symbol}", "q.{number}.{path*}", "{rest*}"];
        let by_template = templates.map(|text| Subscription::template(text).expect("a template"));
        [Subscription::pattern("*")]
            .into_iter()
            .chain(by_template)
            .collect()
    });
    let end_of_line = bytes.iter().position(|byte| *byte == b'\n');
    let (channel, payload) = match end_of_line {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &b""[..]),
    };
    for by in &*BY {
        let owned = OwnedPush::new(by.clone(), channel, payload);
        let push = owned.as_push();
        messages(push);
        payloads(push, payload);
        let name = rejected::<ChannelName<'_>>(push);
        assert_eq!(name, str::from_utf8(channel).is_err());
        prints_safely(&format!("{push:?}"));
    }
}

/// Derived messages: only that decoding them does not panic.
fn messages(push: Push<'_>) {
    rejected::<Quote>(push);
    rejected::<Strict<'_>>(push);
    rejected::<Flat<'_>>(push);
    rejected::<Event>(push);
    rejected::<Option<Quote>>(push);
    rejected::<Result<Strict<'_>, Rejection>>(push);
}

/// Payloads in a format that another parser can check.
fn payloads(push: Push<'_>, payload: &[u8]) {
    json::<serde_json::Value>(push, payload);
    json::<IgnoredAny>(push, payload);
    json::<u64>(push, payload);
    json::<f64>(push, payload);
    json::<&str>(push, payload);
    json::<Cow<'_, str>>(push, payload);
    json::<HashMap<String, Option<i32>>>(push, payload);

    let text = str::from_utf8(payload).ok();
    let parses = |parse: fn(&str) -> bool| text.is_some_and(parse);
    assert_eq!(rejected::<&str>(push), text.is_none());
    let is_number = parses(|text| text.parse::<u64>().is_ok());
    assert_eq!(rejected::<Text<u64>>(push), !is_number);
    let is_address = parses(|text| text.parse::<IpAddr>().is_ok());
    assert_eq!(rejected::<Text<IpAddr>>(push), !is_address);

    assert!(matches!(<&[u8]>::from_push(push, &()), Ok(same) if same == payload));
    assert!(matches!(Bytes::from_push(push, &()), Ok(same) if same == payload));
}

fn json<'p, T: Deserialize<'p>>(push: Push<'p>, payload: &'p [u8]) {
    // What is not UTF-8 is not JSON, also where the parser would skip it.
    let is_text = str::from_utf8(payload).is_ok();
    let is_json = is_text && serde_json::from_slice::<T>(payload).is_ok();
    assert_eq!(rejected::<Json<T>>(push), !is_json);
}

/// Whether an argument is rejected. Checks that the reason is safe to log.
fn rejected<'p, T: FromPush<'p, ()>>(push: Push<'p>) -> bool {
    match T::from_push(push, &()) {
        Ok(_) => false,
        Err(rejection) => {
            prints_safely(&rejection.to_string());
            true
        }
    }
}

fn prints_safely(text: &str) {
    assert!(text.len() < 1_000, "long names must be cut: {text}");
    assert!(
        !text.contains(char::is_control),
        "control characters must be escaped: {text}"
    );
}
