use redis_push::{Bytes, Invalidation, push_handler};

#[push_handler(invalidate = "user:{id}")]
async fn a_param(_key: Invalidation<'_>) {}

#[push_handler(invalidate = "user:*")]
async fn a_wildcard(_key: Invalidation<'_>) {}

#[push_handler(invalidate = "user:")]
async fn takes_a_payload(_payload: Bytes) {}

#[push_handler(channel = "users")]
async fn listens_to_a_channel(_key: Invalidation<'_>) {}

#[push_handler(invalidate = "user:", workers = 2, ordered_by = id)]
async fn ordered_by_nothing(_key: Invalidation<'_>) {}

fn main() {
    let _: Vec<redis_push::Mount<()>> = redis_push::handlers![
        a_param,
        a_wildcard,
        takes_a_payload,
        listens_to_a_channel,
        ordered_by_nothing,
    ];
}
