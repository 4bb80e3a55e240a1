use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
#[serde(default)]
struct Quote {
    symbol: String,
    bid: f64,
}

fn main() {}
