use redis_push::{ChannelName, push_handler};

#[push_handler(channel = "orders")]
async fn on_order(text: &str, #[cfg(unix)] name: ChannelName<'_>) {
    println!("{text}");
}

fn main() {}
