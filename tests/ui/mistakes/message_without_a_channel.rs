use redis_push::PushMessage;

#[derive(PushMessage)]
struct Order {
    id: u32,
}

fn main() {}
