//! Messages that may carry a trace context, which their types do not see.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;

use redis_push::{FromPush, OwnedPush, PushMessage, Subscription, ToPayload, TraceParent};

const CONTEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "quotes", trace)]
struct Quote<'a> {
    symbol: Cow<'a, str>,
    bid: i64,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "strict.{id}", trace)]
#[serde(deny_unknown_fields)]
struct Strict {
    id: u32,
    text: String,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "open.{id}", trace)]
struct Open {
    id: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "events", trace, tag = "type")]
#[serde(deny_unknown_fields)]
enum Happened {
    Opened { by: String },
    Closed,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "adjacent", trace, tag = "type")]
#[serde(content = "of")]
enum Adjacent {
    Moved(i64, i64),
    Stayed,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "packed", trace, codec = msgpack)]
#[serde(deny_unknown_fields)]
struct Packed {
    a: u8,
    b: Option<String>,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "packed.{id}", trace, codec = msgpack)]
struct OpenPacked {
    id: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "generic", trace)]
struct Wrapped<T> {
    body: T,
}

/// Returns the payload of a message with the context, as a publisher writes it.
fn with_context(payload: &[u8], is_map: bool) -> Vec<u8> {
    if is_map {
        let mut carrying = vec![payload[0] + 1];
        carrying.extend(b"\xabtraceparent\xd9\x37");
        carrying.extend(CONTEXT.bytes());
        carrying.extend(&payload[1..]);
        return carrying;
    }
    let text = str::from_utf8(payload).unwrap();
    let rest = text.strip_prefix('{').unwrap();
    let comma = if rest == "}" { "" } else { "," };
    format!(r#"{{"traceparent":"{CONTEXT}"{comma}{rest}"#).into_bytes()
}

macro_rules! reads_both {
    ($ty:ty, $channel:literal, $message:expr $(, $map:literal)?) => {{
        let message: $ty = $message;
        let payload = message.to_payload().unwrap().into_owned();
        let is_map = false $(|| $map)?;
        let carrying = with_context(&payload, is_map);
        let subscription = || <$ty as PushMessage>::SUBSCRIPTIONS[0].clone();
        for (payload, context) in [(payload, None), (carrying, CONTEXT.parse().ok())] {
            let push = OwnedPush::new(subscription(), $channel, &payload);
            let read = <$ty as FromPush<'_, ()>>::from_push(push.as_push(), &());
            assert_eq!(read.unwrap(), message);
            let read = Option::<TraceParent>::from_push(push.as_push(), &());
            assert_eq!(read.unwrap(), context);
        }
    }};
}

#[test]
fn a_message_is_read_with_and_without_a_context() {
    let symbol = Cow::Borrowed("ACME");
    reads_both!(Quote<'_>, "quotes", Quote { symbol, bid: 41 });
    let text = "x".to_owned();
    reads_both!(Strict, "strict.7", Strict { id: 7, text });
    let rest = BTreeMap::from([("a".to_owned(), 1.into())]);
    reads_both!(Open, "open.7", Open { id: 7, rest });
    reads_both!(
        Open,
        "open.7",
        Open {
            id: 7,
            rest: BTreeMap::new()
        }
    );
    let by = "ann".to_owned();
    reads_both!(Happened, "events", Happened::Opened { by });
    reads_both!(Happened, "events", Happened::Closed);
    reads_both!(Adjacent, "adjacent", Adjacent::Moved(1, -1));
    reads_both!(Adjacent, "adjacent", Adjacent::Stayed);
    reads_both!(Wrapped<Vec<u8>>, "generic", Wrapped { body: vec![1] });
    reads_both!(Packed, "packed", Packed { a: 1, b: None }, true);
    let rest = BTreeMap::from([("c".to_owned(), 3)]);
    reads_both!(OpenPacked, "packed.7", OpenPacked { id: 7, rest }, true);
}

#[test]
fn text_is_borrowed_after_a_context() {
    let payload = with_context(br#"{"symbol":"ACME","bid":41}"#, false);
    let push = OwnedPush::new(Subscription::channel("quotes"), "quotes", &payload);
    let quote = <Quote<'_> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert!(matches!(quote.symbol, Cow::Borrowed("ACME")));
}

/// Returns why a payload is rejected.
fn rejects<'p, T: FromPush<'p, ()> + Debug>(push: &'p OwnedPush) -> String {
    T::from_push(push.as_push(), &()).unwrap_err().to_string()
}

#[test]
fn a_context_does_not_hide_other_mistakes() {
    let read = |payload: &str| {
        let payload = with_context(payload.as_bytes(), false);
        OwnedPush::new(
            Subscription::template("strict.{id}").unwrap(),
            "strict.7",
            payload,
        )
    };
    let unknown = read(r#"{"text":"x","more":1}"#);
    assert!(rejects::<Strict>(&unknown).contains("a value does not fit"));
    assert!(rejects::<Strict>(&read("{}")).contains("missing field `text`"));
    // Only the first member is the context.
    let twice = read(&format!(r#"{{"traceparent":"{CONTEXT}","text":"x"}}"#));
    assert!(rejects::<Strict>(&twice).contains("a value does not fit"));
    let none = OwnedPush::new(Subscription::channel("a"), "a", "{}");
    assert!(rejects::<TraceParent>(&none).contains("carries no trace context"));
}

#[test]
fn a_context_of_another_form_is_left_out_too() {
    let template = Subscription::template("strict.{id}").unwrap();
    for context in ["null", "\"01-newer\"", "{\"a\":[1]}"] {
        let payload = format!(r#"{{"traceparent":{context},"text":"x"}}"#);
        let push = OwnedPush::new(template.clone(), "strict.7", payload);
        let read = <Strict as FromPush<'_, ()>>::from_push(push.as_push(), &());
        assert_eq!(read.unwrap().text, "x");
    }
}
