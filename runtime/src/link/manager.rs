use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncConnectionConfig, ConnectionAddr, PushInfo, RedisConnectionInfo};

use super::driver::greet;
use super::fault::Fault;
use super::push_info::incoming;
use crate::connection::{Connection, Server, tls};
use crate::dispatch::Feed;
use crate::error::Error;
use crate::push::Incoming;
use crate::util::caught;

/// The default link: one `ConnectionManager` for each generation, with the feed as its push
/// sender.
///
/// The manager's own way back is not used. Its retries end after a few seconds and leave an idle
/// subscriber deaf; its automatic resubscription miscounts replies, and lets one denied name
/// silence the others; and while it replaces a connection two of them may feed one sender. So it
/// gets no retries, what it pushes carries its generation, and the supervisor drops it when its
/// connection ends.
///
/// A manager opens its own socket, so over [TLS of ours](tls) it is what stands behind one, a
/// `MultiplexedConnection`, that the feed is the push sender of.
pub(crate) struct Manager {
    server: Arc<Server>,
    fault: Arc<Fault>,
}

impl Manager {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        let fault = Arc::default();
        Self { server, fault }
    }

    #[cfg(feature = "testing")]
    pub(super) fn fault(&self) -> Arc<Fault> {
        Arc::clone(&self.fault)
    }

    pub(super) async fn connect(
        &self,
        generation: u64,
        feed: &Arc<Feed>,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let greeting = self.server.greeting(timeout).await?;
        let feed = Arc::clone(feed);
        let connecting = async {
            match self.server.tls() {
                None => self.manage(&greeting, generation, feed, timeout).await,
                Some(_) => self.secure(&greeting, generation, feed).await,
            }
        };
        // `connection_timeout` of redis-rs ends with the TCP and TLS handshakes on some paths; the
        // greeting of a server that hangs must not take longer either.
        self.server.within(timeout, connecting).await
    }

    async fn manage(
        &self,
        greeting: &RedisConnectionInfo,
        generation: u64,
        feed: Arc<Feed>,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(timeout))
            // The supervisor has timeouts of its own; one here would fail a command and leave the
            // connection as it is.
            .set_response_timeout(None)
            .set_push_sender(sender(generation, feed, Arc::clone(&self.fault)));
        if matches!(self.server.address(), ConnectionAddr::TcpTls { .. }) {
            tls::prepare_redis_rs();
        }
        let client = self.server.client(greeting)?;
        match caught(ConnectionManager::new_with_config(client, config)).await {
            Some(Ok(manager)) => Ok(Connection::own(manager)),
            Some(Err(error)) => Err(self.server.refused(Some(greeting), error)),
            None => Err(Error::config(
                "redis-rs panicked while it connected; for TLS of its own it needs a crypto \
                 provider of the process (`CryptoProvider::install_default`)",
            )),
        }
    }

    async fn secure(
        &self,
        greeting: &RedisConnectionInfo,
        generation: u64,
        feed: Arc<Feed>,
    ) -> Result<Connection, Error> {
        let stream = self.server.dial().await?;
        let sender = sender(generation, Arc::clone(&feed), Arc::clone(&self.fault));
        let config = AsyncConnectionConfig::new().set_push_sender(sender);
        greet(greeting, stream, config, feed, generation, &self.fault)
            .await
            .map_err(|error| self.server.refused(Some(greeting), error))
    }
}

/// The push sender of one generation.
fn sender(
    generation: u64,
    feed: Arc<Feed>,
    fault: Arc<Fault>,
) -> impl Fn(PushInfo) -> Result<(), &'static str> + Send + Sync + 'static {
    move |push| {
        // A panic in a push sender would end the manager's forwarding task for good: commands
        // would go on, pushes and the notice of a disconnection would not.
        let taken = catch_unwind(AssertUnwindSafe(|| {
            fault.check();
            feed.accept(generation, &incoming(&push));
        }));
        if taken.is_err() {
            tracing::error!(target: "redis_push", "the feed panicked; the connection is given up and built anew");
            feed.accept(generation, &Incoming::Disconnected);
        }
        Ok(())
    }
}
