//! The output queue of one client.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The output queue of one connection. The state appends to it and the connection's task empties it.
/// Both hold it, and either may close it.
#[derive(Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    more: Notify,
    closed: Notify,
}

#[derive(Default)]
struct Queue {
    segments: VecDeque<Segment>,
    /// Bytes appended and not yet written to the socket.
    waiting: usize,
    limit: Option<usize>,
    /// Whether appending has ended: the connection is closed when the rest is written.
    finished: bool,
    /// Whether the connection is to be closed at once.
    closed: bool,
}

/// Bytes that are written no earlier than `not_before`.
struct Segment {
    not_before: Option<Instant>,
    bytes: BytesMut,
}

impl Outbox {
    /// Appends bytes. Above the limit the whole queue is discarded and the connection closed, as in the
    /// server for a client that does not read.
    pub(super) fn append(&self, bytes: &[u8]) {
        let mut queue = self.lock();
        if queue.finished || queue.closed {
            return;
        }
        queue.waiting += bytes.len();
        if queue.limit.is_some_and(|limit| queue.waiting > limit) {
            drop(queue);
            return self.close();
        }
        match queue.segments.back_mut() {
            Some(last) => last.bytes.extend_from_slice(bytes),
            None => queue.segments.push_back(Segment {
                not_before: None,
                bytes: bytes.into(),
            }),
        }
        drop(queue);
        self.more.notify_one();
    }

    /// Holds everything that is appended from now on until the given time.
    pub(super) fn hold(&self, until: Instant) {
        self.lock().segments.push_back(Segment {
            not_before: Some(until),
            bytes: BytesMut::new(),
        });
    }

    pub(super) fn set_limit(&self, limit: Option<usize>) {
        self.lock().limit = limit;
    }

    /// Closes the connection once everything appended so far is written.
    pub(super) fn finish(&self) {
        self.lock().finished = true;
        self.more.notify_one();
    }

    /// Closes the connection at once and discards the bytes that were not written.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.segments.clear();
        drop(queue);
        self.closed.notify_one();
    }

    /// Resolves when the connection is to be closed at once.
    pub(super) async fn closed(&self) {
        while !self.lock().closed {
            self.closed.notified().await;
        }
    }

    /// Waits for the next bytes to write. Returns `None` when the queue is finished and empty.
    pub(super) async fn next(&self) -> Option<BytesMut> {
        loop {
            let wait = {
                let mut queue = self.lock();
                match queue.segments.front().map(|segment| segment.not_before) {
                    None if queue.finished => return None,
                    None => None,
                    Some(Some(time)) if time > Instant::now() => Some(time),
                    Some(_) => return queue.segments.pop_front().map(|segment| segment.bytes),
                }
            };
            match wait {
                Some(time) => tokio::time::sleep_until(time).await,
                None => self.more.notified().await,
            }
        }
    }

    /// Records that this many bytes were written to the socket.
    pub(super) fn written(&self, bytes: usize) {
        let mut queue = self.lock();
        queue.waiting = queue.waiting.saturating_sub(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
