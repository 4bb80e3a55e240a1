use redis_push::push_handler;

struct Orders;

#[push_handler(channel = "orders")]
impl Orders {}

fn main() {}
