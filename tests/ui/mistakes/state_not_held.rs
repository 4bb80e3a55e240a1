use redis_push::{Mount, State, handlers, push_handler};

#[derive(Clone)]
struct Db;

#[derive(Clone)]
struct App;

#[push_handler(channel = "orders")]
async fn on_order(text: &str, State(db): State<Db>) {
    println!("{text}");
    drop::<Db>(db);
}

fn main() {
    let mounts: Vec<Mount<App>> = handlers![on_order];
    drop(mounts);
}
