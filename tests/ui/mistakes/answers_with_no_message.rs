use redis_push::{Publish, push_handler};

struct Receipt;

#[push_handler(channel = "orders")]
async fn on_order(text: &str) -> Publish<Receipt> {
    println!("{text}");
    Publish(Receipt)
}

#[push_handler(channel = "orders")]
async fn on_other(text: &str) -> Result<u8, std::io::Error> {
    println!("{text}");
    Ok(0)
}

fn main() {}
