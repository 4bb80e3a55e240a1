use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "orders")]
struct Order<T> {
    id: T,
}

fn main() {}
