//! redis-push: a stream for each reader, with its defaults.

use std::any::Any;
use std::hint::black_box;
use std::sync::Arc;

use redis_push::{
    Event, EventStream, FromPush, GapCause, Handle, Json, Missed, Subscriber, Subscription,
};

use super::{Client, Item, Reader, seat};
use crate::Result;
use crate::job::Job;
use crate::many::Tally;
use crate::payload::Quote;

pub(crate) struct RedisPush(Handle);

impl RedisPush {
    /// Connects over the default link.
    pub(crate) async fn connect(port: u16) -> Result<Self> {
        Ok(Self(default(port).start().await?))
    }

    pub(crate) async fn connect_wire(port: u16) -> Result<Self> {
        Ok(Self(wire(port).start().await?))
    }
}

pub(super) fn default(port: u16) -> Subscriber<()> {
    Subscriber::new(format!("redis://127.0.0.1:{port}/"))
}

pub(super) fn wire(port: u16) -> Subscriber<()> {
    default(port).wire()
}

impl Client for RedisPush {
    type Reader = Stream<Json<Quote>>;

    async fn subscribe(&self, channel: &str) -> Result<Self::Reader> {
        let channel = Subscription::channel(channel.to_owned());
        Ok(Stream(self.0.subscribe(channel).decode().await?))
    }

    /// The stream unsubscribes when it is dropped, after its linger.
    async fn leave(&self, reader: Self::Reader) -> Result<()> {
        drop(reader);
        Ok(())
    }
}

pub(crate) struct Stream<T>(EventStream<T>);

/// A decoded message, which a reader has for itself or shares.
pub(crate) trait Numbered {
    fn number(&self) -> u64;
}

impl Numbered for Json<Quote> {
    fn number(&self) -> u64 {
        black_box(&self.0).at
    }
}

impl Numbered for Arc<Json<Quote>> {
    fn number(&self) -> u64 {
        black_box(&self.0).at
    }
}

impl<T: Numbered + for<'p> FromPush<'p, ()> + 'static> Reader for Stream<T> {
    async fn next(&mut self) -> Option<Item> {
        loop {
            match self.0.next().await? {
                Event::Message(message) => return Some(Item::Message(message.number())),
                Event::Gap(gap) if gap.cause == GapCause::Initial => {}
                Event::Gap(gap) => return Some(Item::Lost(count(gap.missed))),
                // A message that does not decode counts as missing.
                _ => {}
            }
        }
    }
}

fn count(missed: Missed) -> u64 {
    match missed {
        Missed::Exactly(count) | Missed::AtMost(count) | Missed::AtLeast(count) => count,
        _ => 1,
    }
}

pub(super) async fn crowd(
    subscriber: Subscriber<()>,
    job: &Job,
    tally: &Arc<Tally>,
) -> Result<Box<dyn Any>> {
    let handle = subscriber.start().await?;
    for index in 0..job.handlers {
        let channel = Subscription::channel(job.channel(index));
        let stream = handle.subscribe(channel).decode::<Json<Quote>>();
        if job.shared {
            seat(tally, index, Stream(stream.shared().await?));
        } else {
            seat(tally, index, Stream(stream.await?));
        }
    }
    Ok(Box::new(handle))
}
