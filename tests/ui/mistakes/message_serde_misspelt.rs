use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "orders")]
#[serde(rename_al = "camelCase")]
struct Order {
    #[serde(defualt)]
    id: u32,
}

#[derive(PushMessage)]
#[push(channel = "events", tag = "type")]
enum Event {
    #[serde(renam = "opened")]
    Opened { room: u32 },
}

#[derive(PushMessage)]
#[push(channel = "trades")]
#[serde(rename_all = "camel_case")]
struct Trade {
    id: u32,
}

fn main() {}
