//! The link that reads the socket itself.

mod patience;
mod scan;
mod tap;

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, RedisError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::client::keepalive;
use super::connection::{Connection, refused};
use crate::error::Error;
use crate::feed::Feed;
use patience::Patience;
use tap::Tap;

/// A connection of redis-rs over a stream of ours, which lifts the pushes out before redis-rs
/// parses them.
///
/// redis-rs still does the greeting and the commands. What it no longer does is build a value for
/// each part of each message and hand it through a queue.
pub(crate) struct Wire {
    client: Client,
    /// For how much of each second an idle handler may wait for a busy one's full ring.
    wait: Duration,
}

/// What a connection is made of.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

impl Wire {
    /// # Errors
    ///
    /// When the address is of a kind that this link cannot reach.
    pub(super) fn new(client: Client, wait: Duration) -> Result<Self, Error> {
        match client.get_connection_info().addr() {
            ConnectionAddr::Tcp(..) => Ok(Self { client, wait }),
            #[cfg(unix)]
            ConnectionAddr::Unix(_) => Ok(Self { client, wait }),
            address => Err(Error::config(format!(
                "the wire link cannot reach {address}: it speaks TCP and unix sockets; leave out \
                 `wire()` for TLS"
            ))),
        }
    }

    pub(super) async fn connect(
        &self,
        generation: u64,
        feed: &Arc<Feed>,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let address = self.client.get_connection_info().addr();
        let connecting = self.open(generation, Arc::clone(feed));
        match tokio::time::timeout(timeout, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(refused(address, error)),
            Err(_) => Err(Error::connection(format!(
                "the server at {address} did not answer within {timeout:?}"
            ))),
        }
    }

    async fn open(&self, generation: u64, feed: Arc<Feed>) -> Result<Connection, RedisError> {
        match self.client.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                let socket = redis::io::tcp::socket2::SockRef::from(&stream);
                socket.set_tcp_keepalive(&keepalive())?;
                self.greet(stream, feed, generation).await
            }
            #[cfg(unix)]
            ConnectionAddr::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await?;
                self.greet(stream, feed, generation).await
            }
            _ => unreachable!("`new` has refused every other kind of address"),
        }
    }

    /// Lets redis-rs greet the server and drive the connection.
    async fn greet(
        &self,
        stream: impl Stream,
        feed: Arc<Feed>,
        generation: u64,
    ) -> Result<Connection, RedisError> {
        let patience = Patience::new(self.wait);
        let tap = Tap::new(stream, Arc::clone(&feed), generation, patience);
        let settings = self.client.get_connection_info().redis_settings();
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(settings, tap, config).await?;
        let end = End { feed, generation };
        let driver = tokio::spawn(async move {
            driver.await;
            drop(end);
        });
        Ok(Connection::wire(connection, driver))
    }
}

/// Tells the feed that the connection has ended, in whatever way its driver did.
struct End {
    feed: Arc<Feed>,
    generation: u64,
}

impl Drop for End {
    fn drop(&mut self) {
        self.feed.disconnected(self.generation);
    }
}

/// The push that stands at the front of some bytes, and how long it is.
#[cfg(feature = "__fuzz")]
pub(crate) fn scanned(bytes: &[u8]) -> Option<(crate::raw::RawPush, usize)> {
    match scan::scan(bytes) {
        scan::Scanned::Lifted(push, taken) | scan::Scanned::Shared(push, taken) => {
            Some((push.to_raw(), taken))
        }
        _ => None,
    }
}

#[cfg(any(test, feature = "__fuzz"))]
pub(crate) mod differential;
#[cfg(test)]
mod tests;
