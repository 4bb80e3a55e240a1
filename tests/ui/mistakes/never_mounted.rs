#![deny(dead_code)]

use redis_push::{Gap, Mount, gap_handler, handlers, push_handler};

#[push_handler(channel = "orders")]
async fn on_order(text: &str) {
    println!("{text}");
}

#[gap_handler]
async fn resync(gap: Gap) {
    println!("{gap}");
}

mod mounted {
    use super::*;

    #[push_handler(channel = "orders", on_gap = reload)]
    pub(super) async fn on_order(text: &str) {
        println!("{text}");
    }

    #[gap_handler]
    async fn reload(gap: Gap) {
        println!("{gap}");
    }
}

fn main() {
    let mounts: Vec<Mount<()>> = handlers![mounted::on_order];
    drop(mounts);
}
