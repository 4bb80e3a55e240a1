use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use redis_push::{
    FromPush, Json, OwnedPush, Param, PushMessage, State, Subscription, push_handler,
};

use crate::{deliver, rejection, template};

type Seen = &'static Mutex<Vec<String>>;

fn seen() -> Seen {
    Box::leak(Box::default())
}

#[push_handler(channel = "hosts.{region}.{host*}")]
async fn on_host(
    Param(region): Param<&str>,
    host: Param<IpAddr>,
    Json(up): Json<bool>,
    State(seen): State<Seen>,
) {
    let Param(host) = host;
    seen.lock().unwrap().push(format!("{region} {host} {up}"));
}

#[tokio::test]
async fn params_are_arguments_of_the_same_name() {
    let seen = seen();
    let by = template("hosts.{region}.{host*}");
    deliver(on_host {}, &seen, by.clone(), "hosts.eu.10.0.0.7", "true")
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), ["eu 10.0.0.7 true"]);
    let wrong = deliver(on_host {}, &seen, by, "hosts.eu.ten", "true").await;
    assert_eq!(
        rejection(wrong).to_string(),
        "the param `host` of the channel name is not a valid `core::net::ip_addr::IpAddr`: invalid IP \
         address syntax"
    );
}

#[push_handler(channel = ["jobs.{id}", "old.jobs.{id}"])]
async fn on_job(r#id: Param<String>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(id.0);
}

#[tokio::test]
async fn several_channels_provide_the_params_that_they_share() {
    let seen = seen();
    for (by, channel) in [("jobs.{id}", "jobs.1"), ("old.jobs.{id}", "old.jobs.2")] {
        deliver(on_job {}, &seen, template(by), channel, "")
            .await
            .unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), ["1", "2"]);
}

use redis_push::Param as Renamed;

#[push_handler(channel = "only.{one}")]
async fn on_only(one: Option<Renamed<u8>>, State(seen): State<Seen>) {
    seen.lock()
        .unwrap()
        .push(format!("{:?}", one.map(|one| one.0)));
}

#[tokio::test]
async fn an_argument_without_a_visible_name_is_the_only_param() {
    let seen = seen();
    let by = template("only.{one}");
    deliver(on_only {}, &seen, by.clone(), "only.7", "")
        .await
        .unwrap();
    deliver(on_only {}, &seen, by, "only.x", "").await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["Some(7)", "None"]);
}

macro_rules! made {
    ($message:ident, $field:ident, $handler:ident, $param:ident, $key:ident, $ty:ty, $($options:tt)*) => {
        #[derive(redis_push::PushMessage)]
        #[push(channel = "made.{id}", codec = text)]
        struct $message {
            id: $ty,
            $field: $ty,
        }

        #[redis_push::push_handler($($options)*, workers = 2, ordered_by = $key)]
        async fn $handler(redis_push::Param($param): redis_push::Param<$ty>, text: &str) {
            println!("{} {text}", $param);
        }
    };
}

made!(Made, value, on_made, id, id, u64, channel = "made.{id}");

/// The name of a param must not depend on the hygiene of the tokens around it.
#[test]
fn names_may_come_from_a_macro() {
    let by = <Made as redis_push::PushMessage>::SUBSCRIPTIONS[0].clone();
    let push = redis_push::OwnedPush::new(by, "made.7", "8");
    let made = <Made as redis_push::FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert_eq!((made.id, made.value), (7, 8));
    let mounts: Vec<redis_push::Mount<()>> = redis_push::handlers![on_made];
    assert_eq!(mounts.len(), 1);
}

/// A newtype by `From<&str>`.
#[derive(Debug, PartialEq)]
struct Symbol(String);

impl From<&str> for Symbol {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A newtype that borrows.
#[derive(Debug, PartialEq)]
struct Venue<'a>(&'a str);

impl<'a> From<&'a str> for Venue<'a> {
    fn from(text: &'a str) -> Self {
        Self(text)
    }
}

/// A newtype that can be converted in both ways.
#[derive(Debug, PartialEq)]
struct Both(String);

impl From<&str> for Both {
    fn from(text: &str) -> Self {
        Self(format!("from {text}"))
    }
}

impl std::str::FromStr for Both {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(format!("parsed {text}")))
    }
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(
    channel = "shared.{arc}.{boxed}.{rc}.{symbol}.{venue}.{both}",
    receive_only
)]
struct Shared<'a> {
    arc: Arc<str>,
    boxed: Box<str>,
    rc: Rc<str>,
    symbol: Symbol,
    venue: Venue<'a>,
    both: Both,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "texts.{arc}", codec = text)]
struct SharedText {
    arc: Arc<str>,
    text: Symbol,
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = "generic.{arc}.{id}", receive_only)]
struct Generic<T> {
    arc: Arc<str>,
    id: T,
    value: T,
}

#[test]
fn a_field_is_filled_by_from_str_or_else_by_from() {
    let by = Shared::SUBSCRIPTIONS[0].clone();
    let push = OwnedPush::new(by, "shared.a.b.c.d.e.f", "{}");
    let shared = <Shared<'_> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    let expected = Shared {
        arc: Arc::from("a"),
        boxed: Box::from("b"),
        rc: Rc::from("c"),
        symbol: Symbol::from("d"),
        venue: Venue("e"),
        both: Both("parsed f".to_owned()),
    };
    assert_eq!(shared, expected);

    let push = OwnedPush::new(SharedText::SUBSCRIPTIONS[0].clone(), "texts.a", "b");
    let text = <SharedText as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert_eq!((&*text.arc, text.text), ("a", Symbol::from("b")));

    let by = <Generic<u8>>::SUBSCRIPTIONS[0].clone();
    let push = OwnedPush::new(by, "generic.a.7", r#"{"value": 8}"#);
    let generic = <Generic<u8> as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
    assert_eq!((&*generic.arc, generic.id, generic.value), ("a", 7, 8));
}

#[push_handler(channel = "shared.{arc}.{boxed}.{symbol}.{venue}.{both}")]
async fn on_shared(
    Param(arc): Param<Arc<str>>,
    boxed: Param<Box<str>>,
    Param(symbol): Param<Symbol>,
    Param(venue): Param<Venue<'_>>,
    Param(both): Param<Both>,
    State(seen): State<Seen>,
) {
    let Param(boxed) = boxed;
    let text = format!("{arc} {boxed} {symbol} {} {}", venue.0, both.0);
    seen.lock().unwrap().push(text);
}

#[tokio::test]
async fn an_argument_is_filled_by_from_str_or_else_by_from() {
    let seen = seen();
    let by: Subscription = template("shared.{arc}.{boxed}.{symbol}.{venue}.{both}");
    deliver(on_shared {}, &seen, by, "shared.a.b.c.d.e", "")
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), ["a b c d parsed e"]);
}
