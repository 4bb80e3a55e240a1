use std::rc::Rc;

use redis_push::push_handler;

#[push_handler(channel = "orders")]
async fn on_order(text: &str) {
    let shared = Rc::new(text.len());
    std::future::ready(()).await;
    println!("{shared}");
}

fn main() {}
