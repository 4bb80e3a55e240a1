//! fred: a `SubscriberClient` with one broadcast channel of messages. A reader subscribes to its
//! name, and takes a receiver that it filters.

use std::any::Any;
use std::sync::Arc;

use fred::clients::SubscriberClient;
use fred::prelude::*;
use fred::types::Message;

use super::broadcast::{self, Filtered, Published};
use super::{BUFFER, Client};
use crate::job::Job;
use crate::many::Tally;
use crate::{Result, peers};

pub(crate) struct Fred(SubscriberClient);

impl Fred {
    pub(crate) async fn connect(port: u16) -> Result<Self> {
        Self::with_buffer(port, peers::BUFFER.get()).await
    }

    async fn with_buffer(port: u16, buffer: usize) -> Result<Self> {
        let config = Config::from_url(&format!("redis://127.0.0.1:{port}"))?;
        let mut builder = Builder::from_config(config);
        builder.with_performance_config(|config| config.broadcast_channel_capacity = buffer);
        let client = builder.build_subscriber_client()?;
        client.init().await?;
        // Its task subscribes again after an outage, and ends with the client.
        drop(client.manage_subscriptions());
        Ok(Self(client))
    }
}

impl Client for Fred {
    type Reader = Filtered<Message>;

    async fn subscribe(&self, channel: &str) -> Result<Self::Reader> {
        // Before the command, so that no message comes between the two.
        let reader = Filtered::new(self.0.message_rx(), channel);
        self.0.subscribe(channel).await?;
        Ok(reader)
    }

    async fn leave(&self, reader: Self::Reader) -> Result<()> {
        Ok(self.0.unsubscribe(reader.channel()).await?)
    }
}

impl Published for Message {
    fn payload_on(&self, channel: &str) -> Option<&[u8]> {
        if self.channel == channel {
            self.value.as_bytes()
        } else {
            None
        }
    }
}

pub(super) async fn crowd(job: &Job, port: u16, tally: &Arc<Tally>) -> Result<Box<dyn Any>> {
    let Fred(client) = Fred::with_buffer(port, BUFFER).await?;
    broadcast::crowd(job, tally, || client.message_rx());
    client.subscribe(job.channel(0)).await?;
    Ok(Box::new(client))
}
