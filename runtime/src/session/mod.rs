//! The session: connects, subscribes, pings, and reconnects until the subscriber shuts down.
//!
//! A [`Session`] runs as one task. There is one for each node, which requests the names that are placed
//! there. Each of its attempts to connect is a *generation*, numbered from 1.
//! While a connection is up, three loops run concurrently on it: one requests the names and checks
//! their confirmations (`subscribe`), one sends `PING` (`keepalive`), and one waits until the
//! dispatcher has seen the end of the connection. Where sentinels have named the server, a fourth one
//! checks that it still is the primary (`primary`). The first one that fails ends the generation.
//!
//! ```text
//!        ┌─────────▶ connecting ────────── error ───────────┐
//!        │               │                                  │
//!        │               │ ConnectionEvent::Connected       │
//!        │               ▼                                  │
//!        │          subscribing ◀─────────┐                 │
//!        │               │                │ retry, or       │
//!        │               ▼                │ a name ended    │
//!        │     confirmed / some denied ───┘                 │
//!        │               │                                  │
//!        │               │ no reply, or closed              │
//!        │               ▼ (from subscribing as well)       │
//!        │         silent or lost                           │
//!        │               │                                  │
//!        │               │ ConnectionEvent::Disconnected    │
//!        │               ▼                                  │
//!        └─────────── back-off ◀────────────────────────────┘
//!
//!     `stop` is cancelled:  with a connection     draining ───▶ closed
//!                           without a connection  closed
//! ```
//!
//! | state | what the session does | [`Phase`] | health |
//! | --- | --- | --- | --- |
//! | connecting | greets the server, within `connect_timeout` | `Pending` | not ready: `NotConnected`, with the last error |
//! | subscribing | sends the subscribe commands, waits for the confirmations until the server is silent for 5 s | `Pending` | not ready: `NotConfirmed` |
//! | confirmed | waits until a name ends | `Confirmed` | ready |
//! | some denied | requests the denied names again, after 250 ms at first, 5 s at most | `SomeDenied` | not ready: `NotConfirmed`, with the server's reasons |
//! | silent, lost | drops the connection: it is closed; or nothing has arrived for `ping_timeout` after a `PING`, or for 5 s after another command | `Pending` | not ready: `NotConnected`; `PingLate` if the session has not dropped it a second after that was due |
//! | back-off | waits for `reconnect_delay`, which doubles each time, and starts over after a generation that ended while every name was confirmed or denied | `Pending` | not ready: `NotConnected`, with the error |
//! | draining | unsubscribes, waits until the dispatcher has seen every subscription end | unchanged | not ready: `ShuttingDown` |
//! | closed | has closed its node, the last one the dispatcher, and returns | unchanged | not ready: `ShuttingDown` |
//!
//! The states are about the names of handlers. Names of streams come and go in each of them: the session
//! requests and leaves them in its turns, together with the others, and what the server says about them
//! affects nobody else.
//!
//! `SomeDenied` stays while the denied names are requested again. The subscriber is live in each of
//! these states: only a task that is down or late makes it not live.
//!
//! # Files
//!
//! | file | contents |
//! | --- | --- |
//! | `reconnect` | one generation after another, and the back-off |
//! | `subscribe` | requests and leaves names, and waits for the confirmations |
//! | `key_events` | whether the server publishes the key events that are wanted |
//! | `keepalive` | sends `PING`, often enough for the server's own timeout, and judges whether the server is silent |
//! | `primary` | whether the server still is the primary, where sentinels have named it |
//! | `drain` | the end of a connection, seen or brought about |
//! | `coordinator` | the nodes of a cluster, and which names are on each |
//! | `board`, `status`, `heartbeat` | what `start` and `health` read |
//! | `outage` | what is logged about an outage |
//! | `fences` | the fences of the test kit, with the feature `testing` |
//!
//! # Segments and gaps
//!
//! A *segment* is a stretch of a broadcast channel's messages. When a new one starts, the channel's
//! readers receive a gap. One starts when:
//!
//! - a name of the channel is confirmed as its first in this generation (`ConnectionLost`). The gap
//!   begins at the fence of the last generation with a confirmation, as [`Dispatcher::end`] recorded
//!   it, or earlier if the name had been off before that. For the first segment of a channel the cause
//!   is `Initial`.
//! - a later name of the channel is confirmed after it was denied, or a name is confirmed again after
//!   the server ended it (`Resubscribed`).
//! - pushes are lost on a connection that stays up: the attached channel lagged (`Lagged`), or a
//!   payload was too large (`Oversized`). `link` and `dispatch` find this out without the session,
//!   which only requests every name again after the lag.
//!
//! # In and out
//!
//! `subscriber` creates the session, spawns [`Session::run`] and cancels `stop`. `link` supplies the
//! connections, and `dispatch` the states of the subscriptions. The session sends commands over
//! `connection`, and opens, ends and closes the dispatcher. `subscriber` reads the [`Status`] during
//! `start`. `health` reads it too, with the [`Heartbeat`] and the [`LastSeen`].
//!
//! # Invariants
//!
//! - Every name is requested on every connection. Nothing is carried over from the previous one.
//! - A subscription is live once the dispatcher has seen its confirmation as a push of the current
//!   generation. The reply to the command is not enough.
//! - The session retries until `stop` is cancelled.
//! - The session's state survives a panic of its task: the next run ends the old generation and starts
//!   the next one.

mod board;
mod coordinator;
mod drain;
#[cfg(feature = "testing")]
mod fences;
mod heartbeat;
mod keepalive;
mod key_events;
mod outage;
mod primary;
mod reconnect;
mod status;
mod subscribe;

pub(crate) use board::Board;
pub(crate) use coordinator::{Coordinator, Notices, Places, Surroundings};
#[cfg(feature = "testing")]
pub(crate) use fences::Fences;
pub(crate) use heartbeat::{Heartbeat, LastSeen};
pub(crate) use outage::Outage;
pub(crate) use status::{Phase, Status};

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::dispatch::{Agenda, Dispatcher};
use crate::error::Error;
use crate::link::Link;
use crate::push::{Generation, NodeId};
use crate::util::RateLimit;

/// The state of the session. It survives a restart of the session's task.
pub(crate) struct Session {
    /// The node that it is connected to.
    pub(crate) node: NodeId,
    pub(crate) link: Link,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) settings: Settings,
    pub(crate) board: Arc<Board>,
    /// Cancelled when the subscriber shuts down: drain, then return.
    pub(crate) stop: CancellationToken,
    pub(crate) heartbeat: Arc<Heartbeat>,
    /// The last generation, or the time before the first.
    pub(crate) last: Generation,
    /// Whether that generation has had a connection whose end is not published yet.
    pub(crate) is_connected: bool,
    /// What is logged about failures.
    pub(crate) outage: Outage,
    /// Whether a warning about the server's settings is logged, by any session.
    pub(crate) has_warned: Arc<AtomicBool>,
    /// Limits the log lines about denied names of streams.
    pub(crate) denied_streams: RateLimit,
    /// Where the coordinator of a cluster is told what happens.
    pub(crate) notices: Option<Notices>,
    /// What the test kit requests.
    #[cfg(feature = "testing")]
    pub(crate) fences: Fences,
}

/// The number of commands that are sent together, before their replies are awaited.
const MAX_PIPELINED: usize = 256;

/// How long the server may be silent while a command other than `PING` waits for its reply, or the reply
/// to a subscribe command for its confirmation.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

impl Session {
    /// Runs the session's task, and touches `last_seen` while the task is polled.
    pub(crate) async fn run(session: Arc<Mutex<Self>>, last_seen: Arc<LastSeen>) {
        let mut session = session.lock().await;
        tokio::select! {
            () = session.keep_connected() => {}
            never = last_seen.keep_touching() => never,
        }
    }

    fn set_phase(&self, phase: Phase, error: Option<Error>) {
        let before = self.board.of(self.node).phase;
        match (phase, &error) {
            (Phase::Pending, Some(error)) => self.outage.failed(error),
            (Phase::Pending, None) => {}
            _ if before == phase => {}
            _ => {
                let Agenda {
                    handlers, streams, ..
                } = self.dispatcher.agenda(self.node);
                self.outage.ended(handlers, streams);
            }
        }
        self.board.update(self.node, |status| {
            status.phase = phase;
            match error {
                Some(error) => status.error = Some(Arc::new(error)),
                None if phase == Phase::Pending => {}
                // It is over, and not the cause of what fails later.
                None => status.error = None,
            }
        });
    }
}
