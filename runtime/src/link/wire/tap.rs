use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::backpressure::Backpressure;
use super::scan::{Scanned, scan};
use crate::dispatch::Dispatcher;
use crate::push::Incoming;
use crate::util::clock;

/// A stream that lifts pushes out of what the server sends, and passes the rest on.
///
/// redis-rs reads from it as from the socket, and never sees a message. Confirmations go both
/// ways: the feed needs them in their place among the messages, redis-rs as replies.
pub(super) struct Tap<S> {
    stream: S,
    dispatcher: Arc<Dispatcher>,
    generation: u64,
    /// What was read and not scanned yet: `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of how many bytes the frame in the front of it is at least.
    frame: usize,
    /// What redis-rs is to read.
    passed: Vec<u8>,
    passed_from: usize,
    backpressure: Backpressure,
    /// Whether whole frames are in the buffer, behind a wait.
    holds_frames: bool,
    has_ended: bool,
    /// Something came that is no RESP3: redis-rs may say what is wrong with it, and then the stream
    /// ends. If it went on, messages could go by unseen while commands are answered.
    has_given_up: bool,
}

const READ: usize = 64 * 1024;

/// How often the socket is read before other tasks get their turn.
const READS_AT_ONCE: usize = 4;

impl<S: AsyncRead + Unpin> Tap<S> {
    pub(super) fn new(
        stream: S,
        dispatcher: Arc<Dispatcher>,
        generation: u64,
        backpressure: Backpressure,
    ) -> Self {
        Self {
            stream,
            dispatcher,
            generation,
            buffer: vec![0; READ],
            start: 0,
            end: 0,
            frame: 0,
            passed: Vec::new(),
            passed_from: 0,
            backpressure,
            holds_frames: false,
            has_ended: false,
            has_given_up: false,
        }
    }

    /// Takes the whole frames out of the buffer, under one lock of the feed, up to a message for a
    /// ring that is worth waiting for.
    fn take_frames(&mut self) {
        if self.end - self.start < self.frame {
            return;
        }
        let Self {
            dispatcher,
            buffer,
            start,
            end,
            frame,
            passed,
            has_given_up,
            backpressure,
            ..
        } = self;
        let now = clock::now();
        let may_wait = backpressure.may_wait(now);
        let mut full = None;
        *frame = 0;
        dispatcher.dispatch(self.generation, |guard| {
            while start < end {
                let bytes = &buffer[*start..*end];
                let taken = match scan(bytes) {
                    Scanned::Incomplete(missing) => {
                        *frame = bytes.len().saturating_add(missing);
                        break;
                    }
                    Scanned::Lifted(push, taken) => {
                        if !may_wait {
                            guard.push(&push);
                        } else if let Err(shared) = guard.push_or_wait(&push) {
                            full = Some(shared);
                            break;
                        }
                        taken
                    }
                    Scanned::Shared(push, taken) => {
                        guard.push(&push);
                        passed.extend_from_slice(&bytes[..taken]);
                        taken
                    }
                    Scanned::Other(taken) => {
                        passed.extend_from_slice(&bytes[..taken]);
                        taken
                    }
                    Scanned::Unknown => {
                        *has_given_up = true;
                        break;
                    }
                };
                *start += taken;
            }
        });
        self.holds_frames = full.is_some();
        if let Some(shared) = full {
            backpressure.begin(shared, dispatcher, now);
        }
        if self.has_given_up {
            self.pass_rest();
            self.end_stream();
        }
    }

    /// Whether the stream was given up: something in it could not be read.
    #[cfg(any(test, all(redis_push_internals, feature = "testing")))]
    pub(super) fn has_given_up(&self) -> bool {
        self.has_given_up
    }

    fn pass_rest(&mut self) {
        self.passed
            .extend_from_slice(&self.buffer[self.start..self.end]);
        self.start = self.end;
    }

    /// Reads more behind what is there.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.make_room();
        let mut room = ReadBuf::new(&mut self.buffer[self.end..]);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room));
        let count = room.filled().len();
        self.end += count;
        if read.is_err() || count == 0 {
            self.end_stream();
        }
        Poll::Ready(read)
    }

    fn end_stream(&mut self) {
        self.has_ended = true;
        self.dispatcher
            .accept(self.generation, &Incoming::Disconnected);
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > 4 * READ {
                self.buffer = vec![0; READ];
            }
        } else if self.start > 0 {
            // Part of one frame is left.
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.end, 0);
        }
    }

    fn give(&mut self, out: &mut ReadBuf<'_>) {
        let ready = &self.passed[self.passed_from..];
        let count = ready.len().min(out.remaining());
        out.put_slice(&ready[..count]);
        self.passed_from += count;
        if self.passed_from == self.passed.len() {
            self.passed.clear();
            self.passed_from = 0;
        }
    }
}

impl<S> Drop for Tap<S> {
    fn drop(&mut self) {
        // A connection that ends in the middle of a wait would let every silence after it pass for
        // one.
        if self.backpressure.is_waiting() {
            self.dispatcher.set_waiting(false);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tap = self.get_mut();
        for _ in 0..READS_AT_ONCE {
            if !tap.passed.is_empty() {
                tap.give(out);
                return Poll::Ready(Ok(()));
            }
            if tap.has_ended {
                // No bytes: the end.
                return Poll::Ready(Ok(()));
            }
            ready!(tap.backpressure.poll(&tap.dispatcher, cx));
            if !tap.holds_frames {
                ready!(tap.poll_fill(cx))?;
            }
            tap.take_frames();
            if tap.has_ended {
                tap.pass_rest();
            }
        }
        if tap.passed.is_empty() && !tap.has_ended {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        tap.give(out);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
