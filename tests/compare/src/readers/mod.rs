//! Clients whose readers come and go while they run (W8 and W9), each used as its documentation
//! recommends.
//!
//! [`Client`] is what W8 needs: a reader for one name at a time. [`crowd`] is what W9 needs: many
//! readers of one name, by the means that the client has for that.

mod broadcast;
mod fred;
mod redis_push;
mod rustis;
mod seed;

use std::any::Any;
use std::sync::Arc;

pub(crate) use fred::Fred;
pub(crate) use redis_push::RedisPush;
pub(crate) use rustis::Rustis;
pub(crate) use seed::Seed;

use crate::Result;
use crate::job::Job;
use crate::many::Tally;
use crate::peers::Peer;

/// The buffer of a channel that one name's readers share, where buffers are made equal: redis-push's
/// default.
const BUFFER: usize = 256;

/// What a reader receives.
pub(crate) enum Item {
    /// A decoded message: its number, or the time of sending.
    Message(u64),
    /// The client says that this many are missing.
    Lost(u64),
}

pub(crate) trait Reader: Send + 'static {
    /// Waits for the next item. Returns `None` when there is nothing left to wait for. Cancel safe.
    fn next(&mut self) -> impl Future<Output = Option<Item>> + Send;
}

/// A connected client that subscribes to a name for one reader.
pub(crate) trait Client: Sync + Send + 'static {
    type Reader: Reader;

    /// Returns when the client says that the name is subscribed.
    fn subscribe(&self, channel: &str) -> impl Future<Output = Result<Self::Reader>> + Send;

    /// Ends a reader, and the subscription that was made for it.
    fn leave(&self, reader: Self::Reader) -> impl Future<Output = Result<()>> + Send;
}

/// Starts the job's peer with a task for each of its readers, all of one channel. What is returned
/// keeps them.
pub(crate) async fn crowd(job: &Job, port: u16, tally: &Arc<Tally>) -> Result<Box<dyn Any>> {
    match job.peer {
        Peer::RedisPush => redis_push::crowd(redis_push::default(port), job, tally).await,
        Peer::RedisPushWire => redis_push::crowd(redis_push::wire(port), job, tally).await,
        Peer::Seed => seed::crowd(job, port, tally).await,
        Peer::Fred => fred::crowd(job, port, tally).await,
        Peer::Rustis => rustis::crowd(job, port, tally).await,
        Peer::Floor | Peer::Limit | Peer::Ruststream => Err("this peer has no readers".into()),
    }
}

/// Spawns the task of one reader of a crowd.
fn seat(tally: &Arc<Tally>, index: usize, mut reader: impl Reader) {
    let tally = Arc::clone(tally);
    tokio::spawn(async move {
        while let Some(item) = reader.next().await {
            match item {
                Item::Message(at) => tally.take(index, at),
                Item::Lost(count) => tally.add_lost(count),
            }
        }
    });
}
