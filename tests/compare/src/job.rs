//! The settings of one run, as they are passed from process to process.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::peers::Peer;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[value(rename_all = "UPPER")]
pub(crate) enum Workload {
    /// As many channels as handlers, round robin.
    W1,
    /// One channel for all handlers.
    W2,
    /// The time from publishing to the handler's first line, at a low rate.
    W3,
    /// Memory, allocations and instructions.
    W4,
    /// A burst at line rate to slow handlers.
    W5,
    /// A handler that stalls for a second.
    W6,
    /// Large payloads.
    W7,
    /// Readers that come and go.
    W8,
    /// Many readers of one channel.
    W9,
}

impl Workload {
    /// Whether it is about readers that are made while the client runs, instead of handlers.
    pub(crate) fn has_readers(self) -> bool {
        matches!(self, Self::W8 | Self::W9)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// A server, with a publisher in its own process.
    Real,
    /// A source that replays encoded pushes as fast as the socket accepts them.
    Canned,
}

/// What a handler does with a decoded message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    Count,
    /// Records how long the message was in flight.
    Clock,
    /// Is busy for 5 µs.
    Busy,
    /// Sleeps for a second, once, in the middle of the first handler's messages.
    Stall,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) workload: Workload,
    pub(crate) source: Source,
    pub(crate) peer: Peer,
    /// In W8 and W9, the readers that stay.
    pub(crate) handlers: usize,
    pub(crate) channels: usize,
    /// How many messages are published: a multiple of the channels. In W8, how many readers come and
    /// go.
    pub(crate) messages: u64,
    /// Messages a second. If not set, as many as the socket accepts.
    pub(crate) rate: Option<u64>,
    pub(crate) payload: usize,
    /// Whether the decoded message borrows from the received bytes, if the peer supports that.
    pub(crate) borrowed: bool,
    /// Whether the handlers of a channel share each decoded message, if the peer supports that.
    pub(crate) shared: bool,
    /// Whether handlers decode at all. If not, the cost of everything else is left.
    pub(crate) decodes: bool,
    pub(crate) work: Work,
    /// For how many milliseconds of each second redis-push's wire link waits for slow handlers, if not its default.
    pub(crate) wire_wait: Option<u64>,
    /// Whether buffers have the peer's own sizes instead of equal ones.
    pub(crate) own_buffers: bool,
}

/// The number of messages for a peer in which each message wakes all handlers. With 1,000 handlers, this many take half
/// a minute.
fn messages_if_slow(handlers: usize) -> u64 {
    match handlers {
        0..=10 => u64::MAX,
        11..=100 => 600_000,
        _ => 400_000,
    }
}

impl Job {
    /// The job of one of the peers.
    pub(crate) fn for_peer(&self, peer: Peer) -> Self {
        let messages = match self.workload {
            Workload::W1 if matches!(peer, Peer::Seed | Peer::Fred) => {
                self.messages.min(messages_if_slow(self.handlers))
            }
            _ => self.messages,
        };
        let channels = self.channels as u64;
        Self {
            peer,
            messages: messages.next_multiple_of(channels),
            ..self.clone()
        }
    }

    /// Handlers on each channel.
    pub(crate) fn fan_out(&self) -> usize {
        self.handlers / self.channels
    }

    /// Messages times the handlers that receive each.
    pub(crate) fn deliveries(&self) -> u64 {
        self.messages * self.fan_out() as u64
    }

    /// The channel of a handler or a message.
    pub(crate) fn channel(&self, index: usize) -> String {
        format!("c{}", index % self.channels)
    }

    pub(crate) fn channel_names(&self) -> Vec<String> {
        (0..self.channels)
            .map(|index| self.channel(index))
            .collect()
    }

    pub(crate) fn to_arg(&self) -> String {
        serde_json::to_string(self).expect("a job is plain data")
    }

    pub(crate) fn from_arg(arg: &str) -> crate::Result<Self> {
        Ok(serde_json::from_str(arg)?)
    }

    /// The job in words, for progress messages.
    pub(crate) fn label(&self) -> String {
        format!(
            "{:?} {:?} {} {}{}{}{}",
            self.workload,
            self.source,
            self.handlers,
            if self.workload.has_readers() {
                "readers"
            } else {
                "handlers"
            },
            if self.borrowed { ", borrowed" } else { "" },
            if self.shared { ", shared" } else { "" },
            if self.decodes { "" } else { ", undecoded" }
        )
    }
}
