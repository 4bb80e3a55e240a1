use std::sync::Arc;

use tokio::sync::watch;

use crate::error::Error;
use crate::push::NodeId;
use crate::util::Mutex;

/// The published state of a session, or of all sessions together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    /// The last error since the names were confirmed: why a connection ended, could not be made, or has no
    /// confirmations.
    pub(crate) error: Option<Arc<Error>>,
}

/// The combined state of all subscriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// There is no connection, or some name is neither confirmed nor denied.
    #[default]
    Pending,
    /// Every name is confirmed or denied, and some are denied.
    SomeDenied,
    /// Every name is confirmed.
    Confirmed,
}

/// The state of the session of each node. It publishes what they come to.
#[derive(Debug)]
pub(crate) struct Statuses {
    each: Mutex<Vec<Status>>,
    all: watch::Sender<Status>,
}

impl Statuses {
    pub(crate) fn new(nodes: usize) -> Arc<Self> {
        Arc::new(Self {
            each: Mutex::new(vec![Status::default(); nodes]),
            all: watch::Sender::default(),
        })
    }

    /// Returns a receiver of the state of all of them. It is pending while one is, and has the first
    /// error.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Status> {
        self.all.subscribe()
    }

    /// Returns the state of the session of a node.
    pub(super) fn of(&self, node: NodeId) -> Status {
        self.each.lock()[node.index()].clone()
    }

    /// Changes the state of the session of a node.
    pub(super) fn update(&self, node: NodeId, change: impl FnOnce(&mut Status)) {
        // Published under the lock, so that the last change is published last.
        let mut each = self.each.lock();
        change(&mut each[node.index()]);
        let phase = each.iter().map(|status| status.phase).min();
        let error = each.iter().find_map(|status| status.error.clone());
        self.all.send_replace(Status {
            phase: phase.unwrap_or_default(),
            error,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_is_confirmed_when_each_of_its_nodes_is() {
        let statuses = Statuses::new(2);
        let all = statuses.subscribe();
        let (first, second) = (NodeId::FIRST, NodeId::at(1));
        statuses.update(first, |status| status.phase = Phase::Confirmed);
        assert_eq!(all.borrow().phase, Phase::Pending);
        statuses.update(second, |status| {
            status.error = Some(Arc::new(Error::connection("refused")));
        });
        let error = all.borrow().error.as_ref().map(ToString::to_string);
        assert!(error.is_some_and(|error| error.contains("refused")));
        statuses.update(second, |status| {
            *status = Status {
                phase: Phase::SomeDenied,
                error: None,
            };
        });
        assert_eq!(all.borrow().phase, Phase::SomeDenied);
        assert!(all.borrow().error.is_none());
        statuses.update(second, |status| status.phase = Phase::Confirmed);
        assert_eq!(all.borrow().phase, Phase::Confirmed);
        assert_eq!(statuses.of(first).phase, Phase::Confirmed);
    }
}
