use redis_push::{Mount, handlers, push_handler};

#[push_handler(channel = "orders")]
async fn on_order(text: &str) {
    let half = text.
}

fn main() {
    let mounts: Vec<Mount<()>> = handlers![on_order];
    drop(mounts);
}
