//! The sessions of all nodes, as `start` and `health` read them.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use super::heartbeat::{Beat, Heartbeat, LastSeen};
use super::status::{Phase, Status};
use crate::connection::Sentinels;
use crate::connection::slots::Slot;
use crate::dispatch::NameCounts;
use crate::error::Error;
use crate::push::NodeId;
use crate::subscription::{Kind, Subscription};
use crate::telemetry::{NodeRole, NodeTopology, SentinelTopology, Topology};
use crate::util::Mutex;

/// What the session of each node publishes, and what all of it comes to.
///
/// Sessions come and go with the nodes of a cluster. There is one otherwise, or one for each link.
#[derive(Debug, Default)]
pub(crate) struct Board {
    /// By the index of the node. `None` for a node without a session.
    sessions: Mutex<Vec<Option<Published>>>,
    all: watch::Sender<Status>,
    /// Whether they are of a cluster.
    is_of_cluster: AtomicBool,
    /// Who names the server of the sessions.
    sentinels: OnceLock<Arc<Sentinels>>,
}

/// What a session publishes.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    status: Status,
    /// Whether the node has no names, so that it does not matter whether it is there.
    is_idle: bool,
    facts: Facts,
    pub(crate) heartbeat: Arc<Heartbeat>,
    pub(crate) last_seen: Arc<LastSeen>,
}

/// What is known about a server.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) address: String,
    /// The number of the link, if there are several to one server.
    pub(super) link: Option<u64>,
    pub(super) role: NodeRole,
    pub(super) slots: Vec<RangeInclusive<u16>>,
    pub(super) bus_losses: u64,
}

impl Board {
    /// Adds the session of a node.
    pub(crate) fn add(&self, node: NodeId) -> Published {
        let published = Published {
            status: Status::default(),
            is_idle: false,
            facts: Facts::default(),
            heartbeat: Arc::default(),
            last_seen: Arc::new(LastSeen::new()),
        };
        let mut sessions = self.sessions.lock();
        let needed = sessions.len().max(node.index() + 1);
        sessions.resize(needed, None);
        sessions[node.index()] = Some(published.clone());
        self.publish(&sessions);
        published
    }

    /// Records that the sessions are of a cluster.
    pub(super) fn is_of_cluster(&self) {
        self.is_of_cluster.store(true, Relaxed);
    }

    /// Records who names the server.
    pub(crate) fn learn_sentinels(&self, sentinels: &Arc<Sentinels>) {
        // The same for each link.
        _ = self.sentinels.set(Arc::clone(sentinels));
    }

    /// Returns where a name is in a cluster, for people: its slot, and the address of its node.
    pub(crate) fn place_of(&self, node: NodeId, subscription: &Subscription) -> Option<String> {
        if !self.is_of_cluster.load(Relaxed) {
            return None;
        }
        let sessions = self.sessions.lock();
        let session = sessions.get(node.index()).and_then(Option::as_ref);
        let address = session.map(|session| &*session.facts.address);
        let address = address.filter(|address| !address.is_empty());
        if subscription.kind() != Kind::Shard {
            return address.map(|address| format!("at {address}"));
        }
        let slot = Slot::of(subscription.name().as_bytes());
        Some(match address {
            Some(address) => format!("slot {slot}, at {address}"),
            None => format!("slot {slot}, at no node that is known"),
        })
    }

    /// Removes the session of a node.
    pub(super) fn remove(&self, node: NodeId) {
        let mut sessions = self.sessions.lock();
        if let Some(session) = sessions.get_mut(node.index()) {
            *session = None;
            self.publish(&sessions);
        }
    }

    /// Returns a receiver of the state of all of them. It is pending while one is, and has the errors of all.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Status> {
        self.all.subscribe()
    }

    /// Returns the state of the session of a node.
    pub(super) fn of(&self, node: NodeId) -> Status {
        let sessions = self.sessions.lock();
        let session = sessions.get(node.index()).and_then(Option::as_ref);
        session.map_or_else(Status::default, |session| session.status.clone())
    }

    /// Changes the state of the session of a node.
    pub(super) fn update(&self, node: NodeId, change: impl FnOnce(&mut Status)) {
        // Published under the lock, so that the last change is published last.
        let mut sessions = self.sessions.lock();
        if let Some(Some(session)) = sessions.get_mut(node.index()) {
            change(&mut session.status);
        }
        self.publish(&sessions);
    }

    /// Sets whether a node has no names, so that it does not matter whether it is there.
    pub(super) fn set_idle(&self, node: NodeId, is_idle: bool) {
        let mut sessions = self.sessions.lock();
        if let Some(Some(session)) = sessions.get_mut(node.index())
            && std::mem::replace(&mut session.is_idle, is_idle) != is_idle
        {
            self.publish(&sessions);
        }
    }

    /// Makes a node pending if it has got names that its session has not asked for yet, which it does not know.
    pub(super) fn recheck(&self, node: NodeId, is_pending: impl FnOnce() -> bool) {
        // Read under the lock, so that what the session publishes afterwards holds.
        let mut sessions = self.sessions.lock();
        if let Some(Some(session)) = sessions.get_mut(node.index())
            && session.status.phase != Phase::Pending
            && is_pending()
        {
            session.status.phase = Phase::Pending;
            self.publish(&sessions);
        }
    }

    /// Returns whether the session of a node has a connection.
    pub(super) fn is_connected(&self, node: NodeId) -> bool {
        let sessions = self.sessions.lock();
        let session = sessions.get(node.index()).and_then(Option::as_ref);
        session.is_some_and(|session| session.heartbeat.read().sign.is_some())
    }

    /// Sets the address of the server of a node.
    pub(crate) fn learn_address(&self, node: NodeId, address: String) {
        self.learn(node, |facts| facts.address = address);
    }

    /// Sets the number of the link to a node, out of several to one server.
    pub(crate) fn learn_link(&self, node: NodeId, link: Option<u64>) {
        self.learn(node, |facts| facts.link = link);
    }

    /// Changes what is known about the server of a node.
    pub(super) fn learn(&self, node: NodeId, change: impl FnOnce(&mut Facts)) {
        if let Some(Some(session)) = self.sessions.lock().get_mut(node.index()) {
            change(&mut session.facts);
        }
    }

    /// Returns the servers, with how many names are on each node.
    pub(crate) fn topology(&self, names_of: impl Fn(NodeId) -> NameCounts) -> Topology {
        let sentinels = self.sentinels.get().map(|sentinels| sentinels.states());
        let sentinels = sentinels.into_iter().flatten().map(sentinel);
        let mut topology = Topology {
            sentinels: sentinels.collect(),
            ..Topology::default()
        };
        let sessions = self.sessions.lock().clone();
        for (index, session) in sessions.into_iter().enumerate() {
            let Some(session) = session else { continue };
            let names = names_of(NodeId::at(index));
            let Facts {
                address,
                link,
                role,
                slots,
                bus_losses,
            } = session.facts;
            if address.is_empty() {
                // It is where names wait for a node of a cluster.
                topology.waiting += names.all;
                continue;
            }
            let beat = session.heartbeat.read();
            topology.nodes.push(NodeTopology {
                address,
                link,
                role,
                slots,
                names: names.all,
                confirmed: names.confirmed,
                is_connected: beat.sign.is_some(),
                ping_rtt: beat.rtt.filter(|_| beat.sign.is_some()),
                bus_losses,
            });
        }
        topology
    }

    /// Returns the oldest signs of life, and the longest time of an answer.
    pub(crate) fn beat(&self) -> Beat {
        let sessions = self.sessions.lock();
        let each = sessions.iter().flatten().filter(|session| !session.is_idle);
        let beats = each.map(|session| session.heartbeat.read());
        beats.reduce(Beat::and).unwrap_or_default()
    }

    /// Returns how long ago the task of each session has run, at most.
    pub(crate) fn last_seen(&self) -> Duration {
        let sessions = self.sessions.lock();
        let each = sessions.iter().flatten();
        let ago = each.map(|session| session.last_seen.ago());
        ago.max().unwrap_or_default()
    }

    fn publish(&self, sessions: &[Option<Published>]) {
        let busy = || sessions.iter().flatten().filter(|session| !session.is_idle);
        let each = || busy().map(|session| &session.status);
        self.all.send_replace(Status {
            phase: each().map(|status| status.phase).min().unwrap_or_default(),
            error: sum(each().filter_map(|status| status.error.as_ref())),
        });
    }
}

fn sentinel((address, names_primary, error): (String, bool, Option<String>)) -> SentinelTopology {
    SentinelTopology {
        address,
        names_primary,
        error,
    }
}

/// Returns one error with the texts of all, of the kind of one that does not pass by itself, if there is one.
fn sum<'e>(errors: impl Iterator<Item = &'e Arc<Error>>) -> Option<Arc<Error>> {
    const MOST: usize = 3;
    let errors: Vec<&Arc<Error>> = errors.collect();
    let (first, others) = errors.split_first()?;
    let is_lasting = |error: &&&Arc<Error>| error.is_auth() || error.is_config() || error.is_tls();
    let chosen = errors.iter().find(is_lasting).unwrap_or(first);
    let mut texts = vec![chosen.to_string()];
    let mut rest = [first].into_iter().chain(others);
    while texts.len() < MOST
        && let Some(error) = rest.next()
    {
        let text = error.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match rest.count() {
        0 if texts.len() == 1 => return Some(Arc::clone(chosen)),
        0 => {}
        more => texts.push(format!("and those of up to {more} other nodes")),
    }
    Some(Arc::new(chosen.again().in_words(|_| texts.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_is_confirmed_when_each_of_its_nodes_is() {
        let board = Board::default();
        let all = board.subscribe();
        let (first, second) = (NodeId::FIRST, NodeId::at(1));
        board.add(first);
        board.add(second);
        board.update(first, |status| status.phase = Phase::Confirmed);
        assert_eq!(all.borrow().phase, Phase::Pending);
        board.update(second, |status| {
            status.error = Some(Arc::new(Error::connection("refused")));
        });
        let error = all.borrow().error.as_ref().map(ToString::to_string);
        assert!(error.is_some_and(|error| error.contains("refused")));
        board.update(first, |status| {
            status.error = Some(Arc::new(Error::auth("WRONGPASS")));
        });
        let both = all.borrow().error.clone().unwrap();
        assert_eq!(both.to_string(), "WRONGPASS; refused");
        assert!(both.is_auth());
        board.update(first, |status| status.error = None);
        board.update(second, |status| {
            *status = Status {
                phase: Phase::SomeDenied,
                error: None,
            };
        });
        assert_eq!(all.borrow().phase, Phase::SomeDenied);
        assert!(all.borrow().error.is_none());
        board.update(second, |status| status.phase = Phase::Confirmed);
        assert_eq!(all.borrow().phase, Phase::Confirmed);
        assert_eq!(board.of(first).phase, Phase::Confirmed);
    }

    #[test]
    fn a_node_that_has_got_names_is_pending_before_its_session_knows() {
        let board = Board::default();
        let node = NodeId::FIRST;
        board.add(node);
        board.update(node, |status| status.phase = Phase::Confirmed);
        board.recheck(node, || false);
        assert_eq!(board.of(node).phase, Phase::Confirmed);
        board.recheck(node, || true);
        assert_eq!(board.subscribe().borrow().phase, Phase::Pending);
    }
}
