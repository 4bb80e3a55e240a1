use std::future::poll_fn;
use std::sync::Arc;
use std::time::SystemTime;

use super::Shared;
use super::state::{Backlog, Received};
use crate::push::Batch;

/// The receiving half of a broadcast channel, one for each handler. Dropping it releases the
/// batches that no other reader needs.
#[derive(Debug)]
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    /// The index of this reader in the shared state.
    reader: usize,
    /// A delivered batch, which is given back at the next receive.
    done: Option<Arc<Batch>>,
}

impl Receiver {
    pub(super) fn new(shared: Arc<Shared>, reader: usize) -> Self {
        Self {
            shared,
            reader,
            done: None,
        }
    }

    /// Waits for the next gap or batch. Returns `None` when the channel is closed and drained.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is lost.
    pub(crate) async fn recv(&mut self) -> Option<Received> {
        poll_fn(|cx| self.shared.poll(self.reader, &mut self.done, cx)).await
    }

    /// Returns how many pushes it has received, and when the last one's batch was opened.
    pub(crate) fn position(&self) -> (u64, SystemTime) {
        self.shared.position(self.reader)
    }

    /// Gives back a batch that has been delivered, so that its memory is reused.
    pub(crate) fn done(&mut self, batch: Arc<Batch>) {
        self.done = Some(batch);
    }

    /// Returns a view of the backlog that outlives the receiver.
    pub(crate) fn meter(&self) -> BacklogMeter {
        BacklogMeter {
            shared: Arc::clone(&self.shared),
            reader: self.reader,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.unsubscribe(self.reader);
    }
}

/// Reads the backlog of one receiver, for the statistics.
#[derive(Debug)]
pub(crate) struct BacklogMeter {
    shared: Arc<Shared>,
    reader: usize,
}

impl BacklogMeter {
    pub(crate) fn backlog(&self) -> Backlog {
        self.shared.backlog(self.reader)
    }
}
