//! One connection through the proxy: forwards bytes and applies the faults to them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use redis::io::tcp::socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use super::{Faults, Way};

/// One client's connection through the proxy.
pub(super) struct Connection {
    client: TcpStream,
    server: SocketAddr,
    faults: watch::Receiver<Faults>,
    /// The faults as they were when the connection was accepted.
    before: Faults,
}

/// How a connection ended.
enum End {
    /// One side closed the connection, so the other side is closed too.
    Closed,
    /// The connection is reset.
    Reset,
    /// The server's side is closed, and the client's side stays open.
    Forgotten,
}

impl Connection {
    pub(super) fn new(
        client: TcpStream,
        server: SocketAddr,
        faults: watch::Receiver<Faults>,
    ) -> Self {
        let before = faults.borrow().clone();
        Self {
            client,
            server,
            faults,
            before,
        }
    }

    pub(super) async fn run(mut self) {
        let end = match self.before.answer {
            _ if self.before.refuses => End::Reset,
            Some(line) => self.answer(line).await,
            None => self.forward().await,
        };
        match end {
            End::Closed => {}
            End::Reset => reset(&self.client),
            End::Forgotten => self.keep_silent().await,
        }
    }

    async fn forward(&mut self) -> End {
        let Ok(mut server) = connect(self.server).await else {
            return End::Reset;
        };
        for stream in [&self.client, &server] {
            let _ = stream.set_nodelay(true);
        }
        let (from_client, to_client) = self.client.split();
        let (from_server, to_server) = server.split();
        let Faults {
            resets, forgotten, ..
        } = self.before;
        let mut faults = self.faults.clone();
        let before = self.before.clone();
        tokio::select! {
            end = pump(from_client, to_server, Way::ToServer, before.clone(), self.faults.clone()) => end,
            end = pump(from_server, to_client, Way::ToClient, before, self.faults.clone()) => end,
            Ok(now) = faults.wait_for(|now| now.resets > resets || now.forgotten > forgotten) => {
                if now.resets > resets { End::Reset } else { End::Forgotten }
            }
        }
    }

    /// Answers instead of the server until that is switched off.
    async fn answer(&mut self, line: &'static str) -> End {
        let mut faults = self.faults.clone();
        let answering = async {
            let mut buffer = vec![0; 4096];
            loop {
                let count = self.client.read(&mut buffer).await?;
                if count == 0 {
                    return Ok::<_, io::Error>(());
                }
                for _ in 0..commands(&buffer[..count]) {
                    self.client.write_all(line.as_bytes()).await?;
                    self.client.write_all(b"\r\n").await?;
                }
            }
        };
        tokio::select! {
            _ = answering => {}
            _ = faults.wait_for(|now| now.answer != Some(line)) => {}
        }
        End::Closed
    }

    /// Reads and drops what the client sends, until the client closes or a reset is injected.
    async fn keep_silent(mut self) {
        let mut buffer = vec![0; 4096];
        let resets = self.before.resets;
        let mut faults = self.faults.clone();
        tokio::select! {
            () = async { while let Ok(1..) = self.client.read(&mut buffer).await {} } => {}
            _ = faults.wait_for(|now| now.resets > resets) => {}
        }
    }
}

/// Connects to the server with a receive buffer of a fixed size. The system would let it grow to
/// tens of megabytes, and then a server would never notice that the client does not read.
async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = match server {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_recv_buffer_size(256 * 1024)?;
    socket.connect(server).await
}

/// Forwards one direction until the end of the stream, or until it is cut. The faults `before` do not
/// concern it.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    mut before: Faults,
    mut faults: watch::Receiver<Faults>,
) -> End {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        // Bytes that are not read wait in the socket, and so does the end of the connection.
        if faults.wait_for(|now| !now.has_hole(way)).await.is_err() {
            return End::Closed;
        }
        let count = tokio::select! {
            biased;
            _ = faults.wait_for(|now| now.has_hole(way)) => continue,
            read = from.read(&mut buffer) => match read {
                Ok(0) => return End::Closed,
                Ok(count) => count,
                Err(_) => return End::Reset,
            },
        };
        let now = faults.borrow().clone();
        if now.delay > Duration::ZERO {
            tokio::time::sleep(now.delay).await;
        }
        let bytes = &buffer[..count];
        if way == Way::ToClient && now.injections > before.injections {
            before.injections = now.injections;
            if to.write_all(now.injected).await.is_err() {
                return End::Reset;
            }
        }
        if way == Way::ToClient && now.cuts > before.cuts {
            let _ = to.write_all(&bytes[..place(bytes, now.cut_at)]).await;
            let _ = to.flush().await;
            return End::Reset;
        }
        let chunk = if now.chunk == 0 { count } else { now.chunk };
        for piece in bytes.chunks(chunk) {
            if to.write_all(piece).await.is_err() {
                return End::Reset;
            }
            tokio::task::consume_budget().await;
        }
    }
}

/// Where to cut the bytes: at about the fraction `at`, and never between two frames.
fn place(bytes: &[u8], at: f64) -> usize {
    let ends_frame = |place: usize| {
        let next = bytes.get(place).copied().unwrap_or(b'>');
        bytes[..place].ends_with(b"\r\n") && matches!(next, b'>' | b'+' | b'-' | b'|')
    };
    let wanted = (bytes.len() as f64 * at) as usize;
    let place = wanted.clamp(1, bytes.len());
    if ends_frame(place) { place - 1 } else { place }
}

/// How many commands begin in these bytes of a client.
fn commands(bytes: &[u8]) -> usize {
    let first = usize::from(bytes.starts_with(b"*"));
    first + bytes.windows(3).filter(|part| part == b"\r\n*").count()
}

/// Makes the socket send a reset on close, and drop what it still holds.
fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_never_between_two_frames() {
        let frame = b">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n1\r\n";
        let bytes = frame.repeat(3);
        for step in 0..=1000 {
            let place = place(&bytes, f64::from(step) / 1000.0);
            assert!(place > 0 && !place.is_multiple_of(frame.len()), "{place}");
        }
    }

    #[test]
    fn pipelined_commands_are_counted() {
        assert_eq!(commands(b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n"), 2);
    }
}
