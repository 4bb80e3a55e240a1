use std::str::FromStr;

use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "trades.{venue}.{symbol}")]
struct Trade {
    venue: u16,
    symbol: String,
    price: f64,
}

struct Hidden;

impl FromStr for Hidden {
    type Err = std::fmt::Error;

    fn from_str(_: &str) -> Result<Self, Self::Err> {
        Ok(Self)
    }
}

#[derive(PushMessage)]
#[push(channel = "secrets.{id}", receive_only)]
struct Secret {
    id: Hidden,
}

#[derive(PushMessage)]
#[push(pattern = "logs.*")]
struct Log(String);

fn main() {
    let _ = Trade::at("ACME", 7);
    let _ = Trade::at(7);
    let _ = Secret::at(Hidden);
    let _ = Log::at("x");
}
