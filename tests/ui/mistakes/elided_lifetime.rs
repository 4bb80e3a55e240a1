use redis_push::{ChannelName, KeyEvent, MatchedPattern, PushMessage, push_handler};

#[derive(PushMessage)]
#[push(channel = "orders")]
struct Order<'a> {
    id: &'a str,
}

#[push_handler]
async fn on_order(order: Order) {
    println!("{}", order.id);
}

#[push_handler(channel = "orders")]
async fn on_name(name: ChannelName) {
    println!("{}", name.as_str());
}

#[push_handler(keyspace = "user:{id}")]
async fn on_key(event: KeyEvent, pattern: Option<MatchedPattern>) {
    println!("{} {}", event.event, pattern.is_some());
}

fn main() {}
