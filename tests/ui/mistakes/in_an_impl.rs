use redis_push::{Gap, gap_handler, push_handler};

struct Service;

impl Service {
    #[push_handler(channel = "orders")]
    async fn on_order(text: &str) {
        println!("{text}");
    }

    #[gap_handler]
    async fn resync(gap: Gap, _service: Self) {
        println!("{gap}");
    }
}

trait Listens {
    #[push_handler(channel = "orders")]
    async fn on_order(text: &str);
}

fn main() {
    let _ = (Service::on_order, Service::resync);
}
