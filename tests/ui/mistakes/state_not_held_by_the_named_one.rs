use redis_push::{State, push_handler};

#[derive(Clone)]
struct Db;

struct App;

#[push_handler(channel = "orders", state = App)]
async fn on_order(text: &str, State(db): State<Db>) {
    println!("{text}");
    drop::<Db>(db);
}

fn main() {}
