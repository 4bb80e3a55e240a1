use redis_push::{Mount, handlers, push_handler};

mod orders {
    pub async fn plain(text: &str) {
        println!("{text}");
    }
}

#[push_handler(channel = "orders")]
async fn on_order(text: &str) {
    println!("{text}");
}

fn main() {
    let mounts: Vec<Mount<()>> = handlers![on_order, orders::plain];
    drop(mounts);
}
