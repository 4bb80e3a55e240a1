//! fred: a `SubscriberClient` with one broadcast channel of messages. Every handler has a receiver,
//! and filters it.

use std::sync::Arc;

use fred::clients::SubscriberClient;
use fred::prelude::*;
use fred::types::Message;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{BUFFER, Running};
use crate::job::Job;
use crate::lanes::{Lane, Lanes};

pub(super) async fn start(job: &Job, port: u16, lanes: &Lanes) -> crate::Result<Running> {
    let config = Config::from_url(&format!("redis://127.0.0.1:{port}"))?;
    let mut builder = Builder::from_config(config);
    if !job.own_buffers {
        builder.with_performance_config(|config| {
            config.broadcast_channel_capacity = BUFFER.get();
        });
    }
    let client: SubscriberClient = builder.build_subscriber_client()?;
    client.init().await?;
    lanes.reports_loss();
    for index in 0..job.handlers {
        let receiver = client.message_rx();
        tokio::spawn(run(
            receiver,
            job.channel(index),
            lanes.lane(index),
            lanes.clone(),
        ));
    }
    let resubscribing = client.manage_subscriptions();
    for channel in job.channel_names() {
        client.subscribe(channel).await?;
    }
    Ok(Running::new((client, resubscribing)))
}

async fn run(mut messages: Receiver<Message>, channel: String, lane: Arc<Lane>, lanes: Lanes) {
    loop {
        match messages.recv().await {
            Ok(message) => {
                if message.channel == channel.as_str()
                    && let Some(payload) = message.value.as_bytes()
                {
                    lane.serve(payload).await;
                }
            }
            Err(RecvError::Lagged(count)) => lanes.add_lost(count),
            Err(RecvError::Closed) => return,
        }
    }
}
