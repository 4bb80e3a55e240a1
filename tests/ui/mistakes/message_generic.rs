use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "orders")]
struct Order<const N: usize> {
    ids: [u8; N],
}

fn main() {}
