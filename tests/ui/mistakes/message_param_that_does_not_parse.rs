use redis_push::PushMessage;

struct Symbol(String);

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote {
    symbol: Symbol,
    bid: f64,
}

fn main() {}
