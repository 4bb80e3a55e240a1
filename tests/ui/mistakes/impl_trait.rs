use redis_push::push_handler;

#[push_handler(channel = "orders")]
async fn on_order(order: impl Send) {
    drop(order);
}

fn main() {}
