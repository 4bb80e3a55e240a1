use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;

use redis_push::{
    Bytes, ChannelName, FromPush, FromRef, Json, MatchedPattern, Push, PushMessage, Rejection,
    State, Subscription, Text, push_handler,
};
use serde::Deserialize;

use crate::{deliver, rejection, template};

/// Records what the handlers of these tests receive.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, text: impl ToString) {
        self.0.lock().unwrap().push(text.to_string());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[derive(Deserialize)]
struct Alert<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote<'a> {
    symbol: &'a str,
    bid: f64,
}

#[push_handler(channel = "alerts")]
async fn takes_borrowed_json(Json(alert): Json<Alert<'_>>, State(seen): State<Seen>) {
    assert!(matches!(alert.text, Cow::Borrowed(_)));
    tokio::task::yield_now().await;
    seen.note(alert.text);
}

#[push_handler]
async fn takes_a_message(quote: Quote<'_>, State(seen): State<Seen>) {
    tokio::task::yield_now().await;
    seen.note(format!("{} {}", quote.symbol, quote.bid));
}

#[push_handler(pattern = "blobs.*")]
async fn takes_the_names(
    State(seen): State<Seen>,
    bytes: &[u8],
    ChannelName(name): ChannelName<'_>,
    pattern: MatchedPattern<'_>,
) {
    seen.note(format!("{} {name} {}", bytes.len(), pattern.as_str()));
}

#[push_handler(channel = "texts")]
async fn takes_the_text<'a>(mut text: &'a str, name: ChannelName<'a>, State(seen): State<Seen>) {
    text = text.trim();
    let both: [&'a str; 2] = [text, name.as_str()];
    seen.note(both.concat());
}

#[push_handler(shard = "bytes")]
async fn takes_bytes(bytes: Bytes, State(seen): State<Seen>) {
    seen.note(bytes.len());
}

#[push_handler(channel = "addresses")]
async fn takes_parsed_text(Text(address): Text<IpAddr>, State(seen): State<Seen>) {
    seen.note(address);
}

#[push_handler(channel = "numbers")]
async fn takes_an_option(number: Option<Json<u32>>, State(seen): State<Seen>) {
    seen.note(format!("{:?}", number.map(|Json(number)| number)));
}

#[push_handler(channel = "numbers")]
async fn takes_a_result(number: Result<Text<u32>, Rejection>, State(seen): State<Seen>) {
    seen.note(match number {
        Ok(Text(number)) => number.to_string(),
        Err(rejection) => rejection.to_string(),
    });
}

#[push_handler(channel = "anything")]
async fn takes_nothing() {}

/// A user-defined extractor for any state.
struct Length(usize);

impl<'p, S> FromPush<'p, S> for Length {
    fn from_push(push: Push<'p>, _state: &'p S) -> Result<Self, Rejection> {
        Ok(Self(push.payload().len()))
    }
}

/// A state with substates.
struct App {
    seen: Seen,
    name: String,
}

impl FromRef<App> for Seen {
    fn from_ref(app: &App) -> Self {
        app.seen.clone()
    }
}

/// A user-defined extractor for one state, from which it borrows.
struct Name<'p>(&'p str);

impl<'p> FromPush<'p, App> for Name<'p> {
    fn from_push(_push: Push<'p>, app: &'p App) -> Result<Self, Rejection> {
        Ok(Self(&app.name))
    }
}

#[push_handler(channel = "own", state = App)]
async fn takes_own_extractors(length: Length, Name(name): Name<'_>, State(seen): State<Seen>) {
    seen.note(format!("{} {name}", length.0));
}

#[tokio::test]
async fn arguments_borrow_from_the_push() {
    let seen = Seen::default();
    let alerts = Subscription::channel("alerts");
    let handler = takes_borrowed_json {};
    deliver(handler, &seen, alerts, "alerts", r#"{"text":"fire"}"#)
        .await
        .unwrap();
    let handler = takes_a_message {};
    let quotes = template("quotes.{symbol}");
    deliver(handler, &seen, quotes, "quotes.ACME", r#"{"bid":1.5}"#)
        .await
        .unwrap();
    assert_eq!(seen.take(), ["fire", "ACME 1.5"]);
}

#[tokio::test]
async fn arguments_are_taken_in_any_order() {
    let seen = Seen::default();
    let blobs = Subscription::pattern("blobs.*");
    deliver(takes_the_names {}, &seen, blobs, "blobs.x", "abc")
        .await
        .unwrap();
    let texts = Subscription::channel("texts");
    deliver(takes_the_text {}, &seen, texts, "texts", " hello ")
        .await
        .unwrap();
    let bytes = Subscription::shard("bytes");
    deliver(takes_bytes {}, &seen, bytes, "bytes", "12345")
        .await
        .unwrap();
    assert_eq!(seen.take(), ["3 blobs.x blobs.*", "hellotexts", "5"]);
}

#[tokio::test]
async fn a_payload_that_does_not_decode_is_rejected_before_the_body_runs() {
    let seen = Seen::default();
    let addresses = || Subscription::channel("addresses");
    deliver(takes_parsed_text {}, &seen, addresses(), "addresses", "::1")
        .await
        .unwrap();
    let wrong = deliver(
        takes_parsed_text {},
        &seen,
        addresses(),
        "addresses",
        "home",
    )
    .await;
    assert!(!rejection(wrong).is_unmatched());
    assert_eq!(seen.take(), ["::1"]);
}

#[tokio::test]
async fn options_and_results_receive_a_failed_decoding() {
    let seen = Seen::default();
    for payload in ["7", "seven"] {
        let numbers = || Subscription::channel("numbers");
        deliver(takes_an_option {}, &seen, numbers(), "numbers", payload)
            .await
            .unwrap();
        deliver(takes_a_result {}, &seen, numbers(), "numbers", payload)
            .await
            .unwrap();
    }
    let reason = "the payload does not parse as `u32`: invalid digit found in string";
    assert_eq!(seen.take(), ["Some(7)", "7", "None", reason]);
}

#[tokio::test]
async fn user_extractors_may_require_one_state() {
    let seen = Seen::default();
    let app = App {
        seen: seen.clone(),
        name: "app".to_owned(),
    };
    let own = Subscription::channel("own");
    deliver(takes_own_extractors {}, &app, own, "own", "1234")
        .await
        .unwrap();
    assert_eq!(seen.take(), ["4 app"]);
}

#[tokio::test]
async fn the_function_stays_an_ordinary_one() {
    let seen = Seen::default();
    let quote = Quote {
        symbol: "ACME",
        bid: 2.0,
    };
    takes_a_message(quote, State(seen.clone())).await;
    takes_the_text("x", ChannelName("y"), State(seen.clone())).await;
    assert_eq!(seen.take(), ["ACME 2", "xy"]);
}

#[tokio::test]
async fn a_handler_may_take_nothing() {
    let anything = Subscription::channel("anything");
    deliver(takes_nothing {}, &(), anything, "anything", "")
        .await
        .unwrap();
}

#[test]
fn the_future_is_send() {
    fn assert_send(_: impl Send) {}
    let seen = Seen::default();
    let quotes = template("quotes.{symbol}");
    assert_send(deliver(takes_a_message {}, &seen, quotes, "", ""));
}
