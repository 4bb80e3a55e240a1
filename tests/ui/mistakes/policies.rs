use redis_push::{PushMessage, push_handler};

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote {
    symbol: String,
    #[serde(rename = "b")]
    bid: f64,
}

#[push_handler(workers = 4, ordered_by = simbol)]
async fn on_key(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

#[push_handler(workers = 4, ordered_by = bid)]
async fn on_renamed(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

#[push_handler(ordered_by = symbol)]
async fn on_one_worker(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

#[push_handler(workers = 0)]
async fn on_no_worker(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

#[push_handler(timeout = "5")]
async fn on_no_unit(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

#[push_handler(timeout = 5)]
async fn on_no_text(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

#[push_handler(timeout = "0s")]
async fn on_no_time(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

#[push_handler(buffer = 0, buffer_bytes = 0)]
async fn on_no_room(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

#[push_handler(overflow = "newest")]
async fn on_overflow(quote: Quote) {
    println!("{} {}", quote.symbol, quote.bid);
}

#[derive(PushMessage)]
#[push(channel = "readings.{room}", codec = text)]
struct Reading {
    room: u32,
    value: f64,
}

#[push_handler(workers = 4, ordered_by = room)]
async fn on_room(reading: Reading) {
    println!("{} {}", reading.room, reading.value);
}

#[push_handler(workers = 4, ordered_by = value)]
async fn on_value(reading: Reading) {
    println!("{} {}", reading.room, reading.value);
}

fn main() {}
