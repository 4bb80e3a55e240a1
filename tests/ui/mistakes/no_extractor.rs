use redis_push::push_handler;

#[push_handler(channel = "orders")]
async fn on_order(id: u32) {
    println!("{id}");
}

fn main() {}
