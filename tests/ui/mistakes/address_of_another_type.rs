use redis_push::{Mount, Publisher, PushMessage, handlers, push_handler};

#[derive(PushMessage)]
#[push(channel = "quotes.{symbol}")]
struct Quote {
    symbol: String,
    bid: f64,
}

#[derive(PushMessage)]
#[push(channel = "trades.{symbol}")]
struct Trade {
    symbol: String,
    price: f64,
}

#[push_handler]
async fn on_trade(trade: Trade) {
    println!("{} {}", trade.symbol, trade.price);
}

fn publish(publisher: &Publisher, trade: &Trade) {
    drop(publisher.publish_to(Quote::at("ACME"), trade));
    drop(publisher.publish_to(&Quote::at("ACME"), "bytes"));
    drop(publisher.publish_to(7, trade));
}

fn main() {
    let mounts: Vec<Mount<()>> = handlers![on_trade.on("trades.ACME")];
}
