use redis_push::push_handler;

#[push_handler(channel = "orders.*")]
async fn on_order(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.[ab]")]
async fn on_some(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "bad[")]
async fn on_unclosed(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.?.{id}")]
async fn on_both(text: &str) {
    println!("{text}");
}

fn main() {}
