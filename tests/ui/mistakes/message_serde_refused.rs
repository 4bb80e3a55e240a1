use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "orders")]
#[serde(from = "u32", rename_all = "camelCase")]
struct Order {
    id: u32,
}

fn main() {}
