use redis_push::push_handler;

const ORDERS: &str = "orders.{id}";
const NUMBER: u32 = 7;

#[push_handler(channel = names::MISSING)]
async fn on_missing(text: &str) {
    println!("{text}");
}

#[push_handler(channel = NUMBER)]
async fn on_number(text: &str) {
    println!("{text}");
}

#[push_handler(channel = orders)]
async fn on_word(text: &str) {
    println!("{text}");
}

#[push_handler(channel = ORDERS.id)]
async fn on_field(text: &str) {
    println!("{text}");
}

fn main() {}
