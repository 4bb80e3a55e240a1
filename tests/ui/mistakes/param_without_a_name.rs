use redis_push::{Param, push_handler};

#[push_handler(channel = "orders.{id}")]
async fn on_order(_: Param<u32>, text: &str) {
    println!("{text}");
}

#[push_handler(channel = "orders.{id}")]
async fn on_pair(Param((a, b)): Param<Pair>) {
    println!("{a} {b}");
}

fn main() {}
