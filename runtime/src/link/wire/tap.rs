use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::backpressure::Backpressure;
use super::scan::{Scanned, scan};
use crate::connection::Awaited;
use crate::dispatch::Dispatcher;
use crate::push::{Generation, Incoming};
use crate::util::clock;

/// A stream that removes pushes from what the server sends, and passes the rest on.
///
/// redis-rs reads from it as from the socket, and never sees a message. Both the dispatcher and
/// redis-rs get the confirmations: the dispatcher in their place among the messages, redis-rs as
/// replies.
pub(super) struct Tap<S> {
    stream: S,
    dispatcher: Arc<Dispatcher>,
    generation: Generation,
    /// `buffer[start..end]` was read and is not scanned yet.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The minimum length of the frame at the front of the buffer. The buffer is not scanned before
    /// that many bytes are there.
    min_frame: usize,
    /// `passed[passed_from..]` waits to be read by redis-rs.
    passed: Vec<u8>,
    passed_from: usize,
    backpressure: Backpressure,
    /// The confirmations that redis-rs waits for. If `None`, it gets all.
    awaited: Option<Awaited>,
    /// Whether the buffer holds complete frames that wait for room in a broadcast channel.
    holds_frames: bool,
    has_ended: bool,
    /// Whether invalid RESP3 was received. redis-rs still reads it, and may report what is wrong; then
    /// the stream ends. If redis-rs read on, it could answer commands while messages are lost unseen.
    is_unreadable: bool,
}

/// The size of the buffer, unless a frame is larger.
const READ: usize = 64 * 1024;

/// How often the socket is read before other tasks get a turn.
const READS_AT_ONCE: usize = 4;

impl<S: AsyncRead + Unpin> Tap<S> {
    pub(super) fn new(
        stream: S,
        dispatcher: Arc<Dispatcher>,
        generation: Generation,
        backpressure: Backpressure,
    ) -> Self {
        Self {
            stream,
            dispatcher,
            generation,
            buffer: vec![0; READ],
            start: 0,
            end: 0,
            min_frame: 0,
            passed: Vec::new(),
            passed_from: 0,
            backpressure,
            awaited: None,
            holds_frames: false,
            has_ended: false,
            is_unreadable: false,
        }
    }

    /// Passes a confirmation to redis-rs only if it is awaited.
    pub(super) fn passing_only(mut self, awaited: Awaited) -> Self {
        self.awaited = Some(awaited);
        self
    }

    /// Scans the complete frames in the buffer under one lock of the dispatcher, and stops at a message
    /// for a broadcast channel that the link should wait for.
    fn scan_buffer(&mut self) {
        if self.end - self.start < self.min_frame {
            return;
        }
        let Self {
            dispatcher,
            buffer,
            start,
            end,
            min_frame,
            passed,
            is_unreadable,
            backpressure,
            awaited,
            ..
        } = self;
        let now = clock::now();
        let may_wait = backpressure.may_wait(now);
        let mut full = None;
        *min_frame = 0;
        dispatcher.dispatch(self.generation, |guard| {
            while start < end {
                let bytes = &buffer[*start..*end];
                let length = match scan(bytes) {
                    Scanned::Incomplete(missing) => {
                        *min_frame = bytes.len().saturating_add(missing);
                        break;
                    }
                    Scanned::Lifted(push, length) => {
                        if !may_wait {
                            guard.push(&push);
                        } else if let Err(shared) = guard.push_or_wait(&push) {
                            full = Some(shared);
                            break;
                        }
                        length
                    }
                    Scanned::Shared(push, length) => {
                        guard.push(&push);
                        if awaited.as_ref().is_none_or(|awaited| awaited.passes(&push)) {
                            passed.extend_from_slice(&bytes[..length]);
                        }
                        length
                    }
                    Scanned::Other(length) => {
                        passed.extend_from_slice(&bytes[..length]);
                        length
                    }
                    Scanned::Unknown => {
                        *is_unreadable = true;
                        break;
                    }
                };
                *start += length;
            }
        });
        self.holds_frames = full.is_some();
        if let Some(shared) = full {
            backpressure.begin(shared, dispatcher, now);
        }
        if self.is_unreadable {
            self.pass_rest();
            self.end_stream();
        }
    }

    /// Whether the stream was ended because of invalid RESP3.
    #[cfg(any(test, all(redis_push_internals, feature = "testing")))]
    pub(super) fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// Passes the rest of the buffer to redis-rs, without a scan.
    fn pass_rest(&mut self) {
        self.passed
            .extend_from_slice(&self.buffer[self.start..self.end]);
        self.start = self.end;
    }

    /// Reads from the socket into the buffer, after the bytes that are there.
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

    /// Ends the stream, and notifies the dispatcher.
    fn end_stream(&mut self) {
        self.has_ended = true;
        self.dispatcher
            .accept(self.generation, &Incoming::Disconnected);
    }

    /// Makes room in the buffer for a read. The buffer grows if one frame fills it, and shrinks again
    /// when it is empty.
    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > 4 * READ {
                self.buffer = vec![0; READ];
            }
        } else if self.start > 0 {
            // A part of one frame is left.
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.end, 0);
        }
    }

    /// Copies the passed bytes to redis-rs, as far as it has room.
    fn copy_passed(&mut self, out: &mut ReadBuf<'_>) {
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
        // If the connection ended during a wait and the flag stayed set, any silence of the next
        // connection would pass for a wait.
        if self.backpressure.is_waiting() {
            let node = self.generation.node();
            self.dispatcher.set_waiting(node, false);
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
                tap.copy_passed(out);
                return Poll::Ready(Ok(()));
            }
            if tap.has_ended {
                // A read without bytes is the end of the stream.
                return Poll::Ready(Ok(()));
            }
            ready!(tap.backpressure.poll(&tap.dispatcher, cx));
            if !tap.holds_frames {
                ready!(tap.poll_fill(cx))?;
            }
            tap.scan_buffer();
            if tap.has_ended {
                tap.pass_rest();
            }
        }
        if tap.passed.is_empty() && !tap.has_ended {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        tap.copy_passed(out);
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
