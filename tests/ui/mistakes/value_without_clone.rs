use redis_push::{Extension, push_handler};

struct RequestId(u64);

#[push_handler(channel = "orders")]
async fn on_order(text: &str, Extension(id): Extension<RequestId>) {
    println!("{} {text}", id.0);
}

fn main() {}
