//! The wire link: reads pushes from the socket before redis-rs parses them.
//!
//! redis-rs runs over a [`Tap`], a stream that removes the pushes from what the server sends. redis-rs
//! still sends the greeting and the commands, and parses the replies. It does not build a value for
//! each part of each message any more, and does not send messages through a queue.
//!
//! ```text
//!             ┌ Tap ─────────────────────────────────────────────────────────┐
//!             │                                                              │
//!  socket ──▶ │ poll_fill ──▶ buffer ──▶ scan ─┬─ Lifted ────────────────────┼──▶ dispatcher
//!             │                                ├─ Shared ──┬─────────────────┼──▶ dispatcher
//!             │                                │           └─▶ passed ───────┼──▶ redis-rs
//!             │                                └─ Other ─────▶ passed ───────┼──▶ redis-rs
//!             │                                                              │
//!  socket ◀── │ poll_write ◀─────────────────────────────────────────────────┼─── redis-rs
//!             └──────────────────────────────────────────────────────────────┘
//! ```
//!
//! - `Lifted`: messages and invalidations. Each is copied once, from the buffer into the batch.
//! - `Shared`: confirmations, and pushes of an unknown or malformed kind. The dispatcher needs a
//!   confirmation in its place among the messages. redis-rs needs it as the reply to a command. A
//!   confirmation that no command of the session waits for goes to the dispatcher alone ([`Awaited`]).
//! - `Other`: replies and everything else that is not a push.
//! - An incomplete frame stays in the buffer until enough bytes have arrived. If the bytes are not
//!   RESP3, the rest of the buffer goes to redis-rs, and the stream ends.
//!
//! The tap reads as much as the buffer has room for, 64 KiB if no frame is larger, and locks the dispatcher
//! once for each read, or once for several if they bring few messages for each broadcast channel. What is
//! encrypted is read without the lock. If the next message belongs to a full broadcast channel whose readers are
//! working, the tap stops reading for a limited time ([`Backpressure`]): the messages then wait in the socket and
//! in the server.
//!
//! | file | contents |
//! | --- | --- |
//! | `tap` | [`Tap`]: the stream |
//! | `unread` | the buffer |
//! | `scan` | what is at the front of the buffer: a push, another frame, or a part of one |
//! | `resp` | where RESP3 frames end |
//! | `backpressure` | [`Backpressure`]: when to stop reading, and for how long |
//! | `differential` | compares the tap with redis-rs's parser, for tests and fuzzing |
//!
//! Invariants:
//!
//! - The dispatcher and redis-rs see the frames in the server's order, each frame whole.
//! - No push is lost silently: if the tap cannot read the stream, the connection ends, and every
//!   handler receives a gap. redis-rs must not read on alone, because commands would then be answered
//!   while messages are lost.
//! - As far as redis-rs can read a stream, its parser and the tap agree on the pushes and replies.

mod backpressure;
#[cfg(any(test, all(redis_push_internals, feature = "testing")))]
mod differential;
mod resp;
mod scan;
mod tap;
mod unread;

#[cfg(all(redis_push_internals, feature = "testing"))]
pub(crate) use differential::compare;

use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, ConnectionAddr};

use super::Attempt;
use super::driver::greet;
use crate::connection::{Awaited, Connection};
use crate::error::Error;

use backpressure::Backpressure;
use tap::Tap;

/// Connects redis-rs over a [`Tap`].
pub(super) async fn connect(attempt: Attempt<'_>, wait: Duration) -> Result<Connection, Error> {
    let stream = attempt.server.dial().await?;
    let dispatcher = Arc::clone(attempt.dispatcher);
    let backpressure = Backpressure::new(attempt.generation.node(), wait);
    let awaited = Awaited::default();
    let mut tap = Tap::new(stream, dispatcher, attempt.generation, backpressure)
        .passing_only(awaited.clone());
    if matches!(attempt.server.address(), ConnectionAddr::TcpTls { .. }) {
        tap = tap.reading_unlocked();
    }
    let connection = greet(attempt, tap, AsyncConnectionConfig::new()).await?;
    Ok(connection.awaiting(awaited))
}

/// Returns the push at the front of `bytes`, and its length.
#[cfg(all(redis_push_internals, feature = "testing"))]
pub(crate) fn scanned(bytes: &[u8]) -> Option<(crate::push::RawPush, usize)> {
    match scan::scan(bytes) {
        scan::Scanned::Lifted(push, length) | scan::Scanned::Shared(push, length) => {
            Some((push.to_raw(), length))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
