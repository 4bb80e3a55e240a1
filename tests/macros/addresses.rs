//! The addresses of message types: the functions that the derive adds, and what takes an address.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use redis_push::{
    Address, Kind, Mount, Param, PushMessage, Subscriber, SubscriptionWiring, handlers,
    push_handler,
};

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote {
    symbol: String,
    bid: f64,
}

#[push_handler]
async fn on_quote(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

/// Returns what a handler of quotes listens to.
fn listens(mount: Mount<()>) -> Vec<SubscriptionWiring> {
    let subscriber = Subscriber::new("redis://127.0.0.1:1/").handlers([mount]);
    subscriber.wiring().handlers[0].subscriptions.clone()
}

fn on(address: Address<Quote>) -> Vec<SubscriptionWiring> {
    let [mount] = <[_; 1]>::try_from(handlers![on_quote.on(address)]).unwrap();
    listens(mount)
}

fn problem<M>(address: &Address<M>) -> String {
    let error = address.name().unwrap_err();
    assert!(error.is_encode(), "{error}");
    error.to_string()
}

/// An identifier in a channel's name.
#[derive(Clone, Copy)]
struct Id(u32);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}", self.0)
    }
}

impl FromStr for Id {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim_start_matches('i').parse().map(Self)
    }
}

/// Text that borrows.
struct Tag<'a>(&'a str);

impl fmt::Display for Tag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'a> From<&'a str> for Tag<'a> {
    fn from(text: &'a str) -> Self {
        Self(text)
    }
}

mod many {
    use super::*;

    /// A type that holds another.
    #[derive(Clone, Copy)]
    pub(super) struct Level(pub(super) Id);

    impl fmt::Display for Level {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl FromStr for Level {
        type Err = std::num::ParseIntError;

        fn from_str(text: &str) -> Result<Self, Self::Err> {
            text.parse().map(Self)
        }
    }

    /// Params of every kind, in another order than in the template.
    #[derive(PushMessage)]
    #[push(
        channel = "{level}.{id}.{tag}.{number}.{owned}.{borrowed}.{cow}.{whole}.{boxed}.{shared*}"
    )]
    #[allow(dead_code)]
    pub(super) struct Many<'a, 'b> {
        shared: Arc<str>,
        boxed: Box<str>,
        whole: Cow<'static, str>,
        cow: Cow<'b, str>,
        borrowed: &'a str,
        owned: String,
        number: i8,
        tag: Tag<'b>,
        id: Id,
        level: Level,
    }
}

#[test]
fn text_is_passed_by_reference_and_every_other_param_as_its_field_holds_it() {
    let tag = String::from("t");
    let address = many::Many::at(
        many::Level(Id(1)),
        Id(2),
        Tag(&tag),
        -3,
        "a",
        "b",
        "c",
        "d",
        "e",
        "f.g:h",
    );
    drop(tag);
    assert_eq!(address.name().unwrap(), "i1.i2.t.-3.a.b.c.d.e.f.g:h");
}

#[derive(PushMessage)]
#[push(channel = "generic.{id}", codec = msgpack)]
struct Generic<T> {
    id: T,
    #[allow(dead_code)]
    body: u8,
}

#[test]
fn a_param_may_be_of_a_type_parameter() {
    let address = Generic::at(Id(7));
    assert_eq!(address.name().unwrap(), "generic.i7");
    let typed: Address<Generic<Id>> = address;
    drop(typed);
}

#[test]
fn a_value_is_never_part_of_a_pattern() {
    for symbol in ["ACME", "*", "?", "[a-c]", "\\", "{symbol}", "é\n"] {
        let channel = format!("quotes.{symbol}");
        let [subscription] = <[_; 1]>::try_from(on(Quote::at(symbol))).unwrap();
        assert_eq!(subscription.kind, Kind::Channel, "{symbol}");
        assert_eq!(subscription.name, channel);
        // The params of a push are still found.
        assert_eq!(subscription.template.as_deref(), Some("quotes.{symbol}"));
        let shown = format!("channel `{}`", channel.escape_debug());
        assert_eq!(subscription.to_string(), shown);
    }
    let [any] = <[_; 1]>::try_from(on(Quote::at_any())).unwrap();
    assert_eq!((any.kind, &*any.name), (Kind::Pattern, "quotes.*"));
    assert_eq!(any.to_string(), "channels `quotes.{symbol}`");
}

#[derive(PushMessage)]
#[push(channel = "files.{user}/{path*}")]
#[allow(dead_code)]
struct File {
    user: String,
    path: String,
}

#[test]
fn a_value_that_could_not_be_read_back_is_an_error_with_the_remedy() {
    assert_eq!(
        problem(&Quote::at("BRK.B")),
        "`Quote` has no channel with these params: the param `symbol` is \"BRK.B\", which could not \
         be read back from a channel `quotes.{symbol}`; `{symbol*}` in its place takes `.`, `:` and \
         `/` too"
    );
    let empty = problem(&Quote::at(""));
    assert!(
        empty.ends_with("from a channel `quotes.{symbol}`"),
        "{empty}"
    );
    // Only the last param can take the rest.
    let inner = problem(&File::at("a.b", "c"));
    assert!(
        inner.contains("`user` is \"a.b\"") && inner.ends_with("{path*}`"),
        "{inner}"
    );
    let file = File::at("ada", "x/y.z");
    assert_eq!(file.name().unwrap(), "files.ada/x/y.z");
    let rest = problem(&File::at("ada", ""));
    assert!(rest.contains("`path` is \"\""), "{rest}");
}

#[test]
fn an_address_that_is_not_valid_stays_so() {
    let address = Quote::at("a.b");
    let text = problem(&address);
    assert_eq!(problem(&address.clone()), text);
    assert_eq!(address.to_string(), text);
    assert_eq!(problem(&address.prefix("eu:")), text);
}

#[derive(PushMessage)]
#[push(channel = ["rooms.{room}.{user}", "old:{user}:{room}"])]
#[allow(dead_code)]
struct Said {
    user: String,
    room: u32,
}

#[push_handler]
async fn on_said(_said: Said) {}

#[test]
fn a_type_with_several_channels_listens_to_all_and_names_the_first() {
    let address = Said::at(7, "ada");
    assert_eq!(address.name().unwrap(), "rooms.7.ada");
    assert_eq!(address.to_string(), "rooms.7.ada, old:ada:7");
    let names = |address| {
        let [mount] = <[_; 1]>::try_from(handlers![on_said.on(address)]).unwrap();
        let listens = listens(mount).into_iter();
        listens
            .map(|subscription| subscription.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(address.prefix("eu.")),
        ["eu.rooms.7.ada", "eu.old:ada:7"]
    );
    assert_eq!(names(Said::at_any()), ["rooms.*.*", "old:*:*"]);
    assert_eq!(
        Said::at_any().to_string(),
        "rooms.{room}.{user}, old:{user}:{room}"
    );
    // The value must fit into each of them.
    let text = problem(&Said::at(7, "a.b"));
    assert!(text.contains("a channel `rooms.{room}.{user}`"), "{text}");
}

#[derive(PushMessage)]
#[push(channel = ["pairs.{one}.{other}", "pairs.{other}.{one}"])]
#[allow(dead_code)]
struct Pair {
    one: u8,
    other: u8,
}

#[test]
fn channels_with_the_same_name_are_one() {
    assert_eq!(Pair::at(1, 2).to_string(), "pairs.1.2, pairs.2.1");
    assert_eq!(Pair::at(3, 3).to_string(), "pairs.3.3");
}

#[derive(PushMessage)]
#[push(channel = "alerts")]
struct Alert(#[allow(dead_code)] u8);

#[derive(PushMessage)]
#[push(shard = "{frames}", codec = bytes)]
struct Frame(#[allow(dead_code)] Vec<u8>);

#[derive(PushMessage)]
#[push(pattern = "logs.*")]
struct Log(#[allow(dead_code)] String);

#[test]
fn a_type_without_params_has_one_address() {
    assert_eq!(Alert::at().name().unwrap(), "alerts");
    assert_eq!(Alert::at_any().name().unwrap(), "alerts");
    assert_eq!(Frame::at().name().unwrap(), "{frames}");
    assert_eq!(Frame::at_any().to_string(), "{frames}");
}

#[test]
fn a_pattern_has_no_name_to_publish_on() {
    assert_eq!(Log::at_any().to_string(), "logs.*");
    assert_eq!(
        problem(&Log::at_any()),
        "this address of `Log` stands for pattern `logs.*`, but a message is published on one \
         channel: pass the name of one channel"
    );
    assert_eq!(
        problem(&Quote::at_any()),
        "this address of `Quote` stands for channels `quotes.{symbol}`, but a message is published \
         on one channel: use the address with its params"
    );
}

#[test]
fn a_prefix_is_literal_text_before_each_name() {
    let address = Quote::at("ACME").prefix("eu:").prefix("*{a}.");
    assert_eq!(address.name().unwrap(), "*{a}.eu:quotes.ACME");
    let [exact] = <[_; 1]>::try_from(on(address)).unwrap();
    assert_eq!(exact.template.as_deref(), Some("*{{a}}.eu:quotes.{symbol}"));
    let any = Quote::at_any().prefix("*");
    assert_eq!(any.to_string(), "*quotes.{symbol}");
    assert_eq!(on(any)[0].name, "\\*quotes.*");
    // Shown with escapes, as control characters are.
    assert_eq!(Log::at_any().prefix("*").to_string(), "\\\\*logs.*");
    assert_eq!(Frame::at().prefix("eu:").name().unwrap(), "eu:{frames}");
}

#[derive(PushMessage)]
#[push(channel = "__keyevent@0__:set", codec = text)]
struct KeyWasSet(#[allow(dead_code)] String);

#[test]
fn no_prefix_goes_before_an_event() {
    let text = problem(&KeyWasSet::at().prefix("eu:"));
    assert!(text.contains("`__keyevent@0__:set`"), "{text}");
}

/// A type with functions of its own whose names the derive would use.
#[derive(PushMessage)]
#[push(channel = "positions.{x}.{y}", at = address)]
#[allow(dead_code)]
struct Position {
    x: i32,
    y: i32,
}

impl Position {
    fn at(x: i32, y: i32) -> Self {
        Self { x, y }
    }

    fn at_any() -> Self {
        Self::at(0, 0)
    }
}

#[derive(PushMessage)]
#[push(channel = "raw", at = r#move)]
struct Raw(#[allow(dead_code)] u8);

#[test]
fn the_functions_can_be_renamed() {
    assert_eq!(Position::at(1, 2).y + Position::at_any().y, 2);
    assert_eq!(Position::address(1, -2).name().unwrap(), "positions.1.-2");
    assert_eq!(Position::address_any().to_string(), "positions.{x}.{y}");
    assert_eq!(Raw::r#move().to_string(), Raw::move_any().to_string());
}

/// A message type without the derive.
struct ByHand;

impl PushMessage for ByHand {
    const SUBSCRIPTIONS: &'static [redis_push::Subscription] = Quote::SUBSCRIPTIONS;
}

struct Nowhere;

impl PushMessage for Nowhere {
    const SUBSCRIPTIONS: &'static [redis_push::Subscription] = &[];
}

#[test]
fn an_address_can_be_made_by_hand() {
    let address = Address::<ByHand>::new(&[("symbol", &"ACME")]);
    assert_eq!(address.name().unwrap(), "quotes.ACME");
    let text = problem(&Address::<ByHand>::new(&[("simbol", &"ACME")]));
    assert!(text.contains("no value for `{symbol}`"), "{text}");
    let none = "`Nowhere` names no channel";
    assert_eq!(problem(&Address::<Nowhere>::any()), none);
    assert_eq!(problem(&Address::<Nowhere>::new(&[])), none);
}

#[test]
fn an_address_can_be_sent_to_another_thread_whatever_its_type() {
    fn is_light<T: Clone + fmt::Debug + fmt::Display + Send + Sync + Unpin + 'static>() {}
    is_light::<Address<Rc<fn(&str) -> std::cell::Cell<u8>>>>();
    assert_eq!(size_of::<Address<Quote>>(), 3 * size_of::<usize>());
    let text = format!("{:?}", Quote::at("ACME"));
    assert!(text.starts_with("Address { of: \"Quote\""), "{text}");
    assert!(text.contains("\"quotes.ACME\""), "{text}");
}

/// A param that can be read but not written.
#[derive(Debug)]
struct ReadOnly;

impl FromStr for ReadOnly {
    type Err = fmt::Error;

    fn from_str(_text: &str) -> Result<Self, Self::Err> {
        Ok(Self)
    }
}

#[derive(Debug, PushMessage)]
#[push(channel = "read.{id}", receive_only)]
struct OnlyRead {
    #[expect(dead_code, reason = "only shown")]
    id: ReadOnly,
}

#[push_handler(channel = "orders.{symbol}")]
async fn on_param(Param(symbol): Param<&str>, text: &str) {
    println!("{symbol} {text}");
}

#[test]
fn a_param_that_cannot_be_written_is_no_error_until_its_address_is_used() {
    assert_eq!(OnlyRead::at_any().to_string(), "read.{id}");
}

#[test]
fn a_handler_that_takes_params_by_name_can_be_mounted_on_an_address() {
    let [mount] = <[_; 1]>::try_from(handlers![on_param.on(Quote::at("ACME"))]).unwrap();
    assert_eq!(listens(mount)[0].name, "quotes.ACME");
}
