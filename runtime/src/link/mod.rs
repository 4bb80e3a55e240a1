//! What carries pushes from a server into the feed, and commands to it. Beside `attach` and the
//! publisher, this is the only place that names types of redis-rs.

mod attached;
mod client;
mod connection;
pub(crate) mod convert;
mod dial;
mod driven;
mod endpoint;
mod fault;
mod manager;
mod refusal;
mod server;
mod side;
mod tls;
mod tracking;
pub(crate) mod wire;

pub(crate) use attached::{Attached, Forwarding};
pub(crate) use client::{Options, Target};
pub(crate) use connection::Connection;
#[cfg(feature = "__bench")]
pub(crate) use convert::incoming;
pub use endpoint::Endpoint;
#[cfg(feature = "testing")]
pub(crate) use fault::Fault;
pub(crate) use manager::Manager;
pub(crate) use side::{NotDone, Refusal, Side};
pub(crate) use tracking::Fence;
pub(crate) use wire::Wire;

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::feed::Feed;
use crate::publish::Publisher;

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

    /// What publishes for the handlers: beside the link, unless the connection is the user's.
    pub(crate) fn publisher(&self) -> Publisher {
        match self {
            Self::Manager(link) => Publisher::own(Side::new(Arc::clone(link.server()))),
            Self::Wire(link) => Publisher::own(Side::new(Arc::clone(link.server()))),
            Self::Attached(link) => Publisher::over(link.manager()),
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
