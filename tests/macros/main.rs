//! The macros without a server: what they make of functions and types.

use redis_push::*;
use std::borrow::Cow;

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote<'a> {
    symbol: &'a str,
    bid: f64,
    note: Cow<'a, str>,
}

#[derive(PushMessage)]
#[push(pattern = "events.*")]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    Joined { who: Cow<'a, str> },
    Left(u8),
}

#[derive(Clone)]
struct Db;

#[push_handler]
async fn on_quote(quote: Quote<'_>) {
    println!("{} {} {}", quote.symbol, quote.bid, quote.note);
}

#[gap_handler]
async fn resync(gap: Gap, State(_db): State<Db>) -> std::result::Result<(), std::io::Error> {
    println!("{gap}");
    Ok(())
}

#[push_handler(channel = "alerts.{x}", buffer = 10, on_gap = resync)]
async fn on_alert<'a>(
    event: Event<'a>,
    State(_db): State<Db>,
    name: ChannelName<'a>,
    glob: MatchedPattern<'_>,
) -> Result<(), BoxError> {
    match event {
        Event::Joined { who } => println!("{who} {name:?} {glob:?}"),
        Event::Left(n) => println!("{n}"),
    }
    Ok(())
}

type Result<T, E> = std::result::Result<T, E>;

#[test]
fn it_works() {
    let mounts: Vec<Mount<Db>> = handlers![on_quote, on_alert.on(Subscription::channel("x")),];
    println!("{mounts:?}");
    let none: Vec<Mount<()>> = handlers![];
    println!("{none:?}");
}
