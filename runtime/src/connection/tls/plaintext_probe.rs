use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// How long a handshake may be met by silence before it is asked why.
const QUIET: Duration = Duration::from_secs(1);

/// Returns when the server turns out to speak plainly where TLS was expected of it.
///
/// A Redis that has no TLS on a port takes the first bytes of a handshake for half a command, and
/// waits for the rest: to the client it looks like a server that hangs. So after a while it is asked
/// for a plain `PING`, on a connection of its own that says nothing else and is then dropped. A
/// server with TLS has no plain answer to that.
pub(super) async fn speaks_plainly(host: &str, port: u16) {
    tokio::time::sleep(QUIET).await;
    if !matches!(ping(host, port).await, Ok(b'+' | b'-')) {
        pending::<()>().await;
    }
}

/// The first byte that a server has to say to a plain `PING`.
async fn ping(host: &str, port: u16) -> io::Result<u8> {
    let stream = TcpStream::connect((host, port)).await?;
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
