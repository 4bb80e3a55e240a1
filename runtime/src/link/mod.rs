//! What carries pushes from a server into the feed, and commands to it. Beside `attach` and the
//! publisher, this is the only place that names types of redis-rs.

mod attached;
mod driver;
mod fault;
mod manager;
mod push_info;
mod wire;

pub(crate) use attached::{Attached, Forwarding};
#[cfg(feature = "testing")]
pub(crate) use fault::Fault;
pub(crate) use manager::Manager;
#[cfg(any(feature = "__bench", feature = "__fuzz"))]
pub(crate) use push_info::incoming;
pub(crate) use wire::Wire;
#[cfg(feature = "__fuzz")]
pub(crate) use wire::{compare, scanned};

use std::sync::Arc;
use std::time::Duration;

use crate::connection::Connection;
use crate::dispatch::Feed;
use crate::error::Error;

/// The ways to a server.
pub(crate) enum Link {
    /// A connection manager of our own, one for each generation.
    Manager(Manager),
    /// A connection whose socket we read ourselves.
    Wire(Wire),
    /// A connection manager of the user's, with the push channel that it feeds.
    Attached(Attached),
}

impl Link {
    /// What carries an attached channel's pushes, to be run as a task.
    pub(crate) fn forwarding(&self) -> Option<Arc<Forwarding>> {
        match self {
            Self::Attached(link) => Some(link.forwarding()),
            Self::Manager(_) | Self::Wire(_) => None,
        }
    }

    /// Ends the task that reads the connection, from a test.
    #[cfg(feature = "testing")]
    pub(crate) fn fault(&self) -> Arc<Fault> {
        match self {
            Self::Manager(link) => link.fault(),
            Self::Wire(link) => link.fault(),
            Self::Attached(_) => Arc::default(),
        }
    }

    /// Connects, and lets what is pushed from then on come to the feed as of `generation`.
    pub(crate) async fn connect(
        &mut self,
        generation: u64,
        feed: &Arc<Feed>,
        timeout: Duration,
    ) -> Result<Connection, Error> {
        match self {
            Self::Manager(link) => link.connect(generation, feed, timeout).await,
            Self::Wire(link) => link.connect(generation, feed, timeout).await,
            Self::Attached(link) => link.connect(generation, timeout).await,
        }
    }
}
