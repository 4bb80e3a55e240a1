use redis_push::push_handler;

struct Orders;

impl Orders {
    #[push_handler(channel = "orders")]
    async fn on_order(text: &str) {
        println!("{text}");
    }
}

fn main() {}
