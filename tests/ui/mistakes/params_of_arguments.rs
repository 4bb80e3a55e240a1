use redis_push::{Param, PushMessage, push_handler};

#[push_handler(channel = "orders.{id}")]
async fn on_order(Param(number): Param<u32>) {
    println!("{number}");
}

#[push_handler(channel = "orders")]
async fn on_exact(Param(id): Param<u32>) {
    println!("{id}");
}

#[push_handler(channel = ["orders.{id}", "refunds"])]
async fn on_both(Param(id): Param<u32>) {
    println!("{id}");
}

#[push_handler(channel = "orders.{id}")]
async fn on_plain(id: u64) {
    println!("{id}");
}

#[push_handler(channel = "orders.{id}")]
async fn on_optional(Param(id): Param<Option<u32>>) {
    println!("{id:?}");
}

struct Symbol;

#[push_handler(channel = "quotes.{symbol}")]
async fn on_quote(Param(symbol): Param<Symbol>) {
    let _ = symbol;
}

#[derive(PushMessage)]
#[push(channel = "trades.{symbol}")]
struct Trade {
    symbol: String,
}

#[push_handler]
async fn on_trade(trade: Trade, Param(venue): Param<&str>) {
    println!("{} {venue}", trade.symbol);
}

#[push_handler(pattern = "orders.*")]
async fn on_pattern(Param(id): Param<u64>) {
    println!("{id}");
}

#[push_handler(pattern = "orders.[ab]*")]
async fn on_wildcards(Param(id): Param<u64>) {
    println!("{id}");
}

#[push_handler(shard = "orders.{id}")]
async fn on_shard(Param(id): Param<u64>) {
    println!("{id}");
}

#[push_handler(channel = "orders.{region}.{id}")]
async fn on_two(Param(oid): Param<&str>) {
    println!("{oid}");
}

#[push_handler(keyspace = "user:{id}")]
async fn on_key(Param(user): Param<u64>) {
    println!("{user}");
}

fn main() {}
