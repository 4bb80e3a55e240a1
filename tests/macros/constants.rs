//! Names that are constants of the user.

use std::sync::Mutex;

use redis_push::{
    FromPush, Handler, Kind, OwnedPush, Param, PushMessage, State, Subscription, push_handler,
};

use crate::{deliver, spec_of, template};

type Seen = &'static Mutex<Vec<String>>;

fn seen() -> Seen {
    Box::leak(Box::default())
}

mod names {
    pub(super) const ALERTS: &str = "alerts";
    pub(super) const ROOMS: &str = "{{rooms}}.{room}.{path*}";

    pub(super) struct Names;

    impl Names {
        pub(super) const JOBS: &'static str = "jobs.{id}";
    }
}

use names::Names;

#[push_handler(channel = names::ALERTS)]
async fn on_alert(text: &str, State(seen): State<Seen>) {
    seen.lock().unwrap().push(text.to_owned());
}

#[push_handler(channel = names::ROOMS)]
async fn on_room(Param(room): Param<u8>, Param(path): Param<&str>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(format!("{room} {path}"));
}

#[push_handler(channel = ["old.jobs.{id}", Names::JOBS], workers = 2, ordered_by = id)]
async fn on_job(Param(id): Param<u8>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(id.to_string());
}

/// Delivers one message by a subscription that the handler has.
async fn route<H: Handler<Seen>>(handler: H, by: Subscription, channel: &str) -> Vec<String> {
    let seen = seen();
    let spec = format!("{:?}", handler.spec());
    assert!(spec.contains(&format!("{by:?}")), "{by:?} is not in {spec}");
    deliver(handler, &seen, by, channel, "hot").await.unwrap();
    seen.lock().unwrap().clone()
}

#[tokio::test]
async fn a_constant_names_the_channel_of_a_handler() {
    assert_eq!(
        route(on_alert {}, Subscription::channel("alerts"), "alerts").await,
        ["hot"]
    );
    assert_eq!(
        route(on_room {}, template(names::ROOMS), "{rooms}.7.door.state").await,
        ["7 door.state"]
    );
    assert_eq!(
        route(on_job {}, template("old.jobs.{id}"), "old.jobs.1").await,
        ["1"]
    );
    assert_eq!(
        route(on_job {}, template(Names::JOBS), "jobs.2").await,
        ["2"]
    );
}

/// Returns the text of a spec without the name and the place of its function.
fn without_place(spec: &str) -> String {
    let (_, after) = spec.split_once(", message: ").unwrap();
    after.to_owned()
}

macro_rules! pairs {
    ($($option:ident $text:literal $extra:ty;)*) => {$({
        const TEXT: &str = $text;
        #[push_handler($option = TEXT)]
        async fn by_constant(_: $extra) {}
        #[push_handler($option = $text)]
        async fn by_text(_: $extra) {}
        let [constant, text] = [spec_of(by_constant {}), spec_of(by_text {})];
        assert_eq!(without_place(&constant), without_place(&text), "{}", $text);
    })*};
}

#[test]
fn a_constant_is_read_as_the_same_text_in_quotes() {
    use redis_push::{Invalidation, KeyEvent};
    pairs! {
        channel "plain" &str;
        channel "é.{ä}.ß" &str;
        channel "a{{{b}" &str;
        channel "{{}}" &str;
        channel "a]\\.{x}.b" &str;
        channel "{a}" &str;
        channel "__keyevent@0__:{event}" KeyEvent<'_>;
        pattern "log.[we]*" &str;
        pattern "log.\\{a}" &str;
        shard "{orders}.eu" &str;
        keyspace "user:{id}" KeyEvent<'_>;
        keyspace "plain" KeyEvent<'_>;
        keyspace "{key*}" KeyEvent<'_>;
        invalidate "user:{{1}}" Invalidation<'_>;
        invalidate "" Invalidation<'_>;
    }
}

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = names::ALERTS)]
struct Alert<T> {
    level: T,
}

const SHARD: &str = "{orders}.eu";

#[derive(PushMessage)]
#[push(shard = SHARD, codec = text)]
#[allow(dead_code)]
enum Order {}

impl std::str::FromStr for Order {
    type Err = std::fmt::Error;
    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Err(std::fmt::Error)
    }
}

#[push_handler]
async fn on_typed_alert(alert: Alert<u8>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(alert.level.to_string());
}

#[tokio::test]
async fn a_constant_names_the_channel_of_a_message_type() {
    let seen = seen();
    let by = Alert::<u8>::SUBSCRIPTIONS[0].clone();
    assert_eq!(by, Subscription::channel("alerts"));
    deliver(on_typed_alert {}, &seen, by, "alerts", r#"{"level": 3}"#)
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), ["3"]);
    assert_eq!(Order::SUBSCRIPTIONS[0].kind(), Kind::Shard);
    assert_eq!(Order::SUBSCRIPTIONS[0].name(), "{orders}.eu");
}

const QUOTES: &str = "quotes.{symbol}.{type}";

#[derive(Debug, PartialEq, PushMessage)]
#[push(channel = QUOTES, params(r#type, symbol))]
struct Quote<'a> {
    symbol: &'a str,
    r#type: u8,
    bid: f64,
}

macro_rules! by_macro {
    ($handler:ident, $message:ident, $name:path, $param:ident, $text:expr) => {
        #[derive(PushMessage)]
        #[push(channel = $name, params($param), receive_only)]
        struct $message {
            $param: u8,
        }

        #[push_handler(channel = [$name, $text])]
        async fn $handler(message: $message, State(seen): State<Seen>) {
            seen.lock().unwrap().push(message.$param.to_string());
        }
    };
}

by_macro!(on_made, Made, Names::JOBS, id, "made.{id}");

#[tokio::test]
async fn a_macro_may_pass_a_constant() {
    assert_eq!(Made::SUBSCRIPTIONS, [template(Names::JOBS)]);
    assert_eq!(
        route(on_made {}, template(Names::JOBS), "jobs.1").await,
        ["1"]
    );
    assert_eq!(
        route(on_made {}, template("made.{id}"), "made.2").await,
        ["2"]
    );
}

static QUEUE: &str = "queue";

#[push_handler(channel = QUEUE)]
async fn on_static(text: &str, State(seen): State<Seen>) {
    seen.lock().unwrap().push(text.to_owned());
}

#[tokio::test]
async fn a_static_is_as_good_as_a_constant() {
    let by = Subscription::channel("queue");
    assert_eq!(route(on_static {}, by, "queue").await, ["hot"]);
}

const ACME: &str = "quotes.ACME.2";

#[push_handler(channel = ["ACME", ACME])]
async fn on_acme(quote: Quote<'_>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(quote.symbol.to_owned());
}

#[tokio::test]
async fn a_constant_may_name_one_channel_of_the_template_of_the_message() {
    let seen = seen();
    let by = Subscription::channel(ACME);
    deliver(on_acme {}, &seen, by, ACME, r#"{"bid": 1.5}"#)
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), ["ACME"]);
}

#[derive(PushMessage)]
#[push(channel = ["trades.{id}", Names::JOBS], params(id), receive_only)]
struct Trade {
    id: u8,
}

#[push_handler(workers = 2, ordered_by = symbol)]
async fn on_quote(quote: Quote<'_>, Param(symbol): Param<&str>, State(seen): State<Seen>) {
    seen.lock().unwrap().push(format!("{symbol} {quote:?}"));
}

#[tokio::test]
async fn the_params_of_a_constant_fill_the_fields_that_the_attribute_lists() {
    let seen = seen();
    let by = Quote::SUBSCRIPTIONS[0].clone();
    assert_eq!(by, template(QUOTES));
    deliver(on_quote {}, &seen, by, "quotes.ACME.2", r#"{"bid": 1.5}"#)
        .await
        .unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [r#"ACME Quote { symbol: "ACME", type: 2, bid: 1.5 }"#]
    );
    for (by, channel) in Trade::SUBSCRIPTIONS.iter().zip(["trades.1", "jobs.1"]) {
        let push = OwnedPush::new(by.clone(), channel, "");
        let trade = <Trade as FromPush<'_, ()>>::from_push(push.as_push(), &()).unwrap();
        assert_eq!(trade.id, 1);
    }
}

#[test]
fn a_message_of_a_constant_is_published_on_its_channel() {
    use redis_push::{Publishable, ToPayload};
    let quote = Quote {
        symbol: "ACME",
        r#type: 2,
        bid: 1.5,
    };
    assert_eq!(quote.to_channel().unwrap(), "quotes.ACME.2");
    assert_eq!(quote.to_payload().unwrap(), br#"{"bid":1.5}"#.as_slice());
    // In the order of the list.
    assert_eq!(Quote::at(2, "ACME").name().unwrap(), "quotes.ACME.2");
    assert_eq!(Alert { level: 1 }.to_channel().unwrap(), "alerts");
}
