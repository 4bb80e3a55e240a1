use redis_push::push_handler;

#[push_handler(shard = "orders", pattern = "orders.*")]
async fn on_order(text: &str) {
    println!("{text}");
}

fn main() {}
