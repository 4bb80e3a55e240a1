use redis_push::PushMessage;

struct Csv;

#[derive(PushMessage)]
#[push(channel = "orders", codec = Csv)]
struct Order {
    id: u32,
}

#[derive(PushMessage)]
#[push(channel = "readings", codec = text)]
struct Reading([u8; 2]);

#[derive(PushMessage)]
#[push(channel = "frames", codec = bytes)]
struct Frame(String);

fn main() {}
