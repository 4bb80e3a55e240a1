use redis_push::{Gap, Json, gap_handler};

#[gap_handler]
async fn resync(gap: Gap, order: Json<u32>) {
    let _ = (gap, order);
}

fn main() {}
