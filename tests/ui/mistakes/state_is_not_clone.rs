use redis_push::{State, Subscriber, handlers, push_handler};

struct Db;

#[push_handler(channel = "orders")]
async fn on_order(_text: &str, State(_db): State<Db>) {}

fn main() {
    let _subscriber = Subscriber::new("redis://127.0.0.1/")
        .state(Db)
        .handlers(handlers![on_order]);
}
