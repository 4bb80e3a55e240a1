use redis_push::{ChannelName, ConnectionEvent, Gap, Json, gap_handler, push_handler};

#[push_handler(connection = "up")]
async fn a_value(_event: ConnectionEvent<'_>) {}

#[push_handler(connection, channel = "news")]
async fn a_channel_as_well(_event: ConnectionEvent<'_>) {}

#[push_handler(connection)]
async fn takes_a_payload(_payload: Json<u32>) {}

#[push_handler(pattern = "news.*")]
async fn listens_to_a_pattern(_event: ConnectionEvent<'_>) {}

#[push_handler(connection, on_gap = reload, workers = 4)]
async fn without_gaps(_event: ConnectionEvent<'_>) {}

#[gap_handler]
async fn reload(_gap: Gap) {}

#[push_handler(connection)]
async fn takes_a_channel(_event: ConnectionEvent<'_>, _name: ChannelName<'_>) {}

#[push_handler]
async fn listens_to_nothing(_event: ConnectionEvent<'_>) {}

fn main() {
    let _: Vec<redis_push::Mount<()>> = redis_push::handlers![
        a_value,
        a_channel_as_well,
        takes_a_payload,
        listens_to_a_pattern,
        without_gaps,
        takes_a_channel,
        listens_to_nothing,
    ];
}
