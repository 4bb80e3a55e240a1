use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use redis::PushInfo;
use redis::aio::ConnectionManager;
use tokio::sync::Mutex;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::push_info::incoming;
use crate::connection::Connection;
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::gap::Missed;
use crate::push::{Generation, Incoming};

/// The link over the user's manager, with a receiver of the channel that its pushes are sent to.
pub(crate) struct Attached {
    manager: ConnectionManager,
    /// Whether a connection of the manager has spoken RESP3.
    has_spoken_resp3: bool,
    forwarding: Arc<Forwarding>,
}

/// The state of the forwarding task. It survives a restart of the task, so nothing is lost between two
/// runs.
pub(crate) struct Forwarding {
    receiver: Mutex<Receiver<PushInfo>>,
    /// The bits of the [`Generation`].
    generation: AtomicU64,
    /// Whether every sender is dropped.
    is_closed: AtomicBool,
}

impl Attached {
    pub(crate) fn new(manager: ConnectionManager, receiver: Receiver<PushInfo>) -> Self {
        Self {
            manager,
            has_spoken_resp3: false,
            forwarding: Arc::new(Forwarding {
                receiver: Mutex::new(receiver),
                generation: AtomicU64::new(0),
                is_closed: AtomicBool::new(false),
            }),
        }
    }

    /// Returns the user's manager, for commands that are not about subscriptions.
    pub(crate) fn manager(&self) -> ConnectionManager {
        self.manager.clone()
    }

    /// Returns the forwarding, to be run as a task while the subscriber exists.
    pub(crate) fn forwarding(&self) -> Arc<Forwarding> {
        Arc::clone(&self.forwarding)
    }

    /// Waits until the user's manager has a connection. The command that this sends makes a manager
    /// that has stopped retrying try again.
    pub(super) async fn connect(
        &mut self,
        generation: Generation,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        if self.forwarding.is_closed.load(SeqCst) {
            return Err(Error::connection(
                "the attached push channel is closed: all its `broadcast::Sender`s were dropped, \
                 so no push can arrive",
            ));
        }
        let bits = generation.to_bits();
        self.forwarding.generation.store(bits, SeqCst);
        match tokio::time::timeout(timeout, self.connection()).await {
            Ok(connected) => connected,
            Err(_) => Err(Error::connection(format!(
                "the attached manager did not answer within {timeout:?}"
            ))),
        }
    }
}

impl Attached {
    async fn connection(&mut self) -> Result<Connection, Error> {
        let mut connection = Connection::attached(self.manager.clone()).await?;
        let speaks_resp3 = connection.speaks_resp3().await?;
        // `RESET` switches to RESP2, in which no push arrives. The manager itself would not notice.
        if self.has_spoken_resp3 && !speaks_resp3 {
            connection.switch_to_resp3().await?;
        }
        self.has_spoken_resp3 |= speaks_resp3;
        Ok(connection)
    }
}

impl Forwarding {
    /// Forwards pushes to the dispatcher until the channel is closed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: every push that was received has been passed to the dispatcher.
    pub(crate) async fn run(self: Arc<Self>, dispatcher: Arc<Dispatcher>) {
        let mut receiver = self.receiver.lock().await;
        let generation = || Generation::from_bits(self.generation.load(SeqCst));
        loop {
            match receiver.recv().await {
                Ok(push) => dispatcher.accept(generation(), &incoming(&push)),
                // The lost pushes may have been anything, including a `Disconnection`: every handler
                // receives a gap, and every name is subscribed again.
                Err(RecvError::Lagged(missed)) => dispatcher.interrupt(Missed::AtMost(missed)),
                Err(RecvError::Closed) => break,
            }
        }
        self.is_closed.store(true, SeqCst);
        dispatcher.accept(generation(), &Incoming::Disconnected);
    }
}
