//! The clients that are compared, each as its documentation says it is used.

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

/// How many messages a buffer holds that counts messages, where buffers are made equal.
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
    /// Why this peer does not take part.
    pub(crate) fn refuses(self, job: &Job) -> Option<&'static str> {
        match self {
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

    /// How many subscriptions the server sees.
    pub(crate) fn subscriptions(self, job: &Job) -> usize {
        match self {
            Self::Ruststream => job.handlers,
            _ => job.channels,
        }
    }

    /// Where its messages are counted.
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

/// A subscribed client; dropping it ends the subscriptions.
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

    /// For a peer that is asked what it lost; others tell [`Lanes::add_lost`] as it happens.
    fn with_lost(mut self, lost: impl Fn() -> u64 + Send + 'static) -> Self {
        self.lost = Some(Box::new(lost));
        self
    }

    pub(crate) fn ask_lost(&self, lanes: &Lanes) {
        if let Some(lost) = &self.lost {
            lanes.tells_loss();
            lanes.add_lost(lost());
        }
    }
}

/// Starts the job's peer; returns when it has subscribed to everything, as far as it tells.
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
