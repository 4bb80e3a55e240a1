use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use redis::PushInfo;
use redis::aio::ConnectionManager;
use tokio::sync::Mutex;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::push_info::incoming;
use crate::connection::{Connection, client_id};
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::gap::Missed;
use crate::push::Incoming;

/// The link over a manager of the user's and a receiver of the channel that it pushes into.
pub(crate) struct Attached {
    manager: ConnectionManager,
    forwarding: Arc<Forwarding>,
}

/// What the forwarding task works with. It outlives the task, so that the next one goes on from
/// there and nothing is lost between the two.
pub(crate) struct Forwarding {
    receiver: Mutex<Receiver<PushInfo>>,
    generation: AtomicU64,
    /// Whether every sender is gone.
    is_closed: AtomicBool,
}

impl Attached {
    pub(crate) fn new(manager: ConnectionManager, receiver: Receiver<PushInfo>) -> Self {
        Self {
            manager,
            forwarding: Arc::new(Forwarding {
                receiver: Mutex::new(receiver),
                generation: AtomicU64::new(0),
                is_closed: AtomicBool::new(false),
            }),
        }
    }

    /// The user's manager, for commands that are no subscriptions.
    pub(crate) fn manager(&self) -> ConnectionManager {
        self.manager.clone()
    }

    /// What is to be run as a task for as long as the subscriber lives.
    pub(crate) fn forwarding(&self) -> Arc<Forwarding> {
        Arc::clone(&self.forwarding)
    }

    /// Waits until the user's manager has a connection: its own retries are started by commands.
    pub(super) async fn connect(
        &mut self,
        generation: u64,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        if self.forwarding.is_closed.load(SeqCst) {
            return Err(Error::connection(
                "the attached push channel is closed: every `broadcast::Sender` of it is gone, \
                 and no push can come any more",
            ));
        }
        self.forwarding.generation.store(generation, SeqCst);
        let id = tokio::time::timeout(timeout, client_id(&mut self.manager));
        match id.await {
            Ok(id) => Ok(Connection::attached(self.manager.clone(), id?)),
            Err(_) => Err(Error::connection(format!(
                "the attached manager did not answer within {timeout:?}"
            ))),
        }
    }
}

impl Forwarding {
    /// Forwards pushes to the feed until the channel is closed.
    ///
    /// Cancel safe: what has been received is in the feed.
    pub(crate) async fn run(self: Arc<Self>, dispatcher: Arc<Dispatcher>) {
        let mut receiver = self.receiver.lock().await;
        let generation = || self.generation.load(SeqCst);
        loop {
            match receiver.recv().await {
                Ok(push) => dispatcher.accept(generation(), &incoming(&push)),
                // What was lost may have been anything, a `Disconnection` included: every handler
                // is told, and every name is subscribed again.
                Err(RecvError::Lagged(missed)) => dispatcher.interrupt(Missed::AtMost(missed)),
                Err(RecvError::Closed) => break,
            }
        }
        self.is_closed.store(true, SeqCst);
        dispatcher.accept(generation(), &Incoming::Disconnected);
    }
}
