use redis_push::{Json, push_handler};

struct Order {
    id: u32,
}

#[push_handler(channel = "orders")]
async fn on_order(Json(order): Json<Order>) {
    println!("{}", order.id);
}

fn main() {}
