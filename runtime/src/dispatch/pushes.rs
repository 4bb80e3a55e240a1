//! The copies of every push for those who ask for them: [`Dispatcher::pushes`](super::Dispatcher).

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use super::memory_limit::Holder;
use crate::broadcast::Held;
use crate::push::RawPush;
use crate::util::Mutex;

/// By how many pushes a receiver may lag.
const MAX_PUSHES: usize = 4_096;

/// By how many bytes of memory a receiver may lag. One push is always accepted.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The capacity of an empty queue that is not worth freeing.
const SMALL_QUEUE: usize = 64;

/// A receiver of every push: what [`Handle::pushes`](crate::Handle::pushes) returns.
///
/// Every receiver gets every push. They share one queue, in which a push waits until the last of
/// them has received it. For another receiver, call `pushes` again: it begins with the next push.
/// Dropping a receiver releases what no other one needs.
#[must_use = "pushes wait in memory until they are received or the receiver is dropped"]
pub struct Pushes {
    queue: Arc<Mutex<Queue>>,
    /// The index of this receiver in the queue.
    receiver: usize,
}

/// Why [`Pushes::recv`] did not return a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushesError {
    /// The receiver was too slow: this many pushes were dropped before it could receive them. The
    /// next call returns the oldest push that is left.
    Lagged(u64),
    /// The subscriber has ended, and every push is received.
    Closed,
}

impl fmt::Display for PushesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged(count) => write!(f, "the receiver was too slow and missed {count} pushes"),
            Self::Closed => f.write_str("the subscriber has ended, so no more pushes arrive"),
        }
    }
}

impl std::error::Error for PushesError {}

impl Pushes {
    /// Waits for the next push.
    ///
    /// Cancel safe: if the future is dropped before it is ready, no push is lost.
    ///
    /// # Errors
    ///
    /// Returns [`PushesError::Lagged`] with the exact number of pushes that this receiver has missed
    /// because it was too slow, and goes on after them. Returns [`PushesError::Closed`] when the
    /// subscriber has ended and every push is received.
    pub async fn recv(&mut self) -> Result<RawPush, PushesError> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Returns the next push if one waits.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<RawPush>, PushesError> {
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(received) => received.map(Some),
            Poll::Pending => Ok(None),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<RawPush, PushesError>> {
        let mut queue = self.queue.lock();
        if let Some(received) = queue.next(self.receiver) {
            return Poll::Ready(received);
        }
        if queue.is_closed {
            return Poll::Ready(Err(PushesError::Closed));
        }
        if let Some(receiver) = &mut queue.receivers[self.receiver] {
            receiver.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Pushes {
    fn drop(&mut self) {
        let mut queue = self.queue.lock();
        queue.receivers[self.receiver] = None;
        queue.release();
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The pushes are not shown: their payloads are the user's data.
        f.debug_struct("Pushes").finish_non_exhaustive()
    }
}

/// The sending half. Dropping it closes the queue.
#[derive(Debug, Default)]
pub(super) struct RawPushes {
    queue: Arc<Mutex<Queue>>,
}

impl RawPushes {
    /// Adds a receiver of every push from now on.
    pub(super) fn subscribe(&self) -> Pushes {
        let mut queue = self.queue.lock();
        let receiver = Receiver {
            next: queue.end(),
            waker: None,
        };
        let free = queue.receivers.iter().position(Option::is_none);
        let index = free.unwrap_or(queue.receivers.len());
        match free {
            Some(free) => queue.receivers[free] = Some(receiver),
            None => queue.receivers.push(Some(receiver)),
        }
        Pushes {
            queue: Arc::clone(&self.queue),
            receiver: index,
        }
    }

    pub(super) fn has_no_receiver(&self) -> bool {
        self.queue.lock().receivers.iter().all(Option::is_none)
    }

    /// Adds a push, and moves the wakers of waiting receivers to `wakers`. Returns how much memory
    /// the push holds.
    pub(super) fn send(&self, push: RawPush, wakers: &mut Vec<Waker>) -> usize {
        let mut queue = self.queue.lock();
        let memory = memory(&push);
        queue.bytes += memory;
        queue.waiting.push_back(push);
        while queue.waiting.len() > MAX_PUSHES
            || (queue.bytes > MAX_BYTES && queue.waiting.len() > 1)
        {
            queue.pop_first();
        }
        wakers.extend(queue.wakers());
        memory
    }
}

impl Drop for RawPushes {
    fn drop(&mut self) {
        let mut queue = self.queue.lock();
        queue.is_closed = true;
        let wakers: Vec<_> = queue.wakers().collect();
        drop(queue);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Holder for RawPushes {
    fn held(&self) -> Held {
        let queue = self.queue.lock();
        Held {
            waiting: queue.memory(),
            in_hand: 0,
            messages: queue.waiting.len(),
            // Of two buffers of the same size, this one is dropped before that of a handler.
            since: (!queue.waiting.is_empty()).then_some(SystemTime::UNIX_EPOCH),
        }
    }

    fn shed(&self, bytes: usize) {
        let mut queue = self.queue.lock();
        let goal = queue.memory().saturating_sub(bytes);
        while queue.memory() > goal && queue.waiting.len() > 1 {
            queue.pop_first();
        }
    }

    fn empty(&self) {
        let mut queue = self.queue.lock();
        while queue.pop_first().is_some() {}
        queue.waiting = VecDeque::new();
    }
}

/// The pushes that some receiver has not received yet, numbered in the order of their arrival.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<RawPush>,
    /// The number of the first push.
    first: u64,
    /// How much memory the pushes hold.
    bytes: usize,
    /// `None` stands for a receiver that was dropped.
    receivers: Vec<Option<Receiver>>,
    is_closed: bool,
}

struct Receiver {
    /// The number of the push that it receives next.
    next: u64,
    waker: Option<Waker>,
}

impl Queue {
    fn end(&self) -> u64 {
        self.first + self.waiting.len() as u64
    }

    /// Returns what a receiver receives next, if there is anything.
    fn next(&mut self, receiver: usize) -> Option<Result<RawPush, PushesError>> {
        let (first, end) = (self.first, self.end());
        let next = &mut self.receivers[receiver].as_mut()?.next;
        let number = *next;
        if number < first {
            *next = first;
            return Some(Err(PushesError::Lagged(first - number)));
        }
        if number == end {
            return None;
        }
        *next += 1;
        let needed = self
            .receivers
            .iter()
            .flatten()
            .map(|receiver| receiver.next);
        if number == first && needed.min() > Some(number) {
            let push = self.pop_first();
            self.release();
            return push.map(Ok);
        }
        let index = usize::try_from(number - first).expect("queue index fits in usize");
        Some(Ok(self.waiting[index].clone()))
    }

    fn pop_first(&mut self) -> Option<RawPush> {
        let push = self.waiting.pop_front()?;
        self.first += 1;
        self.bytes -= memory(&push);
        Some(push)
    }

    /// Releases the pushes that every receiver has received, and the memory of an empty queue.
    fn release(&mut self) {
        let needed = self
            .receivers
            .iter()
            .flatten()
            .map(|receiver| receiver.next);
        let needed = needed.min().unwrap_or(self.end());
        while self.first < needed && self.pop_first().is_some() {}
        if self.waiting.is_empty() && self.waiting.capacity() > SMALL_QUEUE {
            self.waiting = VecDeque::new();
        }
    }

    fn wakers(&mut self) -> impl Iterator<Item = Waker> {
        let receivers = self.receivers.iter_mut().flatten();
        receivers.filter_map(|receiver| receiver.waker.take())
    }

    /// Returns how much memory the queue holds, used or not.
    fn memory(&self) -> usize {
        let free = self.waiting.capacity() - self.waiting.len();
        self.bytes + free * size_of::<RawPush>()
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

/// Returns how much memory a push holds in the queue.
fn memory(push: &RawPush) -> usize {
    size_of::<RawPush>() + push.memory()
}
