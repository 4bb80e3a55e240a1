use redis_push::push_handler;

#[push_handler(channel = "")]
async fn on_empty(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.{id")]
async fn on_unclosed(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.{id}{item}")]
async fn on_adjacent(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.{id}.{id}")]
async fn on_duplicate(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.{order id}")]
async fn on_bad_name(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.{r#type}")]
async fn on_raw_name(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.{r#type*}")]
async fn on_raw_rest(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.{id*}.items")]
async fn on_rest_inside(text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.{id:u64}")]
async fn on_typed(text: &str) {
    println!("{text}");
}

fn main() {}
