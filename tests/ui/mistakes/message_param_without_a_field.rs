use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "quotes.{simbol}")]
struct Quote {
    symbol: String,
    bid: f64,
}

#[derive(PushMessage)]
#[push(channel = "quotes.{venue*}")]
struct Price(f64);

#[derive(PushMessage)]
#[push(channel = "events.{id}")]
enum Event {
    Opened,
}

fn main() {
    let _ = Quote::at("ACME");
}
