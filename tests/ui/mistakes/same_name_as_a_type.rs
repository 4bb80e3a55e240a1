use redis_push::push_handler;

#[allow(non_camel_case_types)]
struct on_order;

#[push_handler(channel = "orders")]
async fn on_order(text: &str) {
    println!("{text}");
}

fn main() {}
