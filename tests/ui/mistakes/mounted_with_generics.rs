use redis_push::{Mount, handlers, push_handler};

#[push_handler(channel = "orders")]
async fn on_order(text: &str) {
    println!("{text}");
}

fn main() {
    let mounts: Vec<Mount<()>> = handlers![on_order::<u8>];
    drop(mounts);
}
