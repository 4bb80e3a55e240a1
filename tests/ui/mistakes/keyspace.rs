use redis_push::{Json, KeyEvent, push_handler};

#[push_handler(keyspace = "user:*")]
async fn on_glob(event: KeyEvent<'_>) {
    println!("{}", event.event);
}

#[push_handler(keyspace = "user:{id")]
async fn on_unclosed(event: KeyEvent<'_>) {
    println!("{}", event.event);
}

#[push_handler(keyspace = "user:{id}", channel = "users")]
async fn on_both(event: KeyEvent<'_>) {
    println!("{}", event.event);
}

#[push_handler(keyspace = "user:{id}")]
async fn on_two(event: KeyEvent<'_>, text: &str) {
    println!("{} {text}", event.event);
}

#[push_handler(channel = "user:{id}")]
async fn on_a_channel(event: KeyEvent<'_>) {
    println!("{}", event.event);
}

#[push_handler(keyspace = "user:{id}")]
async fn on_json(Json(event): Json<u32>) {
    println!("{event}");
}

fn main() {}
