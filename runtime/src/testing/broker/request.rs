//! Requests as a client sends them: arrays of bulk strings, or a line of words.

use bytes::{Buf, Bytes, BytesMut};

/// The server's limits. A larger request is a protocol error, before any memory is allocated for it.
const MAX_ARGUMENTS: i64 = 1024 * 1024;
const MAX_BULK: i64 = 512 * 1024 * 1024;
const MAX_LINE: usize = 64 * 1024;

/// The limits before a client has authenticated.
const MAX_ARGUMENTS_UNAUTHENTICATED: i64 = 10;
const MAX_BULK_UNAUTHENTICATED: i64 = 16 * 1024;

/// The reason for closing a connection that does not speak the protocol.
#[derive(Debug, PartialEq)]
pub(super) struct ProtocolError(pub(super) String);

impl ProtocolError {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A request parser that keeps its state between reads, so that a request that arrives in many pieces
/// is parsed once.
#[derive(Default)]
pub(super) struct Parser {
    buffer: BytesMut,
    arguments: Vec<Bytes>,
    missing: usize,
    bulk: Option<usize>,
}

impl Parser {
    /// Returns the buffer that the socket is read into.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        self.buffer.reserve(16 * 1024);
        &mut self.buffer
    }

    /// Returns the next complete request, or `None` if more bytes are needed.
    pub(super) fn next(
        &mut self,
        authenticated: bool,
    ) -> Result<Option<Vec<Bytes>>, ProtocolError> {
        while self.missing == 0 {
            match self.buffer.first() {
                None => return Ok(None),
                Some(b'*') => {
                    let Some(line) = self.line("too big mbulk count string")? else {
                        return Ok(None);
                    };
                    let count = integer(&line[1..])
                        .filter(|count| *count <= i64::from(i32::MAX))
                        .filter(|count| *count <= MAX_ARGUMENTS)
                        .ok_or_else(|| ProtocolError::new("invalid multibulk length"))?;
                    if !authenticated && count > MAX_ARGUMENTS_UNAUTHENTICATED {
                        return Err(ProtocolError::new("unauthenticated multibulk length"));
                    }
                    // Nothing is reserved for the announced count: it may be wrong.
                    self.missing = usize::try_from(count).unwrap_or(0);
                }
                Some(_) => {
                    let Some(line) = self.line("too big inline request")? else {
                        return Ok(None);
                    };
                    let words = words(&line)
                        .ok_or_else(|| ProtocolError::new("unbalanced quotes in request"))?;
                    if !words.is_empty() {
                        return Ok(Some(words));
                    }
                }
            }
        }
        while self.missing > 0 {
            let Some(argument) = self.argument(authenticated)? else {
                return Ok(None);
            };
            self.arguments.push(argument);
            self.missing -= 1;
        }
        Ok(Some(std::mem::take(&mut self.arguments)))
    }

    fn argument(&mut self, authenticated: bool) -> Result<Option<Bytes>, ProtocolError> {
        let length = match self.bulk {
            Some(length) => length,
            None => {
                let Some(line) = self.line("too big bulk count string")? else {
                    return Ok(None);
                };
                if line.first() != Some(&b'$') {
                    let got = char::from(line.first().copied().unwrap_or(b'\r'));
                    return Err(ProtocolError::new(format!("expected '$', got '{got}'")));
                }
                let length = integer(&line[1..])
                    .filter(|length| (0..=MAX_BULK).contains(length))
                    .ok_or_else(|| ProtocolError::new("invalid bulk length"))?;
                if !authenticated && length > MAX_BULK_UNAUTHENTICATED {
                    return Err(ProtocolError::new("unauthenticated bulk length"));
                }
                *self.bulk.insert(usize::try_from(length).unwrap_or(0))
            }
        };
        if self.buffer.len() < length + 2 {
            return Ok(None);
        }
        let argument = self.buffer.split_to(length).freeze();
        if !self.buffer.starts_with(b"\r\n") {
            return Err(ProtocolError::new("invalid CRLF in request"));
        }
        self.buffer.advance(2);
        self.bulk = None;
        Ok(Some(argument))
    }

    /// Returns the next line without its line end.
    fn line(&mut self, too_long: &str) -> Result<Option<Bytes>, ProtocolError> {
        let searched = self.buffer.len().min(MAX_LINE + 1);
        let Some(end) = self.buffer[..searched]
            .iter()
            .position(|byte| *byte == b'\n')
        else {
            return if self.buffer.len() > MAX_LINE {
                Err(ProtocolError::new(too_long))
            } else {
                Ok(None)
            };
        };
        let mut line = self.buffer.split_to(end + 1).freeze();
        line.truncate(end - usize::from(end > 0 && line[end - 1] == b'\r'));
        Ok(Some(line))
    }
}

/// Parses a decimal number as the server does: digits and a minus, nothing else.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let text = str::from_utf8(text).ok()?;
    if text.starts_with('+') || text.len() > 1 && text.trim_start_matches('-').starts_with('0') {
        return None;
    }
    text.parse().ok()
}

/// Returns the words of an inline request; `None` if a quote is left open.
fn words(line: &[u8]) -> Option<Vec<Bytes>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let mut word = Vec::new();
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            match byte {
                b'"' | b'\'' => loop {
                    let (&inside, tail) = rest.split_first()?;
                    rest = tail;
                    match inside {
                        b'\\' if byte == b'"' || tail.first() == Some(&b'\'') => {
                            let (&escaped, tail) = tail.split_first()?;
                            rest = tail;
                            word.push(match escaped {
                                b'n' if byte == b'"' => b'\n',
                                b'r' if byte == b'"' => b'\r',
                                b't' if byte == b'"' => b'\t',
                                other => other,
                            });
                        }
                        end if end == byte => break,
                        other => word.push(other),
                    }
                },
                space if space.is_ascii_whitespace() => break,
                other => word.push(other),
            }
        }
        words.push(word.into());
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_may_arrive_byte_by_byte() {
        let mut parser = Parser::default();
        let mut requests = Vec::new();
        for byte in b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n*-1\r\nPING 'a b'\r\n" {
            parser.buffer().extend_from_slice(&[*byte]);
            requests.extend(parser.next(true).unwrap());
        }
        assert_eq!(requests, [vec!["GET", ""], vec!["PING", "a b"]]);
    }

    #[test]
    fn a_request_that_is_too_large_is_refused_before_it_is_stored() {
        for (bytes, reason) in [
            ("*1048577\r\n", "invalid multibulk length"),
            ("*1\r\n$536870913\r\n", "invalid bulk length"),
            ("*1\r\n$-1\r\n", "invalid bulk length"),
            ("*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        ] {
            let mut parser = Parser::default();
            parser.buffer().extend_from_slice(bytes.as_bytes());
            assert_eq!(
                parser.next(true),
                Err(ProtocolError::new(reason)),
                "{bytes:?}"
            );
        }
        let mut parser = Parser::default();
        parser.buffer().extend_from_slice(&[b'x'; MAX_LINE + 1]);
        assert_eq!(
            parser.next(true),
            Err(ProtocolError::new("too big inline request"))
        );
    }
}
