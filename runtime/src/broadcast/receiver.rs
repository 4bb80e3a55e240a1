use std::future::poll_fn;
use std::sync::Arc;
use std::time::SystemTime;

use super::Shared;
use super::state::{Backlog, Received};
use crate::push::Batch;

/// A handler's own end of a ring. Dropping it frees what only it still held.
#[derive(Debug)]
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    reader: usize,
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

    /// Waits for what comes next; `None` once the ring is closed and empty.
    ///
    /// Cancel safe: what is not returned is still there.
    pub(crate) async fn recv(&mut self) -> Option<Received> {
        poll_fn(|cx| self.shared.poll(self.reader, &mut self.done, cx)).await
    }

    /// How many pushes it was given, and when the last one's batch was opened.
    pub(crate) fn position(&self) -> (u64, SystemTime) {
        self.shared.position(self.reader)
    }

    /// Gives a batch back when it has been delivered, so that its memory is used again.
    pub(crate) fn done(&mut self, batch: Arc<Batch>) {
        self.done = Some(batch);
    }

    /// A view of the backlog that outlives the receiver.
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

/// Reads how much lies before one receiver.
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
