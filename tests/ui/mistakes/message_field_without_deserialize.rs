use redis_push::PushMessage;

struct Price(f64);

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote {
    symbol: String,
    bid: Price,
}

fn main() {}
