//! The clients under comparison, each used as its documentation recommends.

mod floor;
mod fred;
mod limit;
mod redis_push;
mod redis_push_wire;
mod rustis;
mod ruststream;
mod seed;

use std::any::Any;
use std::fmt;
use std::num::NonZeroUsize;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::job::Job;
use crate::lanes::Lanes;

/// The size of buffers that count messages, where buffers are made equal.
pub(crate) const BUFFER: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    RedisPush,
    RedisPushWire,
    Seed,
    Floor,
    Limit,
    Fred,
    Rustis,
    Ruststream,
}

impl Peer {
    /// The reason why this peer does not run the job, if there is one.
    pub(crate) fn refuses(self, job: &Job) -> Option<&'static str> {
        match self {
            Self::Floor if job.workload.has_readers() => {
                Some("one closure for everything, and no readers")
            }
            Self::Limit if job.workload.has_readers() => {
                Some("one thread for everything, and no readers")
            }
            Self::Ruststream if job.workload.has_readers() => {
                Some("its handlers are mounted before the start")
            }
            Self::Ruststream if job.handlers > self.most_handlers() => {
                Some("a connection for each handler, with buffers of about 38 MiB each")
            }
            Self::Ruststream if job.borrowed => Some("its codec decodes into owned values only"),
            Self::Ruststream if !job.decodes => Some("its codec decodes before the handler"),
            _ => None,
        }
    }

    pub(crate) fn most_handlers(self) -> usize {
        match self {
            Self::Ruststream => 100,
            _ => usize::MAX,
        }
    }

    /// How many subscriptions the server counts.
    pub(crate) fn subscriptions(self, job: &Job) -> usize {
        match self {
            Self::Ruststream => job.handlers,
            _ => job.channels,
        }
    }

    /// The counters of this peer's messages.
    pub(crate) fn lanes(self, job: &Job) -> Lanes {
        match self {
            Self::Floor | Self::Limit => Lanes::single(job),
            _ => Lanes::per_handler(job),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// A subscribed client. Dropping it ends the subscriptions.
pub(crate) struct Running {
    _keep: Box<dyn Any + Send>,
    lost: Option<Box<dyn Fn() -> u64 + Send>>,
}

impl Running {
    fn new(keep: impl Any + Send) -> Self {
        Self {
            _keep: Box::new(keep),
            lost: None,
        }
    }

    /// Sets how to query the losses of a peer that does not report them as they happen with
    /// [`Lanes::add_lost`].
    fn with_lost(mut self, lost: impl Fn() -> u64 + Send + 'static) -> Self {
        self.lost = Some(Box::new(lost));
        self
    }

    pub(crate) fn ask_lost(&self, lanes: &Lanes) {
        if let Some(lost) = &self.lost {
            lanes.reports_loss();
            lanes.add_lost(lost());
        }
    }
}

/// Starts the job's peer. Returns when the peer reports that everything is subscribed.
pub(crate) async fn start(job: &Job, port: u16, lanes: &Lanes) -> Result<Running> {
    match job.peer {
        Peer::RedisPush => redis_push::start(job, port, lanes).await,
        Peer::RedisPushWire => redis_push_wire::start(job, port, lanes).await,
        Peer::Seed => seed::start(job, port, lanes).await,
        Peer::Floor => floor::start(job, port, lanes).await,
        Peer::Limit => limit::start(job, port, lanes),
        Peer::Fred => fred::start(job, port, lanes).await,
        Peer::Rustis => rustis::start(job, port, lanes).await,
        Peer::Ruststream => ruststream::start(job, port, lanes).await,
    }
}
