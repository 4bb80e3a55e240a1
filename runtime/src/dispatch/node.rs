//! The nodes: how the connection to each of them stands, and which of its names are to do.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::SystemTime;

use super::counts::Counts;
use super::generation::GenerationEnds;
use super::name::Route;
use super::spread::Part;
use super::turns::Turns;
use crate::broadcast::{GapStart, Shared};
use crate::gap::{GapCause, Missed};
use crate::push::{Generation, NodeId};
use crate::util::{AtomicU64, Mutex, clock};

/// One node, as the dispatcher sees it. The session of the node opens and ends its generations.
///
/// A *term* is a time in which the states of the names on the node hold: from the beginning of a
/// generation to its end, or between two generations. A new term makes every name pending, without a walk
/// over all of them.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) generation: Generation,
    /// Whether the generation is open. Pushes of any other generation are discarded.
    pub(super) open: bool,
    /// Whether it is closed. Then no generation of it opens any more.
    pub(super) closed: bool,
    /// Whether a name has been confirmed in this generation.
    pub(super) live: bool,
    /// The gap between the last live generation and this one.
    pub(super) before: GapStart,
    pub(super) ends: GenerationEnds,
    /// A time at which nothing was missing from this node: see the fence (`broadcast::fence`).
    pub(super) fence: SystemTime,
    /// The times in the ping fences that the server has not confirmed.
    pub(super) pings: VecDeque<SystemTime>,
    /// How many pushes were accepted.
    pub(super) pushes: u64,
    /// Whether the link waits for a full buffer.
    pub(super) is_waiting: bool,
    /// The last fence of the test kit that has passed.
    #[cfg(feature = "testing")]
    pub(super) kit_fence: u64,
    /// The number of the term. No two terms have the same one, whatever the node.
    pub(super) term: u64,
    pub(super) counts: Counts,
    pub(super) turns: Turns,
}

impl Node {
    fn new(id: NodeId, term: u64, now: SystemTime) -> Self {
        Self {
            generation: Generation::before_first(id),
            open: false,
            closed: false,
            live: false,
            before: GapStart {
                cause: GapCause::Initial,
                missed: Missed::Exactly(0),
                since: now,
            },
            ends: GenerationEnds::default(),
            fence: now,
            pings: VecDeque::new(),
            pushes: 0,
            is_waiting: false,
            #[cfg(feature = "testing")]
            kit_fence: 0,
            term,
            counts: Counts::default(),
            turns: Turns::default(),
        }
    }

    /// Returns the gap before the current generation for a channel, of which no name may have been
    /// confirmed for several generations.
    pub(super) fn before(&self, shared: &Shared) -> GapStart {
        let entered = shared.entered(self.generation);
        self.ends.before(entered, self.before)
    }

    /// Counts a route of a name on this node.
    pub(super) fn count(&mut self, route: &Route) {
        if route.part != Part::Anchor {
            self.counts.add(route.counted(self.term));
        }
    }

    /// Counts it no more.
    pub(super) fn uncount(&mut self, route: &Route) {
        if route.part != Part::Anchor {
            self.counts.remove(route.counted(self.term));
        }
    }
}

/// The nodes, of which there is at least one.
#[derive(Debug)]
pub(super) struct Nodes {
    all: Vec<Node>,
    /// The number of the last term.
    last_term: u64,
}

impl Nodes {
    pub(super) fn new(count: usize) -> Self {
        let now = clock::wall();
        let ids = (0..count).map(NodeId::at);
        Self {
            all: ids
                .zip(0..)
                .map(|(id, term)| Node::new(id, term, now))
                .collect(),
            last_term: count as u64,
        }
    }

    /// Adds a node.
    pub(super) fn add(&mut self) -> NodeId {
        self.last_term += 1;
        let id = NodeId::at(self.all.len());
        self.all.push(Node::new(id, self.last_term, clock::wall()));
        id
    }

    /// Opens the place of a node that was closed for another one, whose connections are numbered on. Returns the
    /// last generation there.
    pub(super) fn open_again(&mut self) -> Option<Generation> {
        let mut closed = self.all.iter_mut();
        let node = closed.find(|node| node.closed)?;
        let before = node.generation;
        node.closed = false;
        node.live = false;
        node.fence = clock::wall();
        // Names that have left the other node find its losses in `ends`.
        node.before.since = node.fence;
        node.pings = VecDeque::new();
        self.begin_term(before.node());
        Some(before)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Node> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Node> {
        self.all.iter_mut()
    }

    /// Begins a term of a node: every name on it is pending, and no command is sent.
    pub(super) fn begin_term(&mut self, id: NodeId) {
        self.last_term += 1;
        let node = &mut self.all[id.index()];
        node.term = self.last_term;
        node.counts.reset();
        node.turns.begin_term();
    }

    /// Moves the fence of a node. Returns the earliest fence of the nodes that are live, at which nothing
    /// was missing from any of them. What is lost while a node is not live is a gap of its own.
    pub(super) fn set_fence(&mut self, id: NodeId, time: SystemTime) -> SystemTime {
        self.all[id.index()].fence = time;
        let live = self.all.iter().filter(|node| node.live);
        live.map(|node| node.fence).min().unwrap_or(time)
    }
}

impl Index<NodeId> for Nodes {
    type Output = Node;

    #[inline]
    fn index(&self, id: NodeId) -> &Node {
        &self.all[id.index()]
    }
}

impl IndexMut<NodeId> for Nodes {
    #[inline]
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.all[id.index()]
    }
}

/// Which generation of each node is open: for streams, which ask often and take no lock of the dispatcher
/// for it.
#[derive(Debug)]
pub(super) struct Open {
    /// The bits of the first node's. Most often there is no other.
    first: AtomicU64,
    others: Mutex<Vec<u64>>,
}

impl Open {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            first: AtomicU64::new(Generation::NONE.to_bits()),
            others: Mutex::new(vec![Generation::NONE.to_bits(); nodes.saturating_sub(1)]),
        }
    }

    /// Adds a node.
    pub(super) fn add(&self) {
        self.others.lock().push(Generation::NONE.to_bits());
    }

    /// Returns whether a generation is open. The time before the first one is not.
    pub(super) fn is(&self, generation: Generation) -> bool {
        let open = match generation.node().index() {
            0 => self.first.load(Acquire),
            other => self.others.lock()[other - 1],
        };
        open == generation.to_bits() && generation.number() > 0
    }

    /// Returns whether a generation of any node is open.
    pub(super) fn is_any(&self) -> bool {
        let is_open = |bits: &u64| Generation::from_bits(*bits).number() > 0;
        is_open(&self.first.load(Acquire)) || self.others.lock().iter().any(is_open)
    }

    /// Publishes whether the generation of a node is open, after a change of it.
    pub(super) fn publish(&self, node: &Node) {
        let open = if node.open {
            node.generation
        } else {
            Generation::NONE
        };
        match node.generation.node().index() {
            0 => self.first.store(open.to_bits(), Release),
            other => self.others.lock()[other - 1] = open.to_bits(),
        }
    }
}
