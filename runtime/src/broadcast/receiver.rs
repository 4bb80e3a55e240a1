use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use super::readers::{Pace, Reader};
use super::shared::Shared;
use super::state::{Backlog, Known, Received};
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
    /// The batch that it has received last.
    in_hand: Option<Arc<Batch>>,
    /// The batches before it that workers may still use.
    in_use: Vec<Arc<Batch>>,
}

impl Receiver {
    pub(super) fn new(shared: Arc<Shared>, reader: usize) -> Self {
        Self {
            shared,
            reader,
            done: None,
            in_hand: None,
            in_use: Vec::new(),
        }
    }

    /// Waits for the next gap or batch. Returns `None` when the channel is closed and drained.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is lost.
    pub(crate) async fn recv(&mut self) -> Option<Received> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Like [`recv`](Self::recv), for a caller that polls.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.hand_back(|batch| Arc::strong_count(batch) > 1);
        let polled = self.shared.poll(self.reader, &mut self.done, cx);
        if let Poll::Ready(Some(Received {
            batch: Some((batch, _)),
            ..
        })) = &polled
        {
            self.in_hand = Some(Arc::clone(batch));
        }
        polled
    }

    /// Waits until the reader can begin, and returns true; or returns false if the channel is closed
    /// before.
    pub(crate) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.shared.lock();
        if state.has_begun(self.reader) {
            return Poll::Ready(true);
        }
        if state.closed {
            return Poll::Ready(false);
        }
        state.readers.wait(self.reader, cx.waker());
        Poll::Pending
    }

    /// Gives back what it has received, except batches that are still `in_use`.
    fn hand_back(&mut self, in_use: impl Fn(&Arc<Batch>) -> bool) {
        if let Some(batch) = self.in_hand.take() {
            batch.hand_back();
        }
        if !self.in_use.is_empty() {
            let given_back = self.in_use.extract_if(.., |batch| !in_use(batch));
            given_back.for_each(|batch| batch.hand_back());
        }
    }

    /// Returns how many pushes it has received, and the fence of the oldest batch that is in use.
    pub(crate) fn position(&self) -> (u64, SystemTime) {
        let (received, fence) = self.shared.position(self.reader);
        let fences = self.in_use.iter().map(|batch| batch.fence);
        (received, fences.fold(fence, SystemTime::min))
    }

    /// Keeps the fence of a batch until nobody else has it: workers still deliver its pushes.
    pub(crate) fn in_use(&mut self, batch: Arc<Batch>) {
        batch.hand_out();
        self.in_use.push(batch);
    }

    /// Gives back a batch that has been delivered, so that its memory is reused.
    #[inline]
    pub(crate) fn done(&mut self, batch: Arc<Batch>) {
        self.done = Some(batch);
    }

    /// Returns how many pushes wait, and what became of those before.
    pub(crate) fn backlog(&self) -> Backlog {
        self.shared.backlog(self.reader)
    }

    /// Returns a view of the backlog that outlives the receiver.
    pub(crate) fn meter(&self) -> BacklogMeter {
        self.shared.lock().readers[self.reader].is_metered = true;
        BacklogMeter {
            shared: Arc::clone(&self.shared),
            reader: self.reader,
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.hand_back(|_| false);
        self.shared.remove_reader(self.reader);
    }
}

/// Reads the backlog of one receiver, for the statistics and the health.
#[derive(Clone, Debug)]
pub(crate) struct BacklogMeter {
    shared: Arc<Shared>,
    reader: usize,
}

impl BacklogMeter {
    /// Returns the channel of the receiver.
    pub(crate) fn channel(&self) -> &Arc<Shared> {
        &self.shared
    }

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
    /// Adds a reader to a channel that is not live yet. It receives everything that is appended from
    /// now on.
    pub(crate) fn subscribe(self: &Arc<Self>) -> Receiver {
        self.subscribe_at(Pace::Budget, false)
    }

    /// Adds a reader with a pace of its own. It receives everything that is appended from now on, after
    /// an initial gap: at once if the channel `is_live`, else when it is.
    pub(crate) fn subscribe_at(self: &Arc<Self>, pace: Pace, is_live: bool) -> Receiver {
        let reader = self.lock().add_reader(pace, is_live);
        Receiver::new(Arc::clone(self), reader)
    }

    fn poll(
        &self,
        reader: usize,
        done: &mut Option<Arc<Batch>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Received>> {
        let mut state = self.lock();
        if let Some(batch) = done.take() {
            state.queue.take_back(batch);
        }
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
        state.readers.wait(reader, cx.waker());
        Poll::Pending
    }

    fn backlog(&self, reader: usize) -> Backlog {
        self.lock().backlog(reader)
    }

    fn position(&self, reader: usize) -> (u64, SystemTime) {
        let state = self.lock();
        let Reader {
            position,
            joined,
            missed,
            skipped,
            fence,
            ..
        } = state.readers[reader];
        (position.push - joined - missed - skipped, fence)
    }

    fn remove_reader(&self, reader: usize) {
        let mut state = self.lock();
        state.remove_reader(reader);
        let link = state.note_progress();
        drop(state);
        if let Some(link) = link {
            link.wake();
        }
    }
}
