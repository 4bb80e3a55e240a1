use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, PushInfo};

use super::connection::{Connection, refused};
use super::convert::incoming;
use crate::error::Error;
use crate::feed::Feed;
use crate::raw::Incoming;

/// The default link: one `ConnectionManager` for each generation, with the feed as its push
/// sender.
///
/// The manager's own way back is not used. Its retries end after a few seconds and leave an idle
/// subscriber deaf; its automatic resubscription miscounts replies, and lets one denied name
/// silence the others; and while it replaces a connection two of them may feed one sender. So it
/// gets no retries, what it pushes carries its generation, and the supervisor drops it when its
/// connection ends.
pub(crate) struct Manager {
    client: Client,
}

impl Manager {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) async fn connect(
        &self,
        generation: u64,
        feed: &Arc<Feed>,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(timeout))
            // The supervisor has timeouts of its own; one here would fail a command and leave the
            // connection as it is.
            .set_response_timeout(None)
            .set_push_sender(sender(generation, Arc::clone(feed)));
        // `connection_timeout` ends with the TCP and TLS handshakes on some paths; the greeting
        // of a server that hangs must not take longer either.
        let connecting = ConnectionManager::new_with_config(self.client.clone(), config);
        let address = self.client.get_connection_info().addr();
        match tokio::time::timeout(timeout, connecting).await {
            Ok(Ok(manager)) => Ok(Connection::own(manager)),
            Ok(Err(error)) => Err(refused(address, error)),
            Err(_) => Err(Error::connection(format!(
                "the server at {address} did not answer within {timeout:?}"
            ))),
        }
    }
}

/// The push sender of one generation.
fn sender(
    generation: u64,
    feed: Arc<Feed>,
) -> impl Fn(PushInfo) -> Result<(), &'static str> + Send + Sync + 'static {
    move |push| {
        // A panic in a push sender would end the manager's forwarding task for good: commands
        // would go on, pushes and the notice of a disconnection would not.
        let taken = catch_unwind(AssertUnwindSafe(|| {
            feed.accept(generation, &incoming(&push));
        }));
        if taken.is_err() {
            tracing::error!(target: "redis_push", "the feed panicked; the connection is given up and built anew");
            feed.accept(generation, &Incoming::Disconnected);
        }
        Ok(())
    }
}
