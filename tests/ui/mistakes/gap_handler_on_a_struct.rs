use redis_push::gap_handler;

#[gap_handler]
struct Resync;

fn main() {}
