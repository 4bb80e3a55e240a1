use redis_push::{Mount, Router, Subscriber, handlers, push_handler};

#[push_handler(channel = "orders")]
async fn on_order(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "ticks")]
async fn on_tick() {}

/// A function that makes a mount may be called.
fn made() -> Mount<()> {
    handlers![on_tick].remove(0)
}

fn main() {
    let _ = Subscriber::new("redis://127.0.0.1/").handlers([on_order]);
    let _ = Router::<()>::new().handlers(on_order);
    let _: Vec<Mount<()>> = handlers![on_order(), on_tick().named("ticks"), made()];
}
