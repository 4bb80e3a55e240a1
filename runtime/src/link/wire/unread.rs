//! The buffer between the socket and the scan.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// What was read from the socket and is not scanned yet.
#[derive(Debug)]
pub(super) struct Unread {
    /// `buffer[start..end]` is not scanned yet.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// The size of the buffer, unless a frame is larger.
const READ: usize = 64 * 1024;

impl Unread {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; READ],
            start: 0,
            end: 0,
        }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Removes bytes from the front.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "only what is there can be consumed");
    }

    /// Reads from the socket as much as there is room for, after the bytes that are here. Returns how many bytes
    /// that are: none at the end of the stream.
    pub(super) fn poll_fill(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.make_room();
        let mut room = ReadBuf::new(&mut self.buffer[self.end..]);
        ready!(Pin::new(stream).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Makes room for a read. The buffer grows if one frame fills it, and shrinks again when it is empty.
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
}
