use redis_push::{Bytes, ChannelName, Invalidation, MatchedPattern, Param, push_handler};

#[push_handler(invalidate = "user:{id}")]
async fn a_param(_key: Invalidation<'_>) {}

#[push_handler(invalidate = "{tenant}:user:")]
async fn a_param_first(_key: Invalidation<'_>) {}

#[push_handler(invalidate = "user:*")]
async fn a_wildcard(_key: Invalidation<'_>) {}

#[push_handler(invalidate = "us?r:*")]
async fn a_wildcard_inside(_key: Invalidation<'_>) {}

#[push_handler(invalidate = "user:}")]
async fn a_brace(_key: Invalidation<'_>) {}

#[push_handler(invalidate = prefix())]
async fn a_constant(_key: Invalidation<'_>) {}

#[push_handler(invalidate = "user:")]
async fn takes_a_channel(_key: Invalidation<'_>, _name: ChannelName<'_>) {}

#[push_handler(invalidate = "user:")]
async fn takes_a_pattern(_key: Invalidation<'_>, _glob: MatchedPattern<'_>) {}

#[push_handler(invalidate = "user:")]
async fn takes_a_param(_key: Invalidation<'_>, Param(_id): Param<u64>) {}

#[push_handler(invalidate = "user:")]
async fn takes_a_payload(_payload: Bytes) {}

#[push_handler(channel = "users")]
async fn listens_to_a_channel(_key: Invalidation<'_>) {}

#[push_handler(invalidate = "user:", workers = 2, ordered_by = id)]
async fn ordered_by_nothing(_key: Invalidation<'_>) {}

fn main() {
    let _: Vec<redis_push::Mount<()>> = redis_push::handlers![
        a_param,
        a_param_first,
        a_wildcard,
        a_wildcard_inside,
        a_brace,
        a_constant,
        takes_a_channel,
        takes_a_pattern,
        takes_a_param,
        takes_a_payload,
        listens_to_a_channel,
        ordered_by_nothing,
    ];
}
