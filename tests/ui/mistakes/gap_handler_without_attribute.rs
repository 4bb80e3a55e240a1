use redis_push::{Gap, gap_handler, push_handler};

async fn resync(gap: Gap) {
    println!("{gap}");
}

#[push_handler(channel = "orders", on_gap = resync)]
async fn on_order(text: &str) {
    println!("{text}");
}

#[gap_handler(channel = "orders")]
async fn with_option(gap: Gap) {
    println!("{gap}");
}

fn main() {}
