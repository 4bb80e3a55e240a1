//! Finds out whether a port that does not answer a TLS handshake is a plain one.

use std::future::pending;
use std::io;
use std::time::Duration;

use crate::connection::stream::connect_first;

/// How long a handshake may take before the port is probed.
const QUIET: Duration = Duration::from_secs(1);

/// Returns if the server turns out to speak plain text on a port where TLS was expected; never returns
/// otherwise.
///
/// A Redis server without TLS on a port takes the first bytes of a handshake for half a command, and
/// waits for the rest, so to the client it looks like a server that hangs. After a while this therefore
/// sends a plain `PING` over a separate connection, which carries nothing else and is then dropped. A
/// server with TLS has no plain answer to that.
pub(super) async fn speaks_plainly(host: &str, port: u16) {
    tokio::time::sleep(QUIET).await;
    if !matches!(ping(host, port).await, Ok(b'+' | b'-')) {
        pending::<()>().await;
    }
}

/// Sends a plain `PING`, and returns the first byte of the answer.
async fn ping(host: &str, port: u16) -> io::Result<u8> {
    let stream = connect_first(host, port).await?;
    stream.writable().await?;
    stream.try_write(b"PING\r\n")?;
    let mut first = [0];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut first) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(first[0]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
