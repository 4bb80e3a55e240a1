use std::borrow::Cow;

use redis_push::{
    Bytes, Gap, Json, MessageDescriptor, PushMessage, Rejection, Subscriber, Subscription, Text,
    Wiring, gap_handler, handlers, push_handler,
};
use redis_push::{ChannelName, FromPush, Push};
use serde::Deserialize;

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote<'a> {
    symbol: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Alert<'a> {
    text: &'a str,
}

/// A user-defined extractor.
struct Length(usize);

impl<'p, S> FromPush<'p, S> for Length {
    const MESSAGE: Option<MessageDescriptor> = Some(MessageDescriptor::payload("length"));

    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        Ok(Self(push.payload().len()))
    }
}

mod gaps {
    use super::*;

    #[gap_handler]
    pub(super) async fn resync(gap: Gap) {
        println!("{gap}");
    }
}

#[push_handler(on_gap = gaps::resync)]
async fn on_quote(quote: Quote<'_>) {
    println!("{}", quote.symbol);
}

#[push_handler(channel = "alerts", timeout = "5s", required)]
async fn on_alert(name: ChannelName<'_>, alert: Option<Json<Alert<'_>>>) {
    println!(
        "{} {:?}",
        name.as_str(),
        alert.map(|Json(alert)| alert.text)
    );
}

#[push_handler(pattern = "numbers.*", overflow = "latest")]
async fn on_number(number: Result<Text<u32>, Rejection>) {
    println!("{:?}", number.is_ok());
}

#[push_handler(shard = "texts")]
async fn on_text(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "bytes")]
async fn on_bytes(bytes: Bytes) {
    println!("{}", bytes.len());
}

#[push_handler(channel = "slices")]
async fn on_slice(bytes: &[u8]) {
    println!("{}", bytes.len());
}

#[push_handler(channel = "lengths")]
async fn on_length(length: Length) {
    println!("{}", length.0);
}

#[push_handler(channel = "bells")]
async fn on_bell() {}

fn wiring() -> Wiring {
    Subscriber::new("redis://127.0.0.1/")
        .handlers(handlers![
            on_quote,
            on_alert,
            on_number
                .on(Subscription::channel("numbers"))
                .named("renamed"),
            on_text,
            on_bytes,
            on_slice,
            on_length,
            on_bell,
        ])
        .wiring()
}

#[test]
fn the_table_shows_what_the_source_says() {
    let text = format!("{:#}", wiring()).replace(file!(), "here.rs");
    let expected = "\
handler   written in  listens to                  message                       codec   policies
on_quote  here.rs     channels `quotes.{symbol}`  Quote<'_>                     json    on_gap = gaps::resync
on_alert  here.rs     channel `alerts`            Option<Json<Alert<'_>>>       json    timeout = 5s, required
renamed   here.rs     channel `numbers`           Result<Text<u32>, Rejection>  text    overflow = latest
on_text   here.rs     sharded channel `texts`     &str                          text
on_bytes  here.rs     channel `bytes`             Bytes                         bytes
on_slice  here.rs     channel `slices`            &[u8]                         bytes
on_length here.rs     channel `lengths`           Length                        length
on_bell   here.rs     channel `bells`             -                             -";
    // The width of the column depends on the path of this file.
    let words = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>()
    };
    assert_eq!(words(&text), words(expected), "\n{text}");
}

#[test]
fn the_place_is_that_of_the_handler() {
    let wiring = wiring();
    let row = wiring.handler("on_bell").unwrap();
    assert_eq!(row.file.as_deref(), Some(file!()));
    let source = include_str!("wiring.rs");
    let rest = source.lines().skip(row.line.unwrap() as usize - 1);
    let head: Vec<_> = rest.take(2).collect();
    assert_eq!(
        head,
        [
            "#[push_handler(channel = \"bells\")]",
            "async fn on_bell() {}"
        ]
    );
}
