//! The minimum with a `ConnectionManager`: a push sender that decodes in its own closure, without
//! routing, buffers or tasks.

use redis::aio::ConnectionManagerConfig;
use redis::{Client, PushInfo, PushKind, Value};

use super::Running;
use crate::Result;
use crate::job::Job;
use crate::lanes::Lanes;

pub(super) async fn start(job: &Job, port: u16, lanes: &Lanes) -> Result<Running> {
    let lane = lanes.lane(0);
    let fan_out = job.fan_out();
    let sink = move |push: PushInfo| -> Result<(), &'static str> {
        if push.kind == PushKind::Message
            && let [_, Value::BulkString(payload)] = push.data.as_slice()
        {
            for _ in 0..fan_out {
                lane.serve_blocking(payload);
            }
        }
        Ok(())
    };
    let client = Client::open(format!("redis://127.0.0.1:{port}/?protocol=resp3"))?;
    let config = ConnectionManagerConfig::new().set_push_sender(sink);
    let mut manager = client.get_connection_manager_with_config(config).await?;
    for channel in job.channel_names() {
        manager.subscribe(channel).await?;
    }
    Ok(Running::new(manager))
}
