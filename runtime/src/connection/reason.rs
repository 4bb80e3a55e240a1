//! Why a server closes new connections, in its own words.
//!
//! A server that has no room for a client ([`maxclients`]), or protects itself (`protected-mode`),
//! writes its reason as soon as it has accepted the connection, and closes it. The greeting then meets
//! a closed connection, so that "connection reset" may be all that redis-rs reports.
//!
//! So another connection asks, which sends nothing: nothing can be reset on it, and no secret can be
//! in the answer. A server writes no such reason where it expects TLS.
//!
//! [`maxclients`]: https://redis.io/docs/latest/develop/reference/clients/#maximum-concurrent-connected-clients

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use redis::{ConnectionAddr, RedisError};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

use crate::error::Error;
use crate::util::Escaped;

/// How long the server may take. One that has room for a client writes nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// The largest part of the reason that is read.
const LONGEST: usize = 1024;

/// Adds the server's reason to the error of an attempt to connect, if the connection was closed and
/// the server gives a reason for that.
pub(super) async fn with_reason(address: &ConnectionAddr, error: Error) -> Error {
    let closed = std::error::Error::source(&error)
        .and_then(|source| source.downcast_ref::<RedisError>())
        .is_some_and(RedisError::is_connection_dropped);
    if !closed {
        return error;
    }
    match tokio::time::timeout(PATIENCE, ask(address)).await {
        Ok(Ok(Some(reason))) => error.in_words(|_| {
            format!("the server at {address} does not accept the connection: {reason}")
        }),
        _ => error,
    }
}

/// Connects, and returns what the server says on its own before it closes the connection.
async fn ask(address: &ConnectionAddr) -> std::io::Result<Option<String>> {
    match address {
        ConnectionAddr::Tcp(host, port) => {
            listen(TcpStream::connect((host.as_str(), *port)).await?).await
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => listen(tokio::net::UnixStream::connect(path).await?).await,
        _ => Ok(None),
    }
}

async fn listen(mut stream: impl AsyncRead + Unpin) -> std::io::Result<Option<String>> {
    let mut bytes = [0; LONGEST];
    let mut said = ReadBuf::new(&mut bytes);
    while said.remaining() > 0 {
        let before = said.filled().len();
        poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut said)).await?;
        if said.filled().len() == before {
            break;
        }
    }
    Ok(reason_in(said.filled()))
}

/// Returns the text of an error reply, cut at the end of its first sentence or after some bytes.
fn reason_in(said: &[u8]) -> Option<String> {
    let line = said
        .strip_prefix(b"-")?
        .split(|byte| *byte == b'\r')
        .next()?;
    let sentence = line.windows(2).position(|pair| pair == b". ");
    let sentence = &line[..sentence.unwrap_or(line.len())];
    Some(Escaped(sentence).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_first_sentence_of_an_error_reply() {
        for (said, reason) in [
            (
                "-ERR max number of clients reached\r\n",
                Some("ERR max number of clients reached"),
            ),
            (
                "-DENIED Redis is running in protected mode. In this mode ...\r\n",
                Some("DENIED Redis is running in protected mode"),
            ),
            ("-ERR a\x07b", Some("ERR a\\x07b")),
            ("+OK\r\n", None),
            ("", None),
        ] {
            assert_eq!(reason_in(said.as_bytes()).as_deref(), reason);
        }
    }
}
