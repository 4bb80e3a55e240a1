use redis_push::{Json, push_handler};

#[push_handler]
async fn on_order(order: Json<u32>) {
    drop(order);
}

fn main() {}
