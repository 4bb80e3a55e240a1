//! The coordinator of a cluster: which nodes there are, and which names are on each.
//!
//! The nodes' sessions do what one session does for one server. The coordinator runs beside them:
//!
//! ```text
//!            CLUSTER SLOTS                 add_node, place, move_name
//!   nodes ───────────────▶ Coordinator ───────────────────────────────▶ dispatcher
//!     ▲                     ▲       │
//!     │ commands            │       │ one for each node
//!     └────────── Session ──┘ ◀─────┘
//!            Moved, Lost (Notice)
//! ```
//!
//! The map of slots is a hint. What decides is the confirmation of a name on the node where it is placed:
//!
//! | event | what happens |
//! | --- | --- |
//! | a node answers `MOVED` to `SSUBSCRIBE` | the slot has the owner that it names, and the name moves there |
//! | a node ends the subscription of a sharded channel | its session asks the same node again, which answers `MOVED` |
//! | the connection to a node is lost | other nodes are asked again and again ([`Trouble`]) until it is back, or its slots have another owner: then their names move there |
//! | a node is not back after [`PATIENCE`] | its channels and patterns move to the other nodes, which all hear them |
//! | links between the nodes were reset | the readers of channels and patterns of the node that they lead to receive a gap |
//! | a node hears no other one, or says that the cluster is down | its channels and patterns move to nodes that do hear others |
//! | a sharded channel is on a node that does not own its slot, as one that was replaced | it moves to the owner |
//! | nobody owns a slot | its names wait on [`NOWHERE`] |
//! | a node owns slots that has owned none | key events and invalidations are asked for there too, and their readers receive a gap |
//! | every `topology_interval` | one node is asked for the map, each in its turn |
//!
//! A channel or pattern is placed on the owner of its slot when it comes, and stays: moving it from one live
//! node to another would lose messages, as the nodes pass them on at different times.

mod bus;
mod look;
mod nodes;
mod places;
mod trouble;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::board::{Board, Published};
use super::heartbeat::Connected;
use super::{Outage, Phase, Session};
use crate::config::Settings;
use crate::connection::slots::{Slot, SlotMap};
use crate::connection::{Destination, LazyConnection, Moved, NodeAddress, Seeds};
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::link::Transport;
use crate::push::NodeId;
use crate::subscription::{Kind, Subscription};
use crate::tasks::Tasks;
use crate::util::clock;

use nodes::ClusterNode;
use places::Pauses;
pub(crate) use places::Places;
use trouble::{SOON, Trouble};

/// Where names wait for an owner of their slot. It has no session.
pub(crate) const NOWHERE: NodeId = NodeId::FIRST;

/// How long a node may be lost before its channels and patterns move to other nodes.
const PATIENCE: Duration = Duration::from_millis(300);

/// What the sessions of the nodes tell the coordinator.
#[derive(Debug)]
pub(crate) enum Notice {
    /// A node has answered a subscribe command with `MOVED`.
    Moved {
        from: NodeId,
        subscription: Subscription,
        moved: Moved,
    },
    /// The connection to a node is lost, or could not be made.
    Lost,
}

/// What the session of a node of a cluster needs of it.
pub(crate) type Notices = mpsc::UnboundedSender<Notice>;

/// The state of the coordinator. It survives a restart of its task.
pub(crate) struct Coordinator {
    seeds: Seeds,
    /// The connections to them for questions.
    asked: Vec<Seed>,
    transport: Transport,
    dispatcher: Arc<Dispatcher>,
    settings: Settings,
    board: Arc<Board>,
    tasks: Arc<Tasks>,
    stop: CancellationToken,
    has_warned: Arc<AtomicBool>,
    /// Whether a warning is logged that links are not watched.
    has_warned_of_bus: bool,
    /// What is published for [`NOWHERE`].
    published: Published,
    connected: Option<Connected>,
    notices: mpsc::UnboundedReceiver<Notice>,
    sender: Notices,
    /// `MOVED`s that are followed later, because their slot has just moved.
    later: VecDeque<(Instant, Notice)>,
    pauses: Pauses,
    map: SlotMap,
    places: Arc<Places>,
    /// Whether all sharded channels were on the owners of their slots, and nothing has changed since.
    are_followed: bool,
    /// How many subscriptions the nodes had ended by themselves.
    ended: u64,
    nodes: Vec<ClusterNode>,
    /// Nodes that are let go of, whose sessions have not ended yet.
    gone: Vec<ClusterNode>,
    /// Since when there are names whose slots no node serves, or when readers were last told not to wait for them.
    unserved: Option<Instant>,
    /// When the last two maps were asked for whose owners were all connected.
    right: [SystemTime; 2],
    next_look: Instant,
    trouble: Trouble,
    /// What is logged while no node says which node has which slots.
    outage: Outage,
    /// Which node is asked next.
    turn: usize,
}

struct Seed {
    address: NodeAddress,
    commands: LazyConnection,
}

/// What the coordinator shares with the rest of the subscriber.
pub(crate) struct Surroundings {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) settings: Settings,
    pub(crate) board: Arc<Board>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) stop: CancellationToken,
}

impl Coordinator {
    /// Creates a coordinator that finds the other nodes by asking these.
    pub(crate) fn new(
        seeds: Seeds,
        transport: Transport,
        places: Arc<Places>,
        around: Surroundings,
    ) -> Self {
        let asked = seeds.each().map(|(address, server)| Seed {
            address,
            commands: LazyConnection::new(Destination::Server(Arc::clone(server))),
        });
        let Surroundings {
            dispatcher,
            settings,
            board,
            tasks,
            stop,
        } = around;
        let (sender, notices) = mpsc::unbounded_channel();
        board.is_of_cluster();
        Self {
            asked: asked.collect(),
            seeds,
            transport,
            published: board.add(NOWHERE),
            connected: None,
            dispatcher,
            settings,
            board,
            tasks,
            stop,
            has_warned: Arc::default(),
            has_warned_of_bus: false,
            notices,
            sender,
            later: VecDeque::new(),
            pauses: Pauses::default(),
            map: SlotMap::new(),
            places,
            are_followed: false,
            ended: 0,
            nodes: Vec::new(),
            gone: Vec::new(),
            unserved: None,
            right: [clock::wall(); 2],
            next_look: clock::now(),
            trouble: Trouble::default(),
            outage: Outage::default(),
            turn: 0,
        }
    }

    /// Runs the coordinator's task, and the sessions of the nodes.
    pub(crate) async fn run(coordinator: Arc<Mutex<Self>>) {
        let mut coordinator = coordinator.lock().await;
        let last_seen = Arc::clone(&coordinator.published.last_seen);
        tokio::select! {
            () = coordinator.coordinate() => {}
            never = last_seen.keep_touching() => never,
        }
    }

    async fn coordinate(&mut self) {
        let stop = self.stop.clone();
        let mut changed = self.dispatcher.changed();
        loop {
            let due = self.later.front().map(|(due, _)| *due);
            let until = due.map_or(self.next_look, |due| due.min(self.next_look));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(notice) = self.notices.recv() => self.notice(notice),
                // Names have come or gone, which matters if a node has the first or the last.
                _ = changed.changed() => {}
                () = sleep_until(until) => {}
            }
            let ended = self.dispatcher.ended_by_servers();
            if std::mem::replace(&mut self.ended, ended) != ended {
                // A node that was replaced takes them again, and says nothing of the new owner.
                self.are_followed = false;
                self.look_soon();
            }
            let now = clock::now();
            while let Some((due, _)) = self.later.front()
                && *due <= now
                && let Some((_, notice)) = self.later.pop_front()
            {
                self.follow(notice);
            }
            if now >= self.next_look {
                self.publish();
                tokio::select! {
                    biased;
                    () = stop.cancelled() => break,
                    () = self.look() => {}
                }
            }
            self.publish();
        }
        for node in self.nodes.iter().chain(&self.gone) {
            node.ended().await;
        }
        self.dispatcher.close_node(NOWHERE);
    }

    fn notice(&mut self, notice: Notice) {
        self.are_followed = false;
        match &notice {
            Notice::Lost => self.look_soon(),
            Notice::Moved { moved, .. } => {
                self.trouble.note_change();
                self.look_soon();
                let now = clock::now();
                match self.pauses.before(moved.slot, now) {
                    Duration::ZERO => self.follow(notice),
                    pause => {
                        // They are nearly in order: the pauses are short.
                        self.later.push_back((now + pause, notice));
                    }
                }
            }
        }
    }

    /// Follows a `MOVED`: the name is asked for where it says.
    fn follow(&mut self, notice: Notice) {
        let Notice::Moved {
            from,
            subscription,
            moved,
        } = notice
        else {
            return;
        };
        let to = moved.to.and_then(|to| self.node_at(&to, from));
        if let Some(to) = to.filter(|_| !moved.is_ask)
            && let Some(address) = self.node(to).map(|node| node.address.clone())
        {
            self.map.set_owner(moved.slot, &address);
            self.places.set(moved.slot, to);
            self.dispatcher.move_name(from, &subscription, to);
        } else {
            self.dispatcher.move_name(from, &subscription, NOWHERE);
        }
    }

    /// Makes the next look come soon.
    fn look_soon(&mut self) {
        self.next_look = self.next_look.min(clock::now() + SOON);
    }

    /// Publishes whether names wait for an owner of their slots, and which sessions matter.
    fn publish(&mut self) {
        for node in &self.nodes {
            let has_names = self.dispatcher.agenda(node.id).has_names();
            // Its session may have confirmed that it has none, and not know of those that it has got since.
            let is_pending = || self.dispatcher.agenda(node.id).handlers.pending() > 0;
            self.board.recheck(node.id, is_pending);
            self.board.set_idle(node.id, !has_names);
        }
        let waiting = self.dispatcher.agenda(NOWHERE).handlers;
        let is_known = self.map.covered() > 0;
        self.board.update(NOWHERE, |status| {
            if waiting.all == 0 && is_known {
                status.phase = Phase::Confirmed;
                status.error = None;
            } else {
                status.phase = Phase::Pending;
                if is_known {
                    let error = "no node of the cluster serves the slots of some names";
                    status.error = Some(Arc::new(Error::connection(error)));
                }
            }
        });
        if is_known && self.connected.is_none() {
            self.connected = Some(self.published.heartbeat.connected());
        }
    }
}

/// Returns the slot of a name.
fn slot_of(name: &[u8]) -> Slot {
    Slot::of(name)
}

/// Whether every node of a cluster hears a kind of names.
fn is_heard_everywhere(kind: Kind) -> bool {
    matches!(kind, Kind::Channel | Kind::Pattern)
}
