//! What carries pushes from a server into the feed, and commands to it. Beside `attach` and the
//! publisher, this is the only place that names types of redis-rs.

mod attached;
mod driver;
mod manager;
mod push_info;
mod wire;

pub(crate) use attached::{Attached, Forwarding};
#[cfg(redis_push_internals)]
pub(crate) use push_info::incoming;
#[cfg(all(redis_push_internals, feature = "testing"))]
pub(crate) use wire::{compare, scanned};

use std::sync::Arc;
use std::time::Duration;

use redis::RedisConnectionInfo;

use crate::connection::{Connection, Server};
use crate::dispatch::Dispatcher;
use crate::error::Error;

/// What carries pushes from a server to the dispatcher.
pub(crate) enum Link {
    /// Connections of our own, one for each generation.
    Own {
        server: Arc<Server>,
        transport: Transport,
    },
    /// A connection manager of the user's, with the push channel that it feeds.
    Attached(Attached),
}

/// How pushes come off a connection of our own.
pub(crate) enum Transport {
    /// By the push sender of redis-rs's `ConnectionManager`.
    Manager,
    /// Off the socket, before redis-rs parses it.
    Wire {
        /// For how much of each second an idle handler may wait for a busy one's full buffer.
        wait: Duration,
    },
}

/// One attempt to connect.
struct Attempt<'a> {
    server: &'a Server,
    greeting: &'a RedisConnectionInfo,
    generation: u64,
    dispatcher: &'a Arc<Dispatcher>,
}

impl Link {
    /// What carries an attached channel's pushes, to be run as a task.
    pub(crate) fn forwarding(&self) -> Option<Arc<Forwarding>> {
        match self {
            Self::Attached(link) => Some(link.forwarding()),
            Self::Own { .. } => None,
        }
    }

    /// Connects. What is pushed from then on comes to the dispatcher as of `generation`.
    pub(crate) async fn connect(
        &mut self,
        generation: u64,
        dispatcher: &Arc<Dispatcher>,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        let (server, transport) = match self {
            Self::Attached(link) => return link.connect(generation, timeout).await,
            Self::Own { server, transport } => (server, transport),
        };
        let greeting = server.greeting(timeout).await?;
        let attempt = Attempt {
            server,
            greeting: &greeting,
            generation,
            dispatcher,
        };
        let connecting = async {
            match transport {
                Transport::Manager => manager::connect(attempt, timeout).await,
                Transport::Wire { wait } => wire::connect(attempt, *wait).await,
            }
        };
        // `connection_timeout` of redis-rs ends with the TCP and TLS handshakes on some paths; the
        // greeting of a server that hangs must not take longer either.
        server.within(timeout, connecting).await
    }
}
