//! rustis: a stream for each name. It refuses a second stream of a name, so a crowd shares one stream
//! through a broadcast channel.

use std::any::Any;
use std::sync::Arc;

use futures_util::StreamExt;
use rustis::client::{self, PubSubMessage, PubSubStream};
use rustis::commands::PubSubCommands;
use tokio::sync::broadcast::channel;

use super::broadcast::{self, Decoded, Published, number};
use super::{BUFFER, Client, Item, Reader};
use crate::Result;
use crate::job::Job;
use crate::many::Tally;

pub(crate) struct Rustis(client::Client);

impl Rustis {
    pub(crate) async fn connect(port: u16) -> Result<Self> {
        let url = format!("redis://127.0.0.1:{port}");
        Ok(Self(client::Client::connect(url).await?))
    }
}

impl Client for Rustis {
    type Reader = Stream;

    async fn subscribe(&self, channel: &str) -> Result<Self::Reader> {
        Ok(Stream::new(self.0.subscribe(channel).await?))
    }

    async fn leave(&self, reader: Self::Reader) -> Result<()> {
        Ok(reader.messages.close().await?)
    }
}

pub(crate) struct Stream {
    messages: PubSubStream,
    dropped: usize,
}

impl Stream {
    fn new(messages: PubSubStream) -> Self {
        Self {
            messages,
            dropped: 0,
        }
    }

    /// The next message, or how many are missing before it.
    async fn receive(&mut self) -> Option<Result<PubSubMessage, u64>> {
        let dropped = self.messages.dropped_messages();
        if dropped != self.dropped {
            let new = dropped - self.dropped;
            self.dropped = dropped;
            return Some(Err(new as u64));
        }
        Some(Ok(self.messages.next().await?.ok()?))
    }
}

impl Reader for Stream {
    async fn next(&mut self) -> Option<Item> {
        loop {
            match self.receive().await? {
                Ok(message) => {
                    if let Some(number) = number(message.payload()) {
                        return Some(Item::Message(number));
                    }
                }
                Err(count) => return Some(Item::Lost(count)),
            }
        }
    }
}

/// The broadcast channel has the messages of one name only.
impl Published for Arc<PubSubMessage> {
    fn payload_on(&self, _: &str) -> Option<&[u8]> {
        Some(self.payload())
    }
}

pub(super) async fn crowd(job: &Job, port: u16, tally: &Arc<Tally>) -> Result<Box<dyn Any>> {
    let Rustis(client) = Rustis::connect(port).await?;
    let stream = Stream::new(client.subscribe(job.channel(0)).await?);
    if job.shared {
        let decoded = Decoded::crowd(job, tally);
        let send = move |message: PubSubMessage| decoded.send(message.payload());
        tokio::spawn(fan_out(stream, Arc::clone(tally), send));
    } else {
        let (sender, _) = channel(BUFFER);
        broadcast::crowd(job, tally, || sender.subscribe());
        let send = move |message| drop(sender.send(Arc::new(message)));
        tokio::spawn(fan_out(stream, Arc::clone(tally), send));
    }
    Ok(Box::new(client))
}

async fn fan_out(mut stream: Stream, tally: Arc<Tally>, send: impl Fn(PubSubMessage) + Send) {
    while let Some(received) = stream.receive().await {
        match received {
            Ok(message) => send(message),
            Err(count) => tally.add_lost(count),
        }
    }
}
