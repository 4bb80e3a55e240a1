use std::borrow::Cow;
use std::sync::Arc;

use redis_push::{Json, PushMessage, Subscriber, push_handler};

#[derive(PushMessage)]
#[push(channel = "orders")]
struct Order<'a> {
    id: Cow<'a, str>,
}

#[push_handler]
async fn written(order: Arc<Order<'_>>) {
    println!("{}", order.id);
}

#[push_handler(channel = "orders")]
async fn text(order: Arc<Json<&str>>) {
    println!("{}", order.0);
}

async fn stream() {
    let handle = Subscriber::new("redis://127.0.0.1/").spawn().unwrap();
    let _orders = handle.subscribe(Order::at()).shared().await;
}

fn main() {}
