use redis_push::push_handler;

#[push_handler("orders")]
async fn on_bare(text: &str) {
    println!("{text}");
}

#[push_handler(channel)]
async fn on_missing(text: &str) {
    println!("{text}");
}

#[push_handler(channel = name())]
async fn on_call(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", buffer = -1)]
async fn on_negative(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", stall_limit = "5d")]
async fn on_days(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", stall_limit = 5)]
async fn on_number(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders", required = true)]
async fn on_flag(text: &str) {
    println!("{text}");
}

fn main() {}
