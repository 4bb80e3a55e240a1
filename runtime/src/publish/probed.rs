//! What a publisher reports to the probe of the test kit.

use super::command::Outgoing;
use super::publisher::Publisher;
use super::transport::Transport;
use crate::error::Error;
use crate::probe::{Published, SharedProbe};

impl Publisher {
    /// Returns the publisher without reports: for the messages of the test itself.
    pub(crate) fn unobserved(mut self) -> Self {
        self.is_unobserved = true;
        self
    }

    /// Whether it publishes over a connection of the user, which nothing can redirect.
    pub(crate) fn has_given_connection(&self) -> bool {
        matches!(&*self.over, Transport::Given(_))
    }

    /// Begins to observe messages that are sent, if there is a test kit.
    pub(super) fn observe(&self) -> Observed {
        let probe = match &*self.over {
            Transport::Server(connection) if !self.is_unobserved => connection.probe(),
            _ => None,
        };
        if let Some(probe) = &probe {
            probe.publishes();
        }
        Observed { probe }
    }
}

/// A publish that is under way. If it is dropped, its caller has stopped waiting.
pub(super) struct Observed {
    probe: Option<SharedProbe>,
}

impl Observed {
    /// Reports the messages of one write, and whether the server has accepted them.
    pub(super) fn ended<T>(self, messages: &[Outgoing], result: &Result<T, Error>) {
        let Some(probe) = &self.probe else { return };
        let problem = result.as_ref().err().map(ToString::to_string);
        for message in messages {
            probe.publishes();
            probe.published(Some(Published {
                channel: message.channel(),
                prefix_len: message.prefix_len(),
                payload: message.payload(),
                is_shard: message.is_shard(),
                problem: problem.as_deref(),
            }));
        }
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if let Some(probe) = &self.probe {
            probe.published(None);
        }
    }
}
