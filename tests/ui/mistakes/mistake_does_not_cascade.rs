use redis_push::{Mount, PushMessage, handlers, push_handler};

#[derive(PushMessage)]
#[push(chanel = "orders")]
struct Order {
    id: u32,
}

#[push_handler]
async fn on_order(order: Order) {
    println!("{}", order.id);
}

#[push_handler(channel = "orders")]
fn on_text(text: &str) {
    println!("{text}");
}

fn main() {
    let mounts: Vec<Mount<()>> = handlers![on_order, on_text];
    drop(mounts);
}
