use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "orders.{id}")]
struct Order {
    #[push(param)]
    id: u32,
}

fn main() {}
