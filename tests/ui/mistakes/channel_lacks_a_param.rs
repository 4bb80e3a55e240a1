use redis_push::{PushMessage, push_handler};

#[derive(PushMessage)]
#[push(channel = "orders.{id}")]
struct Order {
    id: u32,
}

#[push_handler(channel = "archive.{year}.{number}")]
async fn on_archived(order: Order) {
    println!("{}", order.id);
}

#[push_handler(channel = "archive.{year}.{id*}")]
async fn on_order(order: Order) {
    println!("{}", order.id);
}

fn main() {}
