use redis_push::{MatchedPattern, PushMessage, push_handler};

#[push_handler(channel = "orders")]
async fn on_order(text: &str, pattern: MatchedPattern<'_>) {
    println!("{text} {}", pattern.as_str());
}

#[derive(PushMessage)]
#[push(channel = "orders")]
struct Order {
    id: u32,
}

#[push_handler]
async fn on_own(order: Order, pattern: MatchedPattern<'_>) {
    println!("{} {}", order.id, pattern.as_str());
}

fn main() {}
