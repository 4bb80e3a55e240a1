//! The nodes of a cluster, each with its session.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Coordinator, Session, slot_of};
use crate::connection::bus::BusLinks;
use crate::connection::{Destination, LazyConnection, NodeAddress};
use crate::link::{Link, Own};
use crate::push::NodeId;
use crate::session::Outage;
use crate::tasks::{Task, TaskName};
use crate::util::RateLimit;
use crate::util::clock::{self, LONGEST};

/// How long a node may be lost that the others do not name any more, until its session ends: in intervals
/// between two looks.
const GONE: u32 = 10;

/// A node that has or had names.
pub(super) struct ClusterNode {
    pub(super) id: NodeId,
    pub(super) address: NodeAddress,
    /// A connection for questions, which is made when there is one.
    pub(super) commands: LazyConnection,
    /// When its links with other nodes were last looked at, and how they were.
    pub(super) links: Option<(SystemTime, BusLinks)>,
    /// What is known of its links.
    pub(super) watch: Watch,
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
    /// When readers were last told not to wait for names on it, since it is lost.
    pub(super) given_up: Option<Instant>,
    session: Task,
    /// Ends the session.
    stop: CancellationToken,
}

/// What is known of the links of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Watch {
    /// It was not asked yet.
    New,
    /// It was asked when it was new, and has not answered.
    Asked,
    /// It has told them, or has refused to.
    Answered,
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

    /// Returns a node, unless it is gone.
    pub(super) fn node(&self, id: NodeId) -> Option<&ClusterNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// Returns the node at an address that another one names. If it is new, its session begins. `None` if
    /// it cannot be connected to.
    pub(super) fn node_at(&mut self, address: &NodeAddress, named_by: NodeId) -> Option<NodeId> {
        let named_by = self.node(named_by).map(|node| node.address.host());
        let address = match named_by.filter(|_| address.host().is_empty()) {
            // The node does not say its own host.
            Some(host) => NodeAddress::new(host, address.port()),
            None => address.clone(),
        };
        if let Some(id) = self.known(&address) {
            return Some(id);
        }
        let to = match self.seeds.node(&address) {
            Ok(server) => Destination::Server(server),
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
        let last = self.dispatcher.add_node();
        let id = last.node();
        let stop = self.stop.child_token();
        let published = self.board.add(id);
        self.board.learn_address(id, address.to_string());
        let session = Arc::new(Mutex::new(Session {
            node: id,
            link: Link::Own(Own::new(to.clone(), self.transport)),
            dispatcher: Arc::clone(&self.dispatcher),
            settings: self.settings,
            board: Arc::clone(&self.board),
            stop: stop.clone(),
            heartbeat: published.heartbeat,
            last,
            is_connected: false,
            has_warned: Arc::clone(&self.has_warned),
            denied_streams: RateLimit::new("streams", "subscription denied"),
            outage: Outage::of_node(address.to_string()),
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
            watch: Watch::New,
            hears_any: true,
            well: clock::wall(),
            is_down: false,
            alone_since: None,
            is_cut_off: false,
            gone: BTreeSet::new(),
            agreed: clock::wall(),
            lost: None,
            given_up: None,
            session,
            stop,
        });
        Some(id)
    }

    /// Ends the sessions of nodes that are gone for good: those that are lost, that nobody names any more, and
    /// that no name is on. If one is named again, it is a new node.
    pub(super) fn let_go_of_gone(&mut self) {
        let now = clock::now();
        let gone = GONE * self.settings.topology_interval;
        let (map, dispatcher) = (&self.map, &self.dispatcher);
        let is_gone = |node: &mut ClusterNode| {
            node.lost.is_some_and(|lost| now - lost >= gone)
                && !map.knows(&node.address)
                && !dispatcher.agenda(node.id).has_names()
        };
        for node in self.nodes.extract_if(.., is_gone) {
            tracing::info!(
                target: "redis_push",
                node = %node.address,
                "a node that is lost does not belong to the cluster any more"
            );
            // Names that nobody wants any more wait for their turn there, and may be wanted again.
            let places = &self.places;
            let owner = |_, name: &[u8]| Some(places.get(slot_of(name)));
            self.dispatcher.move_names(node.id, owner);
            self.board.remove(node.id);
            node.stop.cancel();
            // It closes the node.
            self.gone.push(node);
        }
        self.gone.retain(|node| !node.session.is_finished());
    }
}
