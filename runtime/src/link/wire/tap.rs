use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::backpressure::Backpressure;
use super::scan::{Scanned, scan};
use super::unread::Unread;
use crate::broadcast::Shared;
use crate::connection::Awaited;
use crate::dispatch::{DispatchGuard, Dispatcher};
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
    unread: Unread,
    /// The minimum length of the frame at the front of what is unread, which is not scanned before that many
    /// bytes are there.
    min_frame: usize,
    /// `passed[passed_from..]` waits to be read by redis-rs.
    passed: Vec<u8>,
    passed_from: usize,
    backpressure: Backpressure,
    /// How often the socket may be read in one intake.
    reads_of_an_intake: usize,
    /// How many broadcast channels have received something in the last intake.
    channels: usize,
    /// The confirmations that redis-rs waits for. If `None`, it gets all.
    awaited: Option<Awaited>,
    /// Whether complete frames are unread that wait for room in a broadcast channel.
    holds_frames: bool,
    has_ended: bool,
    /// Whether invalid RESP3 was received. redis-rs still reads it, and may report what is wrong; then
    /// the stream ends. If redis-rs read on, it could answer commands while messages are lost unseen.
    is_unreadable: bool,
}

/// After this many reads for each broadcast channel that has received something, other tasks get a turn: the buffer of
/// one busy channel should not fill up only because its handler had none.
const READS_OF_A_CHANNEL: usize = 4;

/// After this many reads, other tasks get a turn in any case. The last intake may have read more.
const READS_AT_ONCE: usize = 16;

/// How often the socket is read in one intake of the dispatcher, as long as there are few messages for each
/// broadcast channel. More messages cost less each, and fewer leave more for readers on other threads to do.
const READS_OF_AN_INTAKE: usize = 16;

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
            unread: Unread::new(),
            min_frame: 0,
            passed: Vec::new(),
            passed_from: 0,
            backpressure,
            reads_of_an_intake: READS_OF_AN_INTAKE,
            channels: 0,
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

    /// Reads the stream only while the dispatcher is not locked: its reads take long, because they decrypt.
    pub(super) fn reading_unlocked(mut self) -> Self {
        self.reads_of_an_intake = 1;
        self
    }

    /// Passes what is unread on, under one lock of the dispatcher, and stops at a message for a broadcast channel
    /// that the link should wait for. Reads more if that is worth while. Returns how often it has read.
    fn take_in(&mut self, cx: &mut Context<'_>) -> io::Result<usize> {
        if self.unread.bytes().len() < self.min_frame {
            return Ok(0);
        }
        let dispatcher = Arc::clone(&self.dispatcher);
        let now = clock::now();
        let may_wait = self.backpressure.may_wait(now);
        let mut full = None;
        let mut reads = 0;
        let mut read = Ok(());
        dispatcher.dispatch(self.generation, |guard| {
            loop {
                full = self.scan_unread(guard, may_wait);
                self.channels = guard.channels();
                let is_done = full.is_some() || self.is_unreadable || !self.passed.is_empty();
                if is_done || reads + 1 == self.reads_of_an_intake || !guard.is_worth_more() {
                    return;
                }
                match self.unread.poll_fill(&mut self.stream, cx) {
                    Poll::Ready(Ok(count)) if count > 0 => {
                        reads += 1;
                        guard.has_read_more();
                    }
                    Poll::Ready(end) => {
                        self.has_ended = true;
                        read = end.map(drop);
                        return;
                    }
                    Poll::Pending => return,
                }
            }
        });
        self.holds_frames = full.is_some();
        if let Some(shared) = full {
            self.backpressure.begin(shared, &dispatcher, now);
        }
        if self.is_unreadable {
            self.pass_rest();
        }
        if self.is_unreadable || self.has_ended {
            self.end_stream();
        }
        read.map(|()| reads)
    }

    /// Passes the complete frames on that are unread. Returns the broadcast channel that the link should wait for,
    /// if the next message is for such a one.
    fn scan_unread(
        &mut self,
        guard: &mut DispatchGuard<'_>,
        may_wait: bool,
    ) -> Option<Arc<Shared>> {
        if self.unread.bytes().len() < self.min_frame {
            return None;
        }
        self.min_frame = 0;
        loop {
            let bytes = self.unread.bytes();
            if bytes.is_empty() {
                return None;
            }
            let length = match scan(bytes) {
                Scanned::Incomplete(missing) => {
                    self.min_frame = bytes.len().saturating_add(missing);
                    return None;
                }
                Scanned::Lifted(push, length) => {
                    if !may_wait {
                        guard.push(&push);
                    } else if let Err(shared) = guard.push_or_wait(&push) {
                        return Some(shared);
                    }
                    length
                }
                Scanned::Shared(push, length) => {
                    guard.push(&push);
                    let awaited = self.awaited.as_ref();
                    if awaited.is_none_or(|awaited| awaited.passes(&push)) {
                        self.passed.extend_from_slice(&bytes[..length]);
                    }
                    length
                }
                Scanned::Other(length) => {
                    self.passed.extend_from_slice(&bytes[..length]);
                    length
                }
                Scanned::Unknown => {
                    self.is_unreadable = true;
                    return None;
                }
            };
            self.unread.consume(length);
        }
    }

    /// Returns how often the socket may be read before other tasks get a turn.
    fn reads_at_once(&self) -> usize {
        (READS_OF_A_CHANNEL * self.channels.max(1)).min(READS_AT_ONCE)
    }

    /// Whether the stream was ended because of invalid RESP3.
    #[cfg(any(test, all(redis_push_internals, feature = "testing")))]
    pub(super) fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// Passes the rest of what is unread to redis-rs, without a scan.
    fn pass_rest(&mut self) {
        let rest = self.unread.bytes();
        self.passed.extend_from_slice(rest);
        self.unread.consume(rest.len());
    }

    /// Reads from the socket.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let read = ready!(self.unread.poll_fill(&mut self.stream, cx));
        if !matches!(read, Ok(count) if count > 0) {
            self.end_stream();
        }
        Poll::Ready(read.map(drop))
    }

    /// Ends the stream, and notifies the dispatcher.
    fn end_stream(&mut self) {
        self.has_ended = true;
        self.dispatcher
            .accept(self.generation, &Incoming::Disconnected);
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
        let mut reads = 0;
        while reads < tap.reads_at_once() {
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
            reads += 1 + tap.take_in(cx)?;
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
