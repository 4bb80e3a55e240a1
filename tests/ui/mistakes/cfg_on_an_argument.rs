use redis_push::{ChannelName, Gap, State, gap_handler, push_handler};

#[push_handler(channel = "orders")]
async fn on_order(text: &str, #[cfg(unix)] _name: ChannelName<'_>) {
    println!("{text}");
}

#[gap_handler]
async fn on_gap(gap: Gap, #[cfg_attr(unix, cfg(unix))] _limit: State<u32>) {
    println!("{gap}");
}

fn main() {}
