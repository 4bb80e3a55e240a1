use redis_push::{PushMessage, push_handler};

#[push_handler(channel = ["orders", "orders"])]
async fn on_twice(text: &str) {
    println!("{text}");
}

#[push_handler(channel = [])]
async fn on_none(text: &str) {
    println!("{text}");
}

#[push_handler(channel = ["orders", name(), "returns"])]
async fn on_call(text: &str) {
    println!("{text}");
}

#[push_handler(channel = ["orders", "refunds.*"])]
async fn on_glob(text: &str) {
    println!("{text}");
}

#[push_handler(channel = ["orders"], pattern = ["refunds.*"])]
async fn on_kinds(text: &str) {
    println!("{text}");
}

#[derive(PushMessage)]
#[push(channel = ["orders.{id}", "archive.{year}.{id}"])]
struct Order {
    id: u32,
}

fn main() {}
