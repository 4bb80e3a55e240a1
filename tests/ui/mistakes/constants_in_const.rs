use redis_push::{KeyEvent, MatchedPattern, Param, push_handler};

const ORDERS: &str = "orders.{id}";
const EXACT: &str = "orders";
const GLOB: &str = "orders.*";
const BROKEN: &str = "orders.{id";
const KEYS: &str = "user:{database}";

#[push_handler(channel = BROKEN)]
async fn on_broken(text: &str) {
    println!("{text}");
}

#[push_handler(channel = GLOB)]
async fn on_glob(text: &str) {
    println!("{text}");
}

#[push_handler(pattern = ORDERS)]
async fn on_pattern(text: &str) {
    println!("{text}");
}

#[push_handler(invalidate = ORDERS)]
async fn on_prefix(text: &str) {
    println!("{text}");
}

#[push_handler(keyspace = KEYS)]
async fn on_keys(event: KeyEvent<'_>) {
    drop(event);
}

#[push_handler(channel = ["orders", EXACT])]
async fn on_twice(text: &str) {
    println!("{text}");
}

#[push_handler(channel = [EXACT, EXACT])]
async fn on_same(text: &str) {
    println!("{text}");
}

#[push_handler(channel = [EXACT, ORDERS])]
async fn on_param(Param(id): Param<u8>) {
    println!("{id}");
}

#[push_handler(channel = [ORDERS, EXACT])]
async fn on_exact(pattern: MatchedPattern<'_>) {
    println!("{}", pattern.as_str());
}

fn main() {}
