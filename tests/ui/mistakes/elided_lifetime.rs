use redis_push::{PushMessage, push_handler};

#[derive(PushMessage)]
#[push(channel = "orders")]
struct Order<'a> {
    id: &'a str,
}

#[push_handler]
async fn on_order(order: Order) {
    println!("{}", order.id);
}

fn main() {}
