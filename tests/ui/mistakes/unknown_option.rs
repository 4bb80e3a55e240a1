use redis_push::push_handler;

#[push_handler(chanel = "orders")]
async fn on_order(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", retries = 3)]
async fn on_retry(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", priority = 3)]
async fn on_urgent(text: &str) {
    println!("{text}");
}

fn main() {}
