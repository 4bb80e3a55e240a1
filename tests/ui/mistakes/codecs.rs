use redis_push::PushMessage;

#[derive(PushMessage)]
#[push(channel = "orders", codec = jason)]
struct Misspelled {
    id: u32,
}

#[derive(PushMessage)]
#[push(channel = "orders.{region}", codec = text)]
struct TwoTexts {
    region: String,
    id: u32,
    total: f64,
}

#[derive(PushMessage)]
#[push(channel = "orders", codec = bytes)]
enum Bytes {
    Opened,
}

#[derive(PushMessage)]
#[push(channel = "orders", tag = "type")]
struct Tagged {
    id: u32,
}

#[derive(PushMessage)]
#[push(channel = "orders", codec = "json")]
struct Quoted {
    id: u32,
}

fn main() {}
