use redis_push::{Json, PushMessage, Text, push_handler};

#[derive(PushMessage)]
#[push(channel = "orders.{id}")]
struct Order {
    id: u32,
}

#[push_handler]
async fn on_order(order: Order, raw: Json<Vec<u8>>) {
    let _ = (order.id, raw);
}

#[push_handler(channel = "orders")]
async fn on_three(one: &str, two: &[u8], three: Text<u8>) {
    let _ = (one, two, three);
}

fn main() {}
