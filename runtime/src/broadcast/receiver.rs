use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use super::readers::{Pace, Reader};
use super::shared::Shared;
use super::state::{Backlog, ChannelState, Known, Received, Rest};
use crate::push::{Batch, Generation};
use crate::util::{Key, Timestamp};

/// The receiving half of a broadcast channel, one for each handler or stream. Dropping it releases the
/// batches that no other reader needs.
#[derive(Debug)]
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    /// The batch that it has received last.
    in_hand: Option<Arc<Batch>>,
    /// The batches before it that workers may still use. Boxed, because most readers have no workers.
    in_use: Option<Box<InUse>>,
    /// The key of this reader in the shared state.
    reader: Key,
}

#[derive(Debug, Default)]
struct InUse(Vec<Arc<Batch>>);

impl Receiver {
    pub(super) fn new(shared: Arc<Shared>, reader: Key) -> Self {
        Self {
            shared,
            in_hand: None,
            in_use: None,
            reader,
        }
    }

    /// Waits for the next gap or batch. Returns `None` when the channel is closed and drained.
    ///
    /// Whoever has the last batch should let go of it before, so that its memory is reused.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is lost.
    pub(crate) async fn recv(&mut self) -> Option<Received> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Like [`recv`](Self::recv), for a caller that polls.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        // Dropped after the lock.
        let (_discarded, _replaced);
        let mut state = self.shared.lock();
        if let Some(batch) = self.in_hand.take() {
            state.queue.take_back(batch);
        }
        if let Some(in_use) = &mut self.in_use {
            in_use.give_back(&mut state, |batch| Arc::strong_count(batch) == 1);
        }
        if state.must_wait_for_crowd(self.reader, &self.shared) {
            _discarded = state.queue.discarded();
            _replaced = state.readers.wait(self.reader, cx.waker());
            return Poll::Pending;
        }
        let received = state.next(self.reader, &mut self.in_hand);
        _discarded = state.queue.discarded();
        if let Some(mut received) = received {
            let link = state.note_progress();
            drop(state);
            if let Some(link) = link {
                link.wake();
                received.woke_link = true;
            }
            return Poll::Ready(Some(received));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        match state.wait {
            // The next message for a handler costs no allocation.
            Some(_) => state.queue.release_spare(),
            // Channels of streams are many, and most of them are idle.
            None => state.queue.trim(),
        }
        _replaced = state.readers.wait(self.reader, cx.waker());
        Poll::Pending
    }

    /// Returns the batch of what was received last, if that has one.
    #[inline]
    pub(crate) fn batch(&self) -> Option<&Arc<Batch>> {
        self.in_hand.as_ref()
    }

    /// Waits until the reader can begin, and returns true; or returns false if the channel is closed
    /// before.
    pub(crate) fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        // Dropped after the lock.
        let _replaced;
        let mut state = self.shared.lock();
        if state.has_begun(self.reader) {
            return Poll::Ready(true);
        }
        if state.closed {
            return Poll::Ready(false);
        }
        _replaced = state.readers.wait(self.reader, cx.waker());
        Poll::Pending
    }

    /// Waits until the channel is closed, whatever waits in it. The caller is woken by each push as well.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Dropped after the lock.
        let _replaced;
        let mut state = self.shared.lock();
        if state.closed {
            return Poll::Ready(());
        }
        _replaced = state.readers.wait(self.reader, cx.waker());
        Poll::Pending
    }

    /// Returns whether every name is confirmed in a generation that `is_open`, and the channel is not
    /// closed.
    pub(crate) fn is_confirmed(&self, is_open: impl Fn(Generation) -> bool) -> bool {
        let state = self.shared.lock();
        !state.closed && state.confirmations.are_confirmed(is_open)
    }

    /// Returns how many pushes it has received, and the fence of the oldest batch that is in use.
    pub(crate) fn position(&self) -> (u64, SystemTime) {
        let (received, fence) = self.shared.position(self.reader);
        let in_use = self.in_use.iter().flat_map(|in_use| &in_use.0);
        let oldest = in_use.fold(fence, |oldest, batch| oldest.min(batch.fence));
        (received, oldest.into())
    }

    /// Keeps the batch until nobody else has it: workers still deliver its pushes.
    pub(crate) fn keep_in_use(&mut self) {
        if let Some(batch) = self.in_hand.take() {
            self.in_use.get_or_insert_default().0.push(batch);
        }
    }

    /// Sets what the pushes of this reader are counted under: see [`Shared::add_entered`].
    pub(crate) fn set_label(&self, label: u16) {
        self.shared.lock().readers[self.reader].label = label;
    }

    /// Returns what the reader has not received.
    pub(crate) fn rest(&self) -> Rest {
        self.shared.lock().rest(self.reader)
    }

    #[cfg(all(test, shuttle))]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
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
        let mut state = self.shared.lock();
        if let Some(batch) = self.in_hand.take() {
            state.queue.take_back(batch);
        }
        if let Some(in_use) = &mut self.in_use {
            in_use.give_back(&mut state, |_| true);
        }
        let waker = state.remove_reader(self.reader);
        let link = state.note_progress();
        let discarded = state.queue.discarded();
        drop(state);
        drop((discarded, waker));
        if let Some(link) = link {
            link.wake();
        }
    }
}

impl InUse {
    /// Gives back the batches that are `done`.
    fn give_back(&mut self, state: &mut ChannelState, done: impl Fn(&Arc<Batch>) -> bool) {
        for batch in self.0.extract_if(.., |batch| done(batch)) {
            state.queue.take_back(batch);
        }
    }
}

/// Reads the backlog of one receiver, for the statistics and the health.
#[derive(Clone, Debug)]
pub(crate) struct BacklogMeter {
    shared: Arc<Shared>,
    reader: Key,
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

    fn backlog(&self, reader: Key) -> Backlog {
        self.lock().backlog(reader)
    }

    fn position(&self, reader: Key) -> (u64, Timestamp) {
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
}
