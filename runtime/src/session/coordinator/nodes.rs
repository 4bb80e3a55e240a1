//! The nodes of a cluster, each with its session.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Coordinator, NOWHERE, Session};
use crate::connection::bus::BusLinks;
use crate::connection::{Destination, LazyConnection, NodeAddress};
use crate::link::{Link, Own};
use crate::push::{Generation, NodeId};
use crate::session::Outage;
use crate::tasks::{Task, TaskName};
use crate::util::RateLimit;
use crate::util::clock::{self, LONGEST};

/// A node that has or had names.
pub(super) struct ClusterNode {
    pub(super) id: NodeId,
    pub(super) address: NodeAddress,
    /// A connection for questions, which is made when there is one.
    pub(super) commands: LazyConnection,
    /// When its links with other nodes were last looked at, and how they were.
    pub(super) links: Option<(SystemTime, BusLinks)>,
    /// The ids of nodes that it once had links with, and has not at present.
    pub(super) gone: BTreeSet<Box<str>>,
    /// Whether it had a link from another node at the last look.
    pub(super) hears_any: bool,
    /// Whether it said that the cluster is down.
    pub(super) is_down: bool,
    /// When it last heard others, and did not take the cluster to be down. Before the first look, when it
    /// was found.
    pub(super) well: SystemTime,
    /// Since when it has heard none or has taken the cluster to be down, while others did not.
    pub(super) alone_since: Option<Instant>,
    /// Whether that lasts: then it does not belong to the cluster any more.
    pub(super) is_cut_off: bool,
    /// When another node last said that it owns the slots of its sharded channels.
    pub(super) agreed: SystemTime,
    /// Since when it is known to be lost.
    pub(super) lost: Option<Instant>,
    session: Task,
}

impl ClusterNode {
    /// Waits until its session has ended, as it does after the stop.
    pub(super) async fn ended(&self) {
        self.session.end(clock::now() + LONGEST).await;
    }
}

impl Coordinator {
    /// Returns a node that is known.
    pub(super) fn known(&self, address: &NodeAddress) -> Option<NodeId> {
        let node = self.nodes.iter().find(|node| node.address == *address);
        node.map(|node| node.id)
    }

    pub(super) fn node(&self, id: NodeId) -> &ClusterNode {
        let node = self.nodes.iter().find(|node| node.id == id);
        node.expect("a node that was added stays")
    }

    /// Returns the node at an address that another one names. If it is new, its session begins. `None` if
    /// it cannot be connected to.
    pub(super) fn node_at(&mut self, address: &NodeAddress, named_by: NodeId) -> Option<NodeId> {
        let address = match address.host().is_empty() && named_by != NOWHERE {
            // The node does not say its own host.
            true => NodeAddress::new(self.node(named_by).address.host(), address.port()),
            false => address.clone(),
        };
        if let Some(id) = self.known(&address) {
            return Some(id);
        }
        let to = match self.like.at(&address) {
            Ok(server) => Destination::Server(Arc::new(server)),
            Err(error) => {
                tracing::warn!(
                    target: "redis_push",
                    %address,
                    %error,
                    "a node of the cluster cannot be connected to"
                );
                return None;
            }
        };
        let id = self.dispatcher.add_node();
        let published = self.board.add(id);
        self.board.learn_address(id, address.to_string());
        let session = Arc::new(Mutex::new(Session {
            node: id,
            link: Link::Own(Own::new(to.clone(), self.transport)),
            dispatcher: Arc::clone(&self.dispatcher),
            settings: self.settings,
            board: Arc::clone(&self.board),
            stop: self.stop.clone(),
            heartbeat: published.heartbeat,
            last: Generation::before_first(id),
            is_connected: false,
            has_warned: Arc::clone(&self.has_warned),
            denied_streams: RateLimit::new("streams", "subscription denied"),
            outage: Outage::new(Some(id.index() as u64)),
            notices: Some(self.sender.clone()),
            #[cfg(feature = "testing")]
            fences: crate::session::Fences::default(),
        }));
        let last_seen = published.last_seen;
        let session = self.tasks.spawn(TaskName::Session, move || {
            Session::run(Arc::clone(&session), Arc::clone(&last_seen))
        });
        self.nodes.push(ClusterNode {
            id,
            address,
            commands: LazyConnection::new(to),
            links: None,
            hears_any: true,
            well: clock::wall(),
            is_down: false,
            alone_since: None,
            is_cut_off: false,
            gone: BTreeSet::new(),
            agreed: clock::wall(),
            lost: None,
            session,
        });
        Some(id)
    }
}
