//! Handlers that decode in every way, and count the valid messages.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use redis_push::{
    Bytes, ChannelName, Json, MatchedPattern, Mount, PushMessage, Rejection, State, Subscription,
    Text, handlers, push_handler,
};
use serde::Deserialize;

/// How many valid messages each handler has handled.
#[derive(Debug, Default)]
pub(crate) struct Goods([AtomicU64; GOOD.len()]);

type Counted = State<Arc<Goods>>;

impl Goods {
    fn add(&self, index: usize) {
        self.0[index].fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> [u64; GOOD.len()] {
        self.0.each_ref().map(|count| count.load(Relaxed))
    }
}

/// For each handler a channel of its own, and a valid message for it.
pub(crate) const GOOD: [(&str, &str); 9] = [
    ("good.json", r#"{"id":424242,"text":"good"}"#),
    ("good.borrowed", r#"{"id":424242,"text":"good"}"#),
    ("good.float", "424242.5"),
    ("good.integer", "424242"),
    ("good.text", "the good message"),
    ("good.bytes", "the good message"),
    ("good.result", r#"{"id":424242,"text":"good"}"#),
    ("quotes.GOOD", r#"{"bid":424242.5}"#),
    ("names.good", "the good message"),
];

const NUMBER: u64 = 424_242;
const TEXT: &str = "the good message";

#[derive(Deserialize)]
struct Order {
    id: u64,
    text: String,
}

#[derive(Deserialize)]
struct OrderRef<'a> {
    id: u64,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote<'a> {
    symbol: Cow<'a, str>,
    bid: f64,
}

#[push_handler(channel = "poison")]
async fn on_json(Json(order): Json<Order>, State(goods): Counted) {
    if order.id == NUMBER && order.text == "good" {
        goods.add(0);
    }
}

#[push_handler(channel = "poison")]
async fn on_borrowed(Json(order): Json<OrderRef<'_>>, State(goods): Counted) {
    if order.id == NUMBER && order.text == "good" {
        goods.add(1);
    }
}

#[push_handler(channel = "poison")]
async fn on_float(Text(number): Text<f64>, State(goods): Counted) {
    if number == NUMBER as f64 + 0.5 {
        goods.add(2);
    }
}

#[push_handler(channel = "poison")]
async fn on_integer(Text(number): Text<u64>, State(goods): Counted) {
    if number == NUMBER {
        goods.add(3);
    }
}

#[push_handler(channel = "poison")]
async fn on_text(text: &str, State(goods): Counted) {
    if text == TEXT {
        goods.add(4);
    }
}

#[push_handler(channel = "poison")]
async fn on_bytes(bytes: Bytes, State(goods): Counted) {
    if bytes == TEXT {
        goods.add(5);
    }
}

#[push_handler(channel = "poison")]
async fn on_result(
    order: Result<Json<serde_json::Value>, Rejection>,
    State(goods): Counted,
) -> Result<(), Rejection> {
    let Json(order) = order?;
    if order["id"] == NUMBER {
        goods.add(6);
    }
    Ok(())
}

#[push_handler]
async fn on_quote(quote: Quote<'_>, State(goods): Counted) {
    if quote.symbol == "GOOD" && quote.bid == NUMBER as f64 + 0.5 {
        goods.add(7);
    }
}

#[push_handler(pattern = "names.*")]
async fn on_name(
    bytes: &[u8],
    channel: ChannelName<'_>,
    pattern: MatchedPattern<'_>,
    State(goods): Counted,
) {
    if bytes == TEXT.as_bytes() && channel.as_str() == "names.good" && !pattern.as_str().is_empty()
    {
        goods.add(8);
    }
}

/// The handlers, in the order of [`GOOD`].
pub(crate) fn mounts() -> Vec<Mount<Arc<Goods>>> {
    let mut mounts = handlers![
        on_json,
        on_borrowed,
        on_float,
        on_integer,
        on_text,
        on_bytes,
        on_result,
        on_quote,
        on_name
    ];
    let rest = mounts.split_off(7);
    let with_own = mounts.into_iter().zip(GOOD).map(|(mount, (channel, _))| {
        let poison = mount.on(Subscription::channel("poison"));
        poison.on(Subscription::channel(channel))
    });
    with_own.chain(rest).collect()
}
