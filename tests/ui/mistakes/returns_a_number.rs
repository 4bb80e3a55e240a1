use redis_push::push_handler;

#[push_handler(channel = "orders")]
async fn on_order(text: &str) -> u8 {
    text.len() as u8
}

fn main() {}
