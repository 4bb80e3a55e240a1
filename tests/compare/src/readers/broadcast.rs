//! Readers of a `tokio::sync::broadcast` channel, which all peers but redis-push give to their users
//! or leave to them.

use std::hint::black_box;
use std::sync::Arc;

use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

use super::{BUFFER, Item, Reader, seat};
use crate::job::Job;
use crate::many::Tally;
use crate::payload::Quote;

/// A message as it comes through a broadcast channel.
pub(super) trait Published: Clone + Send + Sync + 'static {
    /// The payload of a message of this channel. Returns `None` for everything else.
    fn payload_on(&self, channel: &str) -> Option<&[u8]>;
}

/// A receiver whose messages are filtered and decoded by hand.
pub(crate) struct Filtered<M> {
    messages: Receiver<M>,
    channel: String,
}

impl<M> Filtered<M> {
    pub(super) fn new(messages: Receiver<M>, channel: &str) -> Self {
        Self {
            messages,
            channel: channel.to_owned(),
        }
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }
}

impl<M: Published> Reader for Filtered<M> {
    async fn next(&mut self) -> Option<Item> {
        loop {
            match self.messages.recv().await {
                Ok(message) => {
                    let payload = message.payload_on(&self.channel);
                    if let Some(number) = payload.and_then(number) {
                        return Some(Item::Message(number));
                    }
                }
                Err(RecvError::Lagged(count)) => return Some(Item::Lost(count)),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Decodes a message, and returns its number. One that does not decode counts as missing.
pub(super) fn number(payload: &[u8]) -> Option<u64> {
    Some(black_box(&decode(payload)?).at)
}

fn decode(payload: &[u8]) -> Option<Quote> {
    serde_json::from_slice(payload).ok()
}

/// Seats the job's readers at one broadcast channel. If they are to share what is decoded, a task
/// decodes, and sends it to all of them through a second one.
pub(super) fn crowd<M: Published>(
    job: &Job,
    tally: &Arc<Tally>,
    subscribe: impl Fn() -> Receiver<M>,
) {
    let channel = job.channel(0);
    if job.shared {
        let decoded = Decoded::crowd(job, tally);
        tokio::spawn(share(subscribe(), channel, decoded, Arc::clone(tally)));
        return;
    }
    for index in 0..job.handlers {
        seat(tally, index, Filtered::new(subscribe(), &channel));
    }
}

async fn share<M: Published>(
    mut messages: Receiver<M>,
    channel: String,
    decoded: Decoded,
    tally: Arc<Tally>,
) {
    loop {
        match messages.recv().await {
            Ok(message) => {
                if let Some(payload) = message.payload_on(&channel) {
                    decoded.send(payload);
                }
            }
            Err(RecvError::Lagged(count)) => tally.add_lost(count),
            Err(RecvError::Closed) => return,
        }
    }
}

/// A broadcast channel of messages that whoever sends them has decoded: sharing by hand.
pub(super) struct Decoded(Sender<Arc<Quote>>);

impl Decoded {
    /// Seats the job's readers at a new channel.
    pub(super) fn crowd(job: &Job, tally: &Arc<Tally>) -> Self {
        let (sender, _) = broadcast::channel(BUFFER);
        for index in 0..job.handlers {
            seat(tally, index, Sharing(sender.subscribe()));
        }
        Self(sender)
    }

    pub(super) fn send(&self, payload: &[u8]) {
        if let Some(quote) = decode(payload) {
            let _ = self.0.send(Arc::new(quote));
        }
    }
}

struct Sharing(Receiver<Arc<Quote>>);

impl Reader for Sharing {
    async fn next(&mut self) -> Option<Item> {
        match self.0.recv().await {
            Ok(quote) => Some(Item::Message(black_box(&quote).at)),
            Err(RecvError::Lagged(count)) => Some(Item::Lost(count)),
            Err(RecvError::Closed) => None,
        }
    }
}
