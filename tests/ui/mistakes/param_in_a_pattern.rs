use redis_push::{PushMessage, push_handler};

#[push_handler(pattern = "orders.{id}")]
async fn on_order(_text: &str) {}

#[derive(PushMessage)]
#[push(shard = "orders.{id}")]
struct Order {
    id: u32,
}

/// Braces that are not params: a hash tag, and an escaped brace.
#[push_handler(shard = "{orders}.1")]
async fn on_shard(_text: &str) {}

#[push_handler(pattern = "orders.\\{id}")]
async fn on_brace(_text: &str) {}

fn main() {
    let _: Vec<redis_push::Mount<()>> = redis_push::handlers![on_order, on_shard, on_brace];
}
