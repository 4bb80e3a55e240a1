use redis_push::push_handler;

#[push_handler(channel = "orders")]
async fn u32(text: &str) {
    println!("{text}");
}

fn main() {}
