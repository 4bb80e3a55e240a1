use redis_push::{Json, push_handler};

#[push_handler(channel = "orders")]
async fn on_order<T>(order: Json<T>) {
    drop(order);
}

fn main() {}
