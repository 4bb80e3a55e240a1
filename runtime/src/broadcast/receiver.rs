use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use super::queue::Position;
use super::shared::Shared;
use super::state::{Backlog, Known, Reader, Received};
use crate::push::Batch;
use crate::util::clock;

/// The receiving half of a broadcast channel, one for each handler. Dropping it releases the
/// batches that no other reader needs.
#[derive(Debug)]
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    /// The index of this reader in the shared state.
    reader: usize,
    /// A delivered batch, which is given back at the next receive.
    done: Option<Arc<Batch>>,
    /// The batches that workers may still use.
    in_use: Vec<Arc<Batch>>,
}

impl Receiver {
    pub(super) fn new(shared: Arc<Shared>, reader: usize) -> Self {
        Self {
            shared,
            reader,
            done: None,
            in_use: Vec::new(),
        }
    }

    /// Waits for the next gap or batch. Returns `None` when the channel is closed and drained.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is lost.
    pub(crate) async fn recv(&mut self) -> Option<Received> {
        poll_fn(|cx| {
            self.shared
                .poll(self.reader, &mut self.done, &mut self.in_use, cx)
        })
        .await
    }

    /// Returns how many pushes it has received, and the fence of the oldest batch that is in use.
    pub(crate) fn position(&self) -> (u64, SystemTime) {
        let (received, fence) = self.shared.position(self.reader);
        let fences = self.in_use.iter().map(|batch| batch.fence);
        (received, fences.fold(fence, SystemTime::min))
    }

    /// Keeps a batch in the account until nobody else has it: workers still deliver its pushes.
    pub(crate) fn in_use(&mut self, batch: Arc<Batch>) {
        self.in_use.push(batch);
    }

    /// Gives back a batch that has been delivered, so that its memory is reused.
    #[inline]
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

/// Reads the backlog of one receiver, for the statistics and the health.
#[derive(Clone, Debug)]
pub(crate) struct BacklogMeter {
    shared: Arc<Shared>,
    reader: usize,
}

impl BacklogMeter {
    pub(crate) fn backlog(&self) -> Backlog {
        self.shared.backlog(self.reader)
    }

    /// Returns which losses there are for the reader to know of.
    pub(crate) fn losses(&self) -> Known {
        self.shared.lock().losses(self.reader)
    }
}

/// What readers do to the channel.
impl Shared {
    /// Adds a reader. It receives everything that is appended from now on.
    ///
    /// All readers are added before the first push.
    pub(crate) fn subscribe(self: &Arc<Self>) -> Receiver {
        let mut state = self.lock();
        let end = state.queue.end();
        let position = Position {
            batch: state.queue.tail_number(),
            push: end,
        };
        // Most channels have one reader and never get another.
        state.readers.reserve_exact(1);
        state.readers.push(Reader {
            position,
            missed: 0,
            reported: 0,
            fence: clock::wall(),
            waker: None,
            in_hand: None,
            in_use: Vec::new(),
            left: None,
        });
        Receiver::new(Arc::clone(self), state.readers.len() - 1)
    }

    fn poll(
        &self,
        reader: usize,
        done: &mut Option<Arc<Batch>>,
        in_use: &mut Vec<Arc<Batch>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Received>> {
        let mut state = self.lock();
        if !in_use.is_empty() {
            in_use.retain(|batch| Arc::strong_count(batch) > 1);
            let account = in_use.iter().map(|batch| (batch.first, batch.memory()));
            state.readers[reader].in_use = account.collect();
        }
        if let Some(batch) = done.take() {
            state.queue.recycle(batch);
        }
        state.readers[reader].in_hand = None;
        if let Some(received) = state.next(reader) {
            let link = state.note_progress();
            drop(state);
            if let Some(link) = link {
                link.wake();
            }
            return Poll::Ready(Some(received));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.queue.release_spare();
        let waker = &mut state.readers[reader].waker;
        match waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn backlog(&self, reader: usize) -> Backlog {
        self.lock().backlog(reader)
    }

    fn position(&self, reader: usize) -> (u64, SystemTime) {
        let Reader {
            position,
            missed,
            fence,
            ..
        } = self.lock().readers[reader];
        (position.push - missed, fence)
    }

    fn unsubscribe(&self, reader: usize) {
        let mut state = self.lock();
        let backlog = state.backlog(reader);
        state.readers[reader].left = Some(backlog);
        state.readers[reader].waker = None;
        state.readers[reader].in_hand = None;
        state.readers[reader].in_use = Vec::new();
        state.release();
        let link = state.note_progress();
        drop(state);
        if let Some(link) = link {
            link.wake();
        }
    }
}
