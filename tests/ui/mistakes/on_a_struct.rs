use redis_push::push_handler;

#[push_handler(channel = "orders")]
pub struct Order {
    id: u32,
}

fn main() {}
