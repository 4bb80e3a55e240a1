//! The pattern that services write by hand: one broadcast channel as the push sender of a
//! `ConnectionManager`. A reader subscribes to its name, and takes a receiver that it filters.

use std::any::Any;
use std::sync::Arc;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{PushInfo, PushKind, Value};
use tokio::sync::broadcast::{Sender, channel};

use super::broadcast::{self, Filtered, Published};
use super::{BUFFER, Client};
use crate::job::Job;
use crate::many::Tally;
use crate::{Result, peers};

pub(crate) struct Seed {
    manager: ConnectionManager,
    sender: Sender<PushInfo>,
}

impl Seed {
    pub(crate) async fn connect(port: u16) -> Result<Self> {
        Self::with_buffer(port, peers::BUFFER.get()).await
    }

    async fn with_buffer(port: u16, buffer: usize) -> Result<Self> {
        let (sender, _) = channel(buffer);
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/?protocol=resp3"))?;
        let config = ConnectionManagerConfig::new().set_push_sender(sender.clone());
        let manager = client.get_connection_manager_with_config(config).await?;
        Ok(Self { manager, sender })
    }
}

impl Client for Seed {
    type Reader = Filtered<PushInfo>;

    async fn subscribe(&self, channel: &str) -> Result<Self::Reader> {
        // Before the command, so that no message comes between the two.
        let reader = Filtered::new(self.sender.subscribe(), channel);
        self.manager.clone().subscribe(channel).await?;
        Ok(reader)
    }

    async fn leave(&self, reader: Self::Reader) -> Result<()> {
        Ok(self.manager.clone().unsubscribe(reader.channel()).await?)
    }
}

impl Published for PushInfo {
    fn payload_on(&self, channel: &str) -> Option<&[u8]> {
        match (&self.kind, self.data.as_slice()) {
            (PushKind::Message, [Value::BulkString(name), Value::BulkString(payload)])
                if name == channel.as_bytes() =>
            {
                Some(payload)
            }
            _ => None,
        }
    }
}

pub(super) async fn crowd(job: &Job, port: u16, tally: &Arc<Tally>) -> Result<Box<dyn Any>> {
    let mut seed = Seed::with_buffer(port, BUFFER).await?;
    broadcast::crowd(job, tally, || seed.sender.subscribe());
    seed.manager.subscribe(job.channel(0)).await?;
    Ok(Box::new(seed))
}
