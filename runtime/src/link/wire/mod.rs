//! The link that reads the socket itself.
//!
//! It is a connection of redis-rs over a stream that lifts the pushes out before redis-rs parses
//! them. redis-rs still does the greeting and the commands. What it no longer does is build a value
//! for each part of each message and hand it through a queue.

mod backpressure;
#[cfg(any(test, all(redis_push_internals, feature = "testing")))]
mod differential;
mod resp;
mod scan;
mod tap;

#[cfg(all(redis_push_internals, feature = "testing"))]
pub(crate) use differential::compare;

use std::sync::Arc;
use std::time::Duration;

use redis::AsyncConnectionConfig;

use super::Attempt;
use super::driver::greet;
use crate::connection::Connection;
use crate::error::Error;

use backpressure::Backpressure;
use tap::Tap;

/// Connects redis-rs over a stream that lifts the pushes out before redis-rs parses them.
pub(super) async fn connect(attempt: Attempt<'_>, wait: Duration) -> Result<Connection, Error> {
    let stream = attempt.server.dial().await?;
    let dispatcher = Arc::clone(attempt.dispatcher);
    let tap = Tap::new(
        stream,
        dispatcher,
        attempt.generation,
        Backpressure::new(wait),
    );
    greet(attempt, tap, AsyncConnectionConfig::new()).await
}

/// The push that stands at the front of some bytes, and how long it is.
#[cfg(all(redis_push_internals, feature = "testing"))]
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
