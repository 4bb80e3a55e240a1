use redis_push::push_handler;

struct Order<'a> {
    id: &'a str,
}

#[push_handler(channel = "orders")]
async fn on_order(order: Order<'_>) {
    println!("{}", order.id);
}

fn main() {}
