use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use redis::PushInfo;
use redis::aio::ConnectionManager;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::task::JoinHandle;

use super::connection::{Connection, client_id};
use super::convert::incoming;
use crate::error::Error;
use crate::feed::Feed;
use crate::gap::Missed;
use crate::raw::Incoming;

/// The link over a manager of the user's and a receiver of the channel that it pushes into.
pub(crate) struct Attached {
    manager: ConnectionManager,
    forwarding: Forwarding,
    generation: Arc<AtomicU64>,
}

enum Forwarding {
    Ready(Receiver<PushInfo>),
    Running(JoinHandle<()>),
    Ended,
}

impl Attached {
    pub(crate) fn new(manager: ConnectionManager, receiver: Receiver<PushInfo>) -> Self {
        Self {
            manager,
            forwarding: Forwarding::Ready(receiver),
            generation: Arc::default(),
        }
    }

    /// Waits until the user's manager has a connection: its own retries are started by commands.
    pub(super) async fn connect(
        &mut self,
        generation: u64,
        feed: &Arc<Feed>,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        self.forward(feed);
        if self.has_ended() {
            return Err(Error::connection(
                "the attached push channel is closed: every `broadcast::Sender` of it is gone, \
                 and no push can come any more",
            ));
        }
        self.generation.store(generation, SeqCst);
        let id = tokio::time::timeout(timeout, client_id(&mut self.manager));
        match id.await {
            Ok(id) => Ok(Connection::attached(self.manager.clone(), id?)),
            Err(_) => Err(Error::connection(format!(
                "the attached manager did not answer within {timeout:?}"
            ))),
        }
    }

    /// Starts to forward, the first time.
    fn forward(&mut self, feed: &Arc<Feed>) {
        self.forwarding = match std::mem::replace(&mut self.forwarding, Forwarding::Ended) {
            Forwarding::Ready(receiver) => {
                let generation = Arc::clone(&self.generation);
                Forwarding::Running(tokio::spawn(forward(
                    receiver,
                    generation,
                    Arc::clone(feed),
                )))
            }
            other => other,
        };
    }

    fn has_ended(&self) -> bool {
        match &self.forwarding {
            Forwarding::Ready(_) => false,
            Forwarding::Running(task) => task.is_finished(),
            Forwarding::Ended => true,
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Forwarding::Running(task) = &self.forwarding {
            task.abort();
        }
    }
}

async fn forward(mut receiver: Receiver<PushInfo>, generation: Arc<AtomicU64>, feed: Arc<Feed>) {
    loop {
        match receiver.recv().await {
            Ok(push) => feed.accept(generation.load(SeqCst), &incoming(&push)),
            // What was lost may have been anything, a `Disconnection` included: every handler is
            // told, and every name is subscribed again.
            Err(RecvError::Lagged(missed)) => feed.interrupt(Missed::AtMost(missed)),
            Err(RecvError::Closed) => break,
        }
    }
    feed.accept(generation.load(SeqCst), &Incoming::Disconnected);
}
