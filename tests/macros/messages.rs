use std::borrow::Cow;
use std::collections::HashMap;

use redis_push::{FromPush, OwnedPush, PushMessage, Rejection, Subscription};

use crate::template;

/// Decodes a message from a temporary push, which lives until the end of the statement.
macro_rules! decode {
    ($ty:ty, $channel:expr, $payload:expr) => {
        decode!(
            $ty,
            <$ty as PushMessage>::SUBSCRIPTIONS[0].clone(),
            $channel,
            $payload
        )
    };
    ($ty:ty, $by:expr, $channel:expr, $payload:expr) => {
        <$ty as FromPush<'_, ()>>::from_push(OwnedPush::new($by, $channel, $payload).as_push(), &())
    };
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "quotes.{symbol}@{venue}.{rest*}")]
struct Quote<'a> {
    symbol: String,
    venue: &'a str,
    rest: Cow<'a, str>,
    bid: f64,
    note: Option<Cow<'a, str>>,
}

#[test]
fn params_come_from_the_channel_and_the_rest_from_the_payload() {
    let push = OwnedPush::new(
        Quote::SUBSCRIPTIONS[0].clone(),
        "quotes.ACME@XETR.a.b",
        r#"{"bid": 1.5, "note": "hot", "symbol": "ignored", "extra": 1}"#,
    );
    let quote = <Quote<'_> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert_eq!(quote.note.as_deref(), Some("hot"));
    assert!(matches!(quote.rest, Cow::Borrowed("a.b")));
    assert_eq!(
        (&*quote.symbol, quote.venue, quote.bid),
        ("ACME", "XETR", 1.5)
    );
    assert_eq!(Quote::FIELDS, ["symbol", "venue", "rest", "bid", "note"]);
    assert_eq!(
        Quote::SUBSCRIPTIONS[0].clone(),
        template("quotes.{symbol}@{venue}.{rest*}")
    );
}

#[test]
fn a_channel_outside_the_template_is_unmatched_whatever_its_payload() {
    let unmatched = decode!(Quote<'_>, "quotes.a.b", "no json").unwrap_err();
    assert!(unmatched.is_unmatched());
    let wrong = decode!(Quote<'_>, "quotes.a@b.c", "no json").unwrap_err();
    assert!(!wrong.is_unmatched());
    let text = wrong.to_string();
    assert!(
        text.starts_with("the payload is not the JSON of `Quote`"),
        "{text}"
    );
}

#[test]
fn the_template_of_the_mount_takes_precedence() {
    let by = template("{venue}/quotes/{symbol}:{rest*}");
    let push = OwnedPush::new(by, "XETR/quotes/ACME:x", r#"{"bid": 1}"#);
    let quote = <Quote<'_> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert_eq!((&*quote.symbol, quote.venue), ("ACME", "XETR"));
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "users.{id}")]
struct User {
    id: u32,
    name: String,
}

#[test]
fn params_are_parsed() {
    let user = decode!(User, "users.7", r#"{"name": "Ada"}"#).unwrap();
    assert_eq!((user.id, &*user.name), (7, "Ada"));
    let wrong: Rejection = decode!(User, "users.seven", r#"{"name": "Ada"}"#).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "the param `id` of the channel name is not a valid `u32`: invalid digit found in string"
    );
    let missing = decode!(User, "users.7", "{}").unwrap_err().to_string();
    assert!(missing.contains("missing field `name`"), "{missing}");
    let by_exact_name = Subscription::channel("users.7");
    let user = decode!(User, by_exact_name, "users.7", r#"{"name": "Ada"}"#).unwrap();
    assert_eq!(user.id, 7);
}

fn three() -> u8 {
    3
}

mod as_text {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(json: D) -> Result<u64, D::Error> {
        let text = <&str>::deserialize(json)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "serde.{param}", receive_only)]
#[serde(rename_all = "camelCase")]
struct Attributed<'a> {
    #[serde(rename = "of no effect", default)]
    param: String,
    long_name: u8,
    #[serde(rename = "type", alias = "kind")]
    renamed: u8,
    #[serde(default = "three")]
    with_default: u8,
    #[serde(skip)]
    skipped: u8,
    #[serde(deserialize_with = "as_text::deserialize")]
    deserialized: u64,
    #[serde(with = "as_text")]
    with: u64,
    #[serde(borrow = "'a")]
    borrowed: Cow<'a, str>,
    bytes: &'a str,
    list: Vec<Cow<'a, str>>,
    #[serde(flatten)]
    others: HashMap<String, u8>,
}

#[test]
fn serde_attributes_of_fields_are_honored() {
    let push = OwnedPush::new(
        Attributed::SUBSCRIPTIONS[0].clone(),
        "serde.x",
        r#"{"longName": 1, "kind": 2, "deserialized": "4", "with": "5", "borrowed": "b",
            "bytes": "c", "list": ["d"], "other": 6}"#,
    );
    let read = <Attributed<'_> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    let expected = Attributed {
        param: "x".to_owned(),
        long_name: 1,
        renamed: 2,
        with_default: 3,
        skipped: 0,
        deserialized: 4,
        with: 5,
        borrowed: "b".into(),
        bytes: "c",
        list: vec!["d".into()],
        others: HashMap::from([("other".to_owned(), 6)]),
    };
    assert_eq!(read, expected);
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "strict.{id}")]
#[serde(deny_unknown_fields)]
struct Strict {
    id: u8,
    value: u8,
}

#[test]
fn a_strict_type_refuses_its_param_in_the_payload_too() {
    assert!(decode!(Strict, "strict.1", r#"{"value": 1}"#).is_ok());
    assert!(decode!(Strict, "strict.1", r#"{"value": 1, "id": 1}"#).is_err());
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "defaults.{id}")]
#[serde(default)]
struct WithDefault {
    id: u8,
    one: u8,
    two: u8,
}

impl Default for WithDefault {
    fn default() -> Self {
        Self {
            id: 0,
            one: 10,
            two: 20,
        }
    }
}

fn eleven() -> WithDefaultFn {
    WithDefaultFn { id: 0, one: 11 }
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "defaults.{id}")]
#[serde(default = "eleven")]
struct WithDefaultFn {
    id: u8,
    one: u8,
}

#[test]
fn a_default_of_the_type_fills_what_is_missing() {
    let read = decode!(WithDefault, "defaults.5", r#"{"two": 2}"#).unwrap();
    let expected = WithDefault {
        id: 5,
        one: 10,
        two: 2,
    };
    assert_eq!(read, expected);
    let read = decode!(WithDefaultFn, "defaults.5", "{}").unwrap();
    assert_eq!(read, WithDefaultFn { id: 5, one: 11 });
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "events")]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    UserJoined {
        name: Cow<'a, str>,
    },
    #[serde(rename = "bye")]
    Left {
        #[serde(default)]
        reason: Option<&'a str>,
    },
    Empty,
    #[serde(other)]
    Unknown,
}

#[test]
fn enums_are_read_by_their_tags() {
    let read = |payload: &'static str| {
        let push = Box::leak(Box::new(OwnedPush::new(
            Event::SUBSCRIPTIONS[0].clone(),
            "events",
            payload,
        )));
        <Event<'_> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap()
    };
    let joined = Event::UserJoined { name: "Ada".into() };
    assert_eq!(read(r#"{"type": "user_joined", "name": "Ada"}"#), joined);
    let left = Event::Left { reason: Some("x") };
    assert_eq!(read(r#"{"type": "bye", "reason": "x"}"#), left);
    assert_eq!(read(r#"{"type": "empty"}"#), Event::Empty);
    assert_eq!(read(r#"{"type": "new"}"#), Event::Unknown);
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(shard = "{orders}.price")]
struct Price(f64);

#[derive(Debug, PartialEq, PushMessage)]
#[push(pattern = "pairs.*")]
struct Pair<'a>(&'a str, Option<u8>);

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "prices.{symbol}")]
#[serde(transparent)]
struct Bare {
    symbol: String,
    price: f64,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "bare")]
#[serde(transparent)]
struct BareAlone {
    price: f64,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "plain")]
#[serde(default, rename_all = "UPPERCASE")]
#[derive(Default)]
struct Plain {
    one: u8,
    two: u8,
}

#[test]
fn tuples_and_bare_values_are_read_as_serde_writes_them() {
    assert_eq!(decode!(Price, "{orders}.price", "1.5").unwrap(), Price(1.5));
    assert_eq!(
        Price::SUBSCRIPTIONS[0].clone(),
        Subscription::shard("{orders}.price")
    );
    let push = OwnedPush::new(Pair::SUBSCRIPTIONS[0].clone(), "pairs.x", r#"["a", null]"#);
    let pair = <Pair<'_> as FromPush<'_, ()>>::from_push(push.as_push(), &());
    assert_eq!(pair.unwrap(), Pair("a", None));
    let bare = decode!(Bare, "prices.ACME", "2.5").unwrap();
    assert_eq!((&*bare.symbol, bare.price), ("ACME", 2.5));
    assert_eq!(decode!(BareAlone, "bare", "2.5").unwrap().price, 2.5);
    let plain = decode!(Plain, "plain", r#"{"TWO": 2}"#).unwrap();
    assert_eq!(plain, Plain { one: 0, two: 2 });
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "ping")]
struct Ping;

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "presence.{room}.{user}")]
struct Presence {
    user: String,
    room: u8,
}

#[test]
fn a_message_without_fields_in_the_payload_does_not_read_it() {
    assert_eq!(decode!(Ping, "ping", "anything").unwrap(), Ping);
    let read = decode!(Presence, "presence.5.ada", "").unwrap();
    let user = "ada".to_owned();
    assert_eq!(read, Presence { user, room: 5 });
    assert!(
        decode!(Presence, "presence.5", "")
            .unwrap_err()
            .is_unmatched()
    );
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "bounds.{a}")]
struct Bounded<'a, 'b: 'a>
where
    'a: 'a,
{
    a: &'a str,
    b: Cow<'b, str>,
}

#[test]
fn lifetimes_may_have_bounds() {
    let push = OwnedPush::new(
        Bounded::SUBSCRIPTIONS[0].clone(),
        "bounds.x",
        r#"{"b": "y"}"#,
    );
    let read = <Bounded<'_, '_> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert_eq!((read.a, &*read.b), ("x", "y"));
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "maps.{long_id}")]
#[serde(rename_all = "camelCase")]
struct Flattened {
    long_id: u32,
    other_name: u8,
    #[serde(flatten)]
    rest: HashMap<String, serde_json::Value>,
}

#[test]
fn a_flattened_map_does_not_hold_a_param() {
    let payload = r#"{"long_id": "ignored", "otherName": 1, "more": [2]}"#;
    let message = decode!(Flattened, "maps.7", payload).unwrap();
    assert_eq!((message.long_id, message.other_name), (7, 1));
    let rest: Vec<_> = message.rest.keys().collect();
    assert_eq!(rest, ["more"]);
    let message = decode!(Flattened, "maps.7", r#"{"otherName": 1}"#).unwrap();
    assert!(message.rest.is_empty());
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "flat.{name}")]
struct FlattenedGeneric<'a, T> {
    name: Cow<'a, str>,
    #[serde(flatten)]
    rest: HashMap<Cow<'a, str>, T>,
}

#[test]
fn a_flattened_map_of_any_type_does_not_hold_a_param() {
    let payload = r#"{"a": 1, "name": {"not": "a number"}}"#;
    let rest = decode!(FlattenedGeneric<'_, u8>, "flat.x", payload).map(|message| {
        assert_eq!(message.name, "x");
        let rest = message.rest.into_iter();
        rest.map(|(name, value)| (name.into_owned(), value))
            .collect::<Vec<_>>()
    });
    assert_eq!(rest.unwrap(), [(String::from("a"), 1)]);
}

#[derive(Debug, PushMessage)]
#[push(channel = "temperatures.{room}", codec = text, receive_only)]
struct Temperature {
    room: String,
    celsius: f64,
}

#[derive(Debug, PushMessage)]
#[push(channel = "levels", codec = text)]
struct Level(u8);

#[derive(Debug, PushMessage)]
#[push(channel = "codes", codec = text)]
enum Code {
    One,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one")
    }
}

impl std::str::FromStr for Code {
    type Err = BadCode;

    fn from_str(text: &str) -> Result<Self, BadCode> {
        match text {
            "one" => Ok(Self::One),
            _ => Err(BadCode(text.to_owned())),
        }
    }
}

/// An error that quotes the text.
#[derive(Debug)]
struct BadCode(String);

impl std::fmt::Display for BadCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not a code", self.0)
    }
}

impl std::error::Error for BadCode {}

#[test]
fn a_text_that_does_not_parse_is_described_and_not_quoted() {
    let reason = |rejection: Rejection| rejection.to_string();
    let good = decode!(Temperature, "temperatures.7", "-1.5").unwrap();
    assert_eq!((&*good.room, good.celsius), ("7", -1.5));
    let rejected = decode!(Temperature, "temperatures.7", "secret").unwrap_err();
    assert_eq!(
        reason(rejected),
        "the payload does not parse as `f64`, for the field `celsius` of `Temperature`: invalid \
         float literal"
    );
    let rejected = decode!(Level, "levels", "secret").unwrap_err();
    assert_eq!(
        reason(rejected),
        "the payload does not parse as `u8`, for the field `0` of `Level`: invalid digit found in \
         string"
    );
    let rejected = decode!(Code, "codes", "secret").unwrap_err();
    assert_eq!(
        reason(rejected),
        "the payload does not parse as `Code`, for `Code`: `BadCode`"
    );
    let rejected = decode!(Level, "levels", b"\xff").unwrap_err();
    let text = reason(rejected);
    assert!(
        text.starts_with("the payload is not UTF-8, for the field `0` of `Level`"),
        "{text}"
    );
}
