//! Names on several nodes: random schedules, compared with what a user may rely on.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::broadcast::{Budget, Receiver, Shared};
use crate::config::Settings;
use crate::dispatch::{Dispatcher, Placing, RoutingTable, SubscriptionState};
use crate::gap::{GapCause, Missed};
use crate::push::{Generation, Incoming, NodeId};
use crate::subscription::{Kind, Subscription};
use crate::util::clock;

const NODES: u16 = 3;
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const KIND: Kind = Kind::Channel;

/// A dispatcher whose servers and handlers are played by the test.
struct World {
    dispatcher: Dispatcher,
    generations: Vec<Generation>,
    /// The node of each name.
    places: Vec<usize>,
    /// The names that are subscribed on their nodes.
    subscribed: Vec<bool>,
    /// How many messages were published to each name.
    published: Vec<u32>,
    handlers: Vec<Handler>,
}

struct Handler {
    receiver: Receiver,
    /// The indices of its names.
    names: Vec<usize>,
    subscriptions: Vec<Subscription>,
    /// The last message of each name, and how many gaps were received before it that concern the name.
    last: HashMap<usize, (u32, u32)>,
    /// How many gaps were received, and how many that concern each name.
    gaps: u32,
    gaps_of: [u32; NAMES.len()],
    /// How often a connection was lost that has one of its names, and how often one was moved.
    losses: u32,
    was_live: bool,
}

impl World {
    fn new(random: &mut fastrand::Rng) -> Self {
        let placing = Placing::Hashed(NODES);
        let place = |name: &&str| placing.node_of(KIND, name.as_bytes()).index();
        let places = NAMES.iter().map(place).collect();
        let mut routes = RoutingTable::new(placing);
        let mut handlers = Vec::new();
        for _ in 0..6 {
            let mut names: Vec<_> = (0..NAMES.len()).collect();
            random.shuffle(&mut names);
            names.truncate(random.usize(1..=4));
            let shared = Arc::new(Shared::new(names.len(), Budget::default()));
            let list: Vec<_> = names
                .iter()
                .map(|at| Subscription::channel(NAMES[*at]))
                .collect();
            routes.add(&shared, &list);
            handlers.push(Handler {
                receiver: shared.subscribe(),
                names,
                subscriptions: list,
                last: HashMap::new(),
                gaps: 0,
                gaps_of: [0; NAMES.len()],
                losses: 0,
                was_live: false,
            });
        }
        let nodes = (0..usize::from(NODES)).map(NodeId::at);
        let mut world = Self {
            dispatcher: Dispatcher::new(routes, &Settings::default()),
            generations: nodes.map(Generation::before_first).collect(),
            places,
            subscribed: vec![false; NAMES.len()],
            published: vec![0; NAMES.len()],
            handlers,
        };
        for node in 0..world.generations.len() {
            world.connect(node);
        }
        world
    }

    fn connect(&mut self, node: usize) {
        self.generations[node] = self.generations[node].next();
        self.dispatcher.open(self.generations[node]);
    }

    fn lose(&mut self, node: usize) {
        let places = self.places.clone();
        let is_here = |name: &usize| places[*name] == node;
        // The link notices the end, or the session does.
        self.dispatcher.disconnected(self.generations[node]);
        self.dispatcher.end(NodeId::at(node), Missed::Unknown);
        for handler in &mut self.handlers {
            handler.losses += u32::from(handler.names.iter().any(is_here));
        }
        for name in (0..NAMES.len()).filter(is_here) {
            self.subscribed[name] = false;
        }
    }

    /// Connects a node if it has no connection.
    fn connect_again(&mut self, node: usize) {
        if !self.dispatcher.is_open(NodeId::at(node)) {
            self.connect(node);
        }
    }

    /// Moves a name, whose node may have ended its subscription.
    fn move_name(&mut self, name: usize, to: usize, has_ended: bool) {
        let from = self.places[name];
        if has_ended && self.subscribed[name] {
            let (kind, left) = (KIND, None);
            let name = NAMES[name].as_bytes();
            let push = Incoming::Unsubscribed { kind, name, left };
            self.dispatcher.accept(self.generations[from], &push);
        }
        if from == to {
            self.subscribed[name] &= !has_ended;
            self.count_move(|moved| moved == name && has_ended);
            return;
        }
        let (from, node) = (NodeId::at(from), NodeId::at(to));
        let is_it = |one: &[u8]| one == NAMES[name].as_bytes();
        self.dispatcher
            .move_names(from, |_, one| is_it(one).then_some(node));
        self.places[name] = to;
        self.subscribed[name] = false;
        self.count_move(|moved| moved == name);
    }

    /// Moves all names of a node that is gone to others.
    fn move_names(&mut self, from: usize, random: &mut fastrand::Rng) {
        let targets: Vec<_> = NAMES
            .iter()
            .map(|_| random.usize(..usize::from(NODES)))
            .collect();
        let at = |name: &[u8]| NAMES.iter().position(|one| one.as_bytes() == name).unwrap();
        self.dispatcher.move_names(NodeId::at(from), |_, name| {
            Some(NodeId::at(targets[at(name)]))
        });
        for (place, target) in self.places.iter_mut().zip(targets) {
            if *place == from {
                *place = target;
            }
        }
    }

    fn count_move(&mut self, is_moved: impl Fn(usize) -> bool) {
        for handler in &mut self.handlers {
            handler.losses += u32::from(handler.names.iter().any(|name| is_moved(*name)));
        }
    }

    fn confirm(&mut self, name: usize) {
        let node = NodeId::at(self.places[name]);
        self.connect_again(node.index());
        let left = self.dispatcher.next_leaving(node, 10, clock::now(), true);
        for subscription in left {
            let (kind, name) = subscription.key();
            let left = None;
            let push = Incoming::Unsubscribed { kind, name, left };
            self.dispatcher
                .accept(self.generations[node.index()], &push);
        }
        self.dispatcher.next_wanted(node, 10, clock::wall());
        let bytes = NAMES[name].as_bytes();
        let push = Incoming::Subscribed {
            kind: KIND,
            name: bytes,
        };
        self.dispatcher
            .accept(self.generations[node.index()], &push);
        self.subscribed[name] = true;
    }

    fn publish(&mut self, name: usize, random: &mut fastrand::Rng) {
        self.published[name] += 1;
        let payload = [name as u32, self.published[name]].map(u32::to_be_bytes);
        let channel = NAMES[name].as_bytes();
        let message = Incoming::Message {
            kind: KIND,
            name: channel,
            channel,
            payload: payload.as_flattened(),
        };
        let node = self.places[name];
        // What another node sends, or a connection that has ended, is not taken.
        let stale = match random.usize(..3) {
            0 => self.generations[(node + 1) % self.generations.len()],
            1 => Generation::before_first(NodeId::at(node)),
            _ => Generation::NONE,
        };
        self.dispatcher.accept(stale, &message);
        if self.subscribed[name] {
            self.dispatcher.accept(self.generations[node], &message);
        }
    }
}

impl Handler {
    /// Receives everything that waits.
    fn read(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(received) = self.receiver.poll_recv(&mut context) {
            let received = received.expect("the channel is open");
            if let Some(loss) = received.gap {
                let gap = loss.named(&self.subscriptions);
                let is_first = !std::mem::replace(&mut self.was_live, true);
                assert_eq!(gap.cause == GapCause::Initial, is_first, "{gap}");
                assert!(gap.since <= gap.until);
                self.gaps += u32::from(!is_first);
                assert!(self.gaps <= self.losses, "a gap without a loss");
                for name in &self.names {
                    let mut names = gap.names().unwrap_or(&self.subscriptions).iter();
                    let is_concerned = names.any(|one| one.name() == NAMES[*name]);
                    self.gaps_of[*name] += u32::from(!is_first && is_concerned);
                }
            }
            let Some(skip) = received.batch else { continue };
            let batch = self.receiver.batch().expect("just received");
            for index in skip..batch.len() {
                let payload = &batch.bytes()[batch.payload(index)];
                let [name, number] =
                    [0, 4].map(|at| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap()));
                assert!(self.was_live, "a message before the initial gap");
                let name = name as usize;
                assert_eq!(self.names[batch.subscription(index)], name);
                let gaps = self.gaps_of[name];
                if let Some((last, before)) = self.last.insert(name, (number, gaps)) {
                    assert!(number > last, "a message came twice, or out of order");
                    let is_reported = gaps > before;
                    assert!(number == last + 1 || is_reported, "a loss without a gap");
                }
            }
        }
    }
}

fn run(seed: u64, moves_live_names: bool) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(&mut random);
    for _ in 0..200 {
        let name = random.usize(..NAMES.len());
        let node = random.usize(..usize::from(NODES));
        match random.usize(..24) {
            0 => {
                world.lose(node);
                match random.usize(..3) {
                    0 => world.move_names(node, &mut random),
                    1 => {}
                    _ => world.connect(node),
                }
            }
            20 => world.move_name(name, node, true),
            21 if moves_live_names => world.move_name(name, node, false),
            1..8 if !world.subscribed[name] => world.confirm(name),
            8..16 => world.publish(name, &mut random),
            _ => {
                let handler = random.usize(..world.handlers.len());
                world.handlers[handler].read();
            }
        }
    }
    for node in 0..usize::from(NODES) {
        world.connect_again(node);
    }
    for name in 0..NAMES.len() {
        if !world.subscribed[name] {
            world.confirm(name);
        }
        world.publish(name, &mut random);
    }
    for handler in &mut world.handlers {
        handler.read();
        for name in &handler.names {
            let last = handler.last.get(name).map(|(number, _)| *number);
            assert_eq!(last, Some(world.published[*name]), "a handler is deaf");
        }
    }
    let is_confirmed = |state: &SubscriptionState| state.is_confirmed();
    let confirmed = world.dispatcher.subscriptions(is_confirmed).len();
    assert_eq!(world.dispatcher.name_counts().0.confirmed, confirmed as u64);
}

#[test]
fn every_loss_is_a_gap_of_the_handlers_with_a_name_on_that_node_only() {
    for seed in 0..3_000 {
        let outcome = std::panic::catch_unwind(|| run(seed, seed % 2 == 0));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}

#[test]
fn names_are_spread_evenly_and_prefixes_are_on_the_first_node() {
    let placing = Placing::Hashed(NODES);
    let mut counts = [0; NODES as usize];
    for number in 0..30_000 {
        let name = format!("quotes.{number}");
        counts[placing.node_of(KIND, name.as_bytes()).index()] += 1;
        let prefix = placing.node_of(Kind::Invalidation, name.as_bytes());
        assert_eq!(prefix, NodeId::FIRST);
    }
    assert!(
        counts.iter().all(|count| (9_000..11_000).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn the_channels_are_closed_with_the_last_node() {
    let mut random = fastrand::Rng::with_seed(0);
    let mut world = World::new(&mut random);
    let mut context = Context::from_waker(Waker::noop());
    for node in 0..usize::from(NODES) {
        let is_open = |handler: &mut Handler| handler.receiver.poll_recv(&mut context).is_pending();
        assert!(world.handlers.iter_mut().all(is_open));
        world.dispatcher.close_node(NodeId::at(node));
    }
    for handler in &mut world.handlers {
        let received = handler.receiver.poll_recv(&mut context);
        assert!(matches!(received, Poll::Ready(None)));
    }
}
