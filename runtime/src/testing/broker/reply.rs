//! Replies and pushes as the server writes them, in either protocol.

use bytes::{BufMut, BytesMut};

use super::double;

/// The protocol that a client chose with HELLO.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Resp2,
    Resp3,
}

/// An encoder of one client's frames.
pub(super) struct Frames {
    pub(super) protocol: Protocol,
    pub(super) bytes: BytesMut,
}

impl Frames {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            bytes: BytesMut::new(),
        }
    }

    pub(super) fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// Writes an error. Line ends become spaces, because the text may contain bytes of a client.
    pub(super) fn error(&mut self, text: impl AsRef<[u8]>) {
        let text: Vec<u8> = text
            .as_ref()
            .iter()
            .map(|byte| {
                if matches!(byte, b'\r' | b'\n') {
                    b' '
                } else {
                    *byte
                }
            })
            .collect();
        self.line(b'-', &text);
    }

    pub(super) fn integer(&mut self, number: i64) {
        self.line(b':', number.to_string().as_bytes());
    }

    pub(super) fn count(&mut self, count: usize) {
        self.integer(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn bulk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.header(b'$', bytes.len());
        self.bytes.put_slice(bytes);
        self.bytes.put_slice(b"\r\n");
    }

    /// Writes plain text that is meant to be read; RESP2 has no type for it and uses a bulk string.
    pub(super) fn text(&mut self, text: &str) {
        if self.protocol == Protocol::Resp2 {
            return self.bulk(text);
        }
        self.header(b'=', text.len() + 4);
        self.bytes.put_slice(b"txt:");
        self.bytes.put_slice(text.as_bytes());
        self.bytes.put_slice(b"\r\n");
    }

    pub(super) fn null(&mut self) {
        self.bytes.put_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Writes the null of a reply that is an array otherwise; RESP3 has only one null.
    pub(super) fn null_array(&mut self) {
        self.bytes.put_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Writes a floating-point number; RESP2 has none and uses its text.
    pub(super) fn double(&mut self, number: f64) {
        let text = double::format(number);
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => self.line(b',', text.as_bytes()),
        }
    }

    pub(super) fn array(&mut self, length: usize) {
        self.header(b'*', length);
    }

    /// Writes a bulk string, or null.
    pub(super) fn bulk_or_null(&mut self, bytes: Option<impl AsRef<[u8]>>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// Writes the header of a set; RESP2 has no sets and uses an array.
    pub(super) fn set(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', length),
            Protocol::Resp3 => self.header(b'~', length),
        }
    }

    /// Writes the header of a map of `length` pairs; RESP2 has no maps and uses a flat array.
    pub(super) fn map(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', length * 2),
            Protocol::Resp3 => self.header(b'%', length),
        }
    }

    /// Writes the header of a push; in RESP2 it looks like any array.
    pub(super) fn push(&mut self, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', length),
            Protocol::Resp3 => self.header(b'>', length),
        }
    }

    fn header(&mut self, kind: u8, length: usize) {
        // Called a few times for each message: digits are written without a `String`.
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = length;
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.line(kind, &digits[start..]);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.bytes.put_u8(kind);
        self.bytes.put_slice(text);
        self.bytes.put_slice(b"\r\n");
    }
}
