use std::future::poll_fn;
use std::sync::Arc;
use std::time::SystemTime;

use super::Ring;
use super::state::{Backlog, Item};
use crate::push::Batch;

/// A handler's own end of a ring. Dropping it frees what only it still held.
#[derive(Debug)]
pub(crate) struct Receiver {
    ring: Arc<Ring>,
    reader: usize,
    done: Option<Arc<Batch>>,
}

impl Receiver {
    pub(super) fn new(ring: Arc<Ring>, reader: usize) -> Self {
        Self {
            ring,
            reader,
            done: None,
        }
    }

    /// Waits for what comes next; `None` once the ring is closed and empty.
    ///
    /// Cancel safe: what is not returned is still there.
    pub(crate) async fn recv(&mut self) -> Option<Item> {
        poll_fn(|cx| self.ring.poll(self.reader, &mut self.done, cx)).await
    }

    /// How many pushes it was given, and when the last one's batch was opened.
    pub(crate) fn standing(&self) -> (u64, SystemTime) {
        self.ring.standing(self.reader)
    }

    /// Gives a batch back when it has been delivered, so that its memory is used again.
    pub(crate) fn done(&mut self, batch: Arc<Batch>) {
        self.done = Some(batch);
    }

    /// A view of the backlog that outlives the receiver.
    pub(crate) fn meter(&self) -> Meter {
        Meter {
            ring: Arc::clone(&self.ring),
            reader: self.reader,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.ring.unsubscribe(self.reader);
    }
}

/// Reads how much lies before one receiver.
#[derive(Debug)]
pub(crate) struct Meter {
    ring: Arc<Ring>,
    reader: usize,
}

impl Meter {
    pub(crate) fn backlog(&self) -> Backlog {
        self.ring.backlog(self.reader)
    }
}
