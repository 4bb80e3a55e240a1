use redis_push::push_handler;

#[push_handler(channel = "orders")]
fn on_order(text: &str) {
    println!("{text}");
}

fn main() {}
