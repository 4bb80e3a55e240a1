use redis_push::push_handler;

#[push_handler(channel = "orders")]
async fn on_order(id: u32) {
    println!("{id}");
}

#[push_handler(channel = "orders")]
async fn on_text(text: String) {
    println!("{text}");
}

struct Quote {
    bid: f64,
}

#[push_handler(channel = "quotes")]
async fn on_reference(quote: &Quote) {
    println!("{}", quote.bid);
}

#[push_handler(channel = "quotes")]
async fn on_mutable(quote: &mut str) {
    println!("{quote}");
}

#[push_handler(channel = "quotes")]
async fn on_gap(gap: redis_push::Gap) {
    println!("{gap}");
}

fn main() {
    let _: Vec<redis_push::Mount<()>> = redis_push::handlers![on_order, on_text];
}
