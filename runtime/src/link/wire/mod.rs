//! The link that reads the socket itself.

mod backpressure;
#[cfg(any(test, feature = "__fuzz"))]
mod differential;
mod resp;
mod scan;
mod tap;

#[cfg(feature = "__fuzz")]
pub(crate) use differential::compare;

use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, RedisConnectionInfo};

use crate::connection::{Connection, Server};
use crate::dispatch::Feed;
use crate::error::Error;
use crate::link::driver::greet;
use crate::link::fault::Fault;

use backpressure::Patience;
use tap::Tap;

/// A connection of redis-rs over a stream of ours, which lifts the pushes out before redis-rs
/// parses them.
///
/// redis-rs still does the greeting and the commands. What it no longer does is build a value for
/// each part of each message and hand it through a queue.
pub(crate) struct Wire {
    server: Arc<Server>,
    /// For how much of each second an idle handler may wait for a busy one's full ring.
    wait: Duration,
    fault: Arc<Fault>,
}

impl Wire {
    pub(crate) fn new(server: Arc<Server>, wait: Duration) -> Self {
        let fault = Arc::default();
        Self {
            server,
            wait,
            fault,
        }
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
        let connecting = self.open(&greeting, generation, Arc::clone(feed));
        self.server.within(timeout, connecting).await
    }

    async fn open(
        &self,
        greeting: &RedisConnectionInfo,
        generation: u64,
        feed: Arc<Feed>,
    ) -> Result<Connection, Error> {
        let stream = self.server.dial().await?;
        let patience = Patience::new(self.wait);
        let tap = Tap::new(stream, Arc::clone(&feed), generation, patience);
        greet(
            greeting,
            tap,
            AsyncConnectionConfig::new(),
            feed,
            generation,
            &self.fault,
        )
        .await
        .map_err(|error| self.server.refused(Some(greeting), error))
    }
}

/// The push that stands at the front of some bytes, and how long it is.
#[cfg(feature = "__fuzz")]
pub(crate) fn scanned(bytes: &[u8]) -> Option<(crate::push::RawPush, usize)> {
    match scan::scan(bytes) {
        scan::Scanned::Lifted(push, taken) | scan::Scanned::Shared(push, taken) => {
            Some((push.to_raw(), taken))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
