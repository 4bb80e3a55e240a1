//! Links: how pushes get from a server to the dispatcher.
//!
//! A [`Link`] makes one [`Connection`] for each generation of the session, and passes every push that
//! arrives on it to the [`Dispatcher`], together with the number of the generation. The session gets
//! the [`Connection`] for its commands; pushes do not come through it.
//!
//! There are three kinds, which differ in what they guarantee:
//!
//! | | manager (default) | wire (`Subscriber::wire`) | attached (`Subscriber::attach`) |
//! | --- | --- | --- | --- |
//! | pushes come from | redis-rs's push sender | the socket, before redis-rs parses it | the user's broadcast channel |
//! | the connection is | made by the session | made by the session | the user's, and shared with the user |
//! | it is replaced by | the session, always | the session, always | the user's manager, unless that has stopped retrying for good |
//! | pushes in transit when it ends | those in redis-rs's queue may be lost, as a part of the gap | everything that the socket still holds is delivered | as with the manager |
//! | a handler's full buffer | drops a message by the handler's `overflow` policy | the link stops reading for a limited time, then as with the manager | as with the manager |
//! | what waits before the dispatcher | messages in redis-rs's own queue, which has no limit | messages in the socket | as with the manager, and messages in the channel |
//! | loss before the dispatcher | none while the connection is up | none while the connection is up | if the channel overflows: a gap of `AtMost(n)` for every handler |
//! | a shutdown | unsubscribes and drains | unsubscribes and drains | does not unsubscribe, as the user may use the same names |
//!
//! In: `subscriber` chooses the link, and runs its [`Forwarding`] task if it is attached. The session
//! calls [`Link::connect`]. Out: [`Incoming`](crate::push::Incoming) values for `dispatch`, and
//! [`Connection`]s.
//!
//! | file | contents |
//! | --- | --- |
//! | `own` | what the next two have in common: to which server, and for how long |
//! | `manager` | the default link |
//! | `wire` | the wire link |
//! | `attached` | the attached link, and its forwarding task |
//! | `push_info` | from redis-rs's `PushInfo` to `Incoming`, for the manager and the attached link |
//! | `driver` | the task that runs a `MultiplexedConnection`, for TLS on the manager link and for the wire link |
//!
//! Invariants:
//!
//! - The pushes of a connection reach the dispatcher in the server's order, with the connection's
//!   generation. The dispatcher discards those of an old generation.
//! - The dispatcher is notified of the end of every connection, in whatever way it ends: also if a
//!   push sender or a driver panics. Only an attached channel can lose the notice. Every name is then
//!   subscribed again, and `CLIENT ID` shows that the connection is another one.
//! - Nothing here waits for a handler, except the wire link, and that for a limited time.

mod attached;
mod driver;
mod manager;
mod own;
mod push_info;
mod wire;

pub(crate) use attached::{Attached, Forwarding};
pub(crate) use own::Own;
#[cfg(redis_push_internals)]
pub(crate) use push_info::incoming;
#[cfg(all(redis_push_internals, feature = "testing"))]
pub(crate) use wire::{compare, scanned};

use std::sync::Arc;
use std::time::Duration;

use redis::RedisConnectionInfo;

use crate::connection::{Connection, Sentinels, Server};
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::push::Generation;

/// A source of pushes and connections.
pub(crate) enum Link {
    /// Connections that this crate makes, one for each generation.
    Own(Own),
    /// The user's connection manager, with the channel that it sends its pushes to.
    Attached(Attached),
}

/// How pushes are read from a connection that this crate makes.
#[derive(Clone, Copy)]
pub(crate) enum Transport {
    /// With the push sender of redis-rs's `ConnectionManager`.
    Manager,
    /// From the socket, before redis-rs parses it.
    Wire {
        /// How much of each second the link may wait for room in a full buffer while another handler
        /// is idle.
        wait: Duration,
    },
}

/// One attempt to connect.
struct Attempt<'a> {
    server: &'a Server,
    greeting: &'a RedisConnectionInfo,
    generation: Generation,
    dispatcher: &'a Arc<Dispatcher>,
}

impl Link {
    /// Returns the forwarding of an attached channel, to be run as a task.
    pub(crate) fn forwarding(&self) -> Option<Arc<Forwarding>> {
        match self {
            Self::Attached(link) => Some(link.forwarding()),
            Self::Own(_) => None,
        }
    }

    /// Connects. The pushes of the new connection go to the dispatcher with the `generation`.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is not made within `timeout`.
    pub(crate) async fn connect(
        &mut self,
        generation: Generation,
        dispatcher: &Arc<Dispatcher>,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        match self {
            Self::Attached(link) => link.connect(generation, timeout).await,
            Self::Own(link) => link.connect(generation, dispatcher, timeout).await,
        }
    }

    /// Returns the address of the server that was connected to last, or of what is to be.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Own(link) => link.address(),
            Self::Attached(_) => "the attached manager's server".to_owned(),
        }
    }

    /// Returns the sentinels that name the server.
    pub(crate) fn sentinels(&self) -> Option<&Arc<Sentinels>> {
        match self {
            Self::Own(link) => link.sentinels(),
            Self::Attached(_) => None,
        }
    }

    /// Whether sentinels name the server.
    pub(crate) fn is_to_a_primary(&self) -> bool {
        self.sentinels().is_some()
    }

    /// Waits until sentinels name another primary than that of the last connection: then it is of use to
    /// connect again at once.
    pub(crate) async fn news(&mut self) {
        match self {
            Self::Own(link) => link.news().await,
            Self::Attached(_) => std::future::pending().await,
        }
    }
}
