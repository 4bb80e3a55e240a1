use redis_push::{Gap, gap_handler, push_handler};

#[gap_handler]
async fn reload(_gap: Gap) {}

#[push_handler(channel = "orders", on_error = "resync")]
async fn on_forgetful(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", on_gap = reload, on_error = "retry")]
async fn on_unknown(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", retry = 0)]
async fn on_never(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", retry = "3")]
async fn on_text(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", retry_delay = "50ms")]
async fn on_delay(text: &str) {
    println!("{text}");
}

fn main() {}
