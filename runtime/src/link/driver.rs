use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite};

use super::fault::Fault;
use crate::connection::Connection;
use crate::dispatch::Feed;

/// Lets redis-rs greet the server over a stream, and drives the connection while somebody holds
/// it.
pub(super) async fn greet(
    greeting: &RedisConnectionInfo,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    config: AsyncConnectionConfig,
    feed: Arc<Feed>,
    generation: u64,
    fault: &Fault,
) -> RedisResult<Connection> {
    // The supervisor has timeouts of its own.
    let config = config.set_response_timeout(None);
    let (connection, driver) =
        MultiplexedConnection::new_with_config(greeting, stream, config).await?;
    let end = End { feed, generation };
    let driver = tokio::spawn(async move {
        driver.await;
        drop(end);
    });
    fault.drives(driver.abort_handle());
    Ok(Connection::driven(connection, driver))
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
