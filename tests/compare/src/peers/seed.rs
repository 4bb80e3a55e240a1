//! The pattern that services write by hand: one broadcast channel as the push sender of a
//! `ConnectionManager`, and a task for each handler that receives everything and filters it.

use std::sync::Arc;

use redis::aio::ConnectionManagerConfig;
use redis::{Client, PushInfo, PushKind, Value};
use tokio::sync::broadcast::{self, Receiver, error::RecvError};

use super::{BUFFER, Running};
use crate::Result;
use crate::job::Job;
use crate::lanes::{Lane, Lanes};

pub(super) async fn start(job: &Job, port: u16, lanes: &Lanes) -> Result<Running> {
    let (sender, _) = broadcast::channel::<PushInfo>(BUFFER.get());
    lanes.reports_loss();
    for index in 0..job.handlers {
        let receiver = sender.subscribe();
        tokio::spawn(run(
            receiver,
            job.channel(index),
            lanes.lane(index),
            lanes.clone(),
        ));
    }
    let client = Client::open(format!("redis://127.0.0.1:{port}/?protocol=resp3"))?;
    let config = ConnectionManagerConfig::new().set_push_sender(sender);
    let mut manager = client.get_connection_manager_with_config(config).await?;
    for channel in job.channel_names() {
        manager.subscribe(channel).await?;
    }
    Ok(Running::new(manager))
}

async fn run(mut pushes: Receiver<PushInfo>, channel: String, lane: Arc<Lane>, lanes: Lanes) {
    loop {
        let push = match pushes.recv().await {
            Ok(push) => push,
            Err(RecvError::Lagged(count)) => {
                lanes.add_lost(count);
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        if push.kind != PushKind::Message {
            continue;
        }
        if let [Value::BulkString(name), Value::BulkString(payload)] = push.data.as_slice()
            && name == channel.as_bytes()
        {
            lane.serve(payload).await;
        }
    }
}
