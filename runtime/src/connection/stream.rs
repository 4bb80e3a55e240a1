//! Byte streams to a server, and the options of TCP sockets.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A byte stream to a server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Opens a TCP stream with the options of [`tcp_settings`].
pub(super) async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = connect_first(host, port).await?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&keepalive())?;
    Ok(stream)
}

/// Opens a TCP stream to the first address of a host that answers.
pub(super) async fn connect_first(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = tokio::net::lookup_host((host, port)).await?;
    race(alternating(addresses)).await
}

/// How long an address may stay silent before the next one is tried as well: the recommendation of
/// RFC 8305, section 5.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Orders addresses so that the two families take turns, beginning with the family of the first one
/// (RFC 8305, section 4).
fn alternating(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let addresses: Vec<_> = addresses.collect();
    let is_first = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == is_first);
    let mut second = second.into_iter();
    let mut ordered = Vec::new();
    for address in first {
        ordered.push(address);
        ordered.extend(second.next());
    }
    ordered.extend(second);
    ordered
}

/// Connects to each address in turn, and to the next one as soon as one fails or is silent for
/// [`ATTEMPT_DELAY`]. The first connection wins, and the other attempts end.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut addresses = addresses.into_iter();
    let mut problem = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    loop {
        let next = addresses.next();
        let is_last = next.is_none();
        if let Some(address) = next {
            attempts.spawn(TcpStream::connect(address));
        }
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => problem = error,
                Some(Err(_)) => {}
                None => return Err(problem),
            },
            () = sleep(ATTEMPT_DELAY), if !is_last => {}
        }
    }
}

/// Returns the same options for a socket that redis-rs opens.
pub(super) fn tcp_settings() -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive())
}

fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::timeout;

    use super::*;

    /// Returns a listener whose queue is full, so that it drops the packets of further attempts, and
    /// the connections that fill it.
    async fn silent() -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut fillers = Vec::new();
        while let Ok(stream) =
            timeout(Duration::from_millis(200), TcpStream::connect(address)).await
        {
            fillers.push(stream.unwrap());
        }
        (listener, fillers)
    }

    async fn open() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn an_address_that_drops_packets_does_not_keep_from_the_next_one() {
        let (silent, _fillers) = silent().await;
        let (_listener, address) = open().await;
        let racing = race(vec![silent.local_addr().unwrap(), address]);
        let bound = Duration::from_secs(20);
        let stream = timeout(bound, racing).await.expect("a connection in time");
        assert_eq!(stream.unwrap().peer_addr().unwrap(), address);
    }

    #[tokio::test]
    async fn a_refused_address_leads_to_the_next_one_at_once_and_the_last_error_is_returned() {
        let (listener, refused) = open().await;
        drop(listener);
        let (_listener, address) = open().await;
        let stream = race(vec![refused, address]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        let error = race(vec![refused, refused]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = race(Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_families_of_addresses_take_turns() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let given = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(address);
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(address);
        assert_eq!(alternating(given.into_iter()), expected);
        let expected = ["1.1.1.1:1", "[::1]:1", "[::2]:1", "[::3]:1"].map(address);
        let given = [given[3], given[0], given[1], given[2]];
        assert_eq!(alternating(given.into_iter()), expected);
    }
}
