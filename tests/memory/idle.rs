//! What an idle handler weighs.

use redis_push::__bench::Way;
use redis_push::push_handler;
use stats_alloc::Region;

use crate::{ALLOCATOR, held};

const HANDLERS: usize = 1_000;

#[push_handler(channel = "quotes")]
async fn on_text(text: &str) {
    std::hint::black_box(text.len());
}

pub(crate) fn an_idle_handler_weighs_less_than_3200_bytes() {
    let region = Region::new(ALLOCATOR);
    let way = Way::new((0..HANDLERS).map(|_| on_text {}));
    let weight = held(&region) / HANDLERS;
    println!("an idle handler takes {weight} bytes, without its task");
    assert!(weight < 3_200, "{weight} bytes");
    drop(way);
}
