use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "orders")]
#[serde(rename_all = "camelCase" deny_unknown_fields)]
struct Order {
    #[serde(default = )]
    id: u64,
    #[serde = "order"]
    text: String,
}

fn main() {}
