//! A name that is on every node that owns slots: random schedules, compared with what a user may rely on.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use crate::broadcast::{Budget, Pace, Receiver, Shared};
use crate::config::Settings;
use crate::dispatch::{Dispatcher, Placing, RoutingTable, StreamReader};
use crate::gap::{Gap, GapCause, Missed};
use crate::push::{Generation, Incoming, NodeId};
use crate::subscription::Subscription;
use crate::util::clock;

const NAME: &str = "__keyspace@0__:*";
const CHANNEL: &str = "__keyspace@0__:key";
/// The node without a server, and the others.
const NODES: usize = 5;

/// A server and its session.
struct Server {
    id: NodeId,
    generation: Generation,
    is_connected: bool,
    is_owner: bool,
    /// Whether there was a look since it has begun or ceased to own slots. What a node has between two looks
    /// that it has at neither of them, nobody sees.
    was_seen: bool,
    is_subscribed: bool,
}

struct World {
    dispatcher: Arc<Dispatcher>,
    /// Streams of the name, in the second of the tests.
    streams: Vec<StreamReader>,
    servers: Vec<Server>,
    receiver: Receiver,
    /// When the last two looks were.
    looks: [SystemTime; 2],
    /// When each message was published.
    published: Vec<SystemTime>,
    heard: Vec<u64>,
    gaps: Vec<Gap>,
}

impl World {
    fn new(has_handler: bool) -> Self {
        let placing = Placing::With(Arc::new(|_, _: &[u8]| NodeId::FIRST));
        let mut routes = RoutingTable::new(placing);
        let shared = Arc::new(Shared::new(1, Budget::default()));
        if has_handler {
            routes.add(&shared, &[Subscription::pattern(NAME)]);
        }
        let receiver = shared.subscribe();
        let settings = Settings {
            linger: Duration::ZERO,
            ..Settings::default()
        };
        let dispatcher = Arc::new(Dispatcher::new(routes, &settings));
        let servers = (1..NODES).map(|_| {
            let id = dispatcher.add_node().node();
            Server {
                id,
                generation: Generation::before_first(id),
                is_connected: false,
                is_owner: true,
                was_seen: false,
                is_subscribed: false,
            }
        });
        Self {
            servers: servers.collect(),
            streams: Vec::new(),
            dispatcher,
            receiver,
            looks: [clock::wall(); 2],
            published: Vec::new(),
            heard: Vec::new(),
            gaps: Vec::new(),
        }
    }

    fn look(&mut self) {
        let now = clock::wall();
        for server in &mut self.servers {
            server.was_seen = true;
        }
        let owners = self.servers.iter().filter(|server| server.is_owner);
        let owners: Vec<_> = owners.map(|server| server.id).collect();
        self.dispatcher.spread(&owners, self.looks[0]);
        self.looks = [self.looks[1], now];
    }

    fn connect(&mut self, at: usize) {
        let server = &mut self.servers[at];
        if !server.is_connected {
            server.generation = server.generation.next();
            server.is_connected = true;
            server.is_subscribed = false;
            self.dispatcher.open(server.generation);
        }
    }

    fn lose(&mut self, at: usize) {
        let server = &mut self.servers[at];
        if std::mem::take(&mut server.is_connected) {
            self.dispatcher.disconnected(server.generation);
            self.dispatcher.end(server.id, Missed::Unknown);
        }
    }

    /// Lets the session of a server ask for what is wanted, and leave what is not.
    fn turn(&mut self, at: usize) {
        let Self {
            dispatcher,
            servers,
            ..
        } = self;
        let server = &mut servers[at];
        if !server.is_connected {
            return;
        }
        let kind = Subscription::pattern(NAME).kind();
        let name = NAME.as_bytes();
        for _ in dispatcher.next_leaving(server.id, 10, clock::now(), true) {
            server.is_subscribed = false;
            let left = Some(0);
            let push = Incoming::Unsubscribed { kind, name, left };
            dispatcher.accept(server.generation, &push);
        }
        for _ in dispatcher.next_wanted(server.id, 10, clock::wall()) {
            server.is_subscribed = true;
            let push = Incoming::Subscribed { kind, name };
            dispatcher.accept(server.generation, &push);
        }
    }

    /// Publishes a number at a server, whether or not anybody listens there.
    fn publish(&mut self, at: usize) {
        let number = self.published.len() as u64;
        let server = &self.servers[at];
        self.published.push(clock::wall());
        if server.is_connected && server.is_subscribed {
            let push = Incoming::Message {
                kind: Subscription::pattern(NAME).kind(),
                name: NAME.as_bytes(),
                channel: CHANNEL.as_bytes(),
                payload: &number.to_be_bytes(),
            };
            self.dispatcher.accept(server.generation, &push);
            self.dispatcher.set_fence(server.id, clock::wall());
        }
    }

    fn read(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(received) = self.receiver.poll_recv(&mut context) {
            let received = received.expect("the channel is open");
            if let Some(loss) = received.gap {
                let gap = loss.gap;
                assert_eq!(
                    gap.cause == GapCause::Initial,
                    self.gaps.is_empty(),
                    "{gap}"
                );
                assert!(gap.since <= gap.until);
                self.gaps.push(gap);
            }
            let Some(skip) = received.batch else { continue };
            let batch = self.receiver.batch().expect("just received");
            for index in skip..batch.len() {
                let payload = &batch.bytes()[batch.payload(index)];
                assert!(!self.gaps.is_empty(), "a message before the initial gap");
                assert_eq!(batch.subscription(index), 0);
                self.heard
                    .push(u64::from_be_bytes(payload.try_into().unwrap()));
            }
        }
    }

    /// What was published while the handler was live is heard once, or missing in a gap.
    fn check(&self) {
        let Some(live) = self.gaps.first().map(|gap| gap.until) else {
            return assert!(self.heard.is_empty());
        };
        for (number, published) in self.published.iter().enumerate() {
            let number = number as u64;
            let times = self.heard.iter().filter(|heard| **heard == number).count();
            let mut gaps = self.gaps.iter();
            let is_told = gaps.any(|gap| gap.since <= *published && *published <= gap.until);
            assert!(times <= 1, "{number} came {times} times");
            assert!(
                times == 1 || is_told || *published < live,
                "{number} is missing outside of {:?}",
                self.gaps
            );
        }
    }
}

fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(true);
    for _ in 0..200 {
        let at = random.usize(..world.servers.len());
        match random.usize(..30) {
            0 => world.lose(at),
            1..5 => world.connect(at),
            5 if at > 0 && world.servers[at].was_seen => {
                let server = &mut world.servers[at];
                (server.is_owner, server.was_seen) = (!server.is_owner, false);
            }
            6..10 => world.look(),
            10..18 => world.turn(at),
            18..28 if world.servers[at].is_owner => world.publish(at),
            _ => world.read(),
        }
    }
    for at in 0..world.servers.len() {
        world.connect(at);
    }
    world.look();
    for _ in 0..3 {
        for at in 0..world.servers.len() {
            world.turn(at);
        }
    }
    let begin = world.published.len() as u64;
    for at in 0..world.servers.len() {
        let Server {
            is_owner,
            is_subscribed,
            ..
        } = world.servers[at];
        assert_eq!(is_owner, is_subscribed, "node {at}");
        if is_owner {
            world.publish(at);
        }
    }
    world.read();
    world.check();
    for number in begin..world.published.len() as u64 {
        assert!(world.heard.contains(&number), "the handler is deaf");
    }
    let owners = world.servers.iter().filter(|one| one.is_owner).count() as u64;
    let counts = world.dispatcher.name_counts().0;
    assert_eq!((counts.all, counts.confirmed), (owners, owners));
    let unconfirmed = world.dispatcher.unconfirmed();
    assert!(unconfirmed.names.is_empty());
    assert_eq!(unconfirmed.total as u64, owners);
}

#[test]
fn every_loss_at_an_owner_of_slots_is_a_gap_and_nothing_comes_twice() {
    for seed in 0..3_000 {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}

impl World {
    fn begin_stream(&mut self) {
        let mut list: Arc<[_]> = [Subscription::pattern(NAME)].into();
        let stream = self
            .dispatcher
            .subscribe(&mut list, Pace::Within(256), usize::MAX);
        self.streams.push(stream.expect("there is no limit"));
    }

    fn turns(&mut self) {
        for _ in 0..4 {
            for at in 0..self.servers.len() {
                self.turn(at);
            }
        }
    }
}

/// Returns how many pushes a stream has to read.
fn received(stream: &mut StreamReader) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    let mut count = 0;
    while let Poll::Ready(Some(received)) = stream.poll_recv(&mut context) {
        if let Some(skip) = received.batch {
            count += stream.batch().expect("just received").len() - skip;
        }
    }
    count
}

fn run_streams(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(false);
    for _ in 0..200 {
        let at = random.usize(..world.servers.len());
        match random.usize(..30) {
            0 => world.lose(at),
            1..4 => world.connect(at),
            4 if at > 0 => world.servers[at].is_owner ^= true,
            5..8 => world.look(),
            8..16 => world.turn(at),
            16..20 if world.servers[at].is_owner => world.publish(at),
            20..23 if world.streams.len() < 3 => world.begin_stream(),
            23..26 if !world.streams.is_empty() => {
                let stream = random.usize(..world.streams.len());
                drop(world.streams.swap_remove(stream));
            }
            _ => _ = world.streams.iter_mut().map(received).sum::<usize>(),
        }
    }
    world.begin_stream();
    for at in 0..world.servers.len() {
        world.connect(at);
    }
    world.look();
    world.turns();
    world.look();
    world.turns();
    world
        .streams
        .iter_mut()
        .for_each(|stream| _ = received(stream));
    let owners: Vec<_> = (0..world.servers.len())
        .filter(|at| world.servers[*at].is_owner)
        .collect();
    for at in &owners {
        world.publish(*at);
    }
    for stream in &mut world.streams {
        assert_eq!(received(stream), owners.len(), "a stream is deaf");
        assert!(stream.is_live(), "a stream does not say that it is live");
    }
    world.streams.clear();
    world.turns();
    let counts = world.dispatcher.name_counts();
    assert_eq!((counts.0.all, counts.1.all), (0, 0));
    assert!(world.dispatcher.lock().routes.is_empty(), "a route is left");
    let is_left = world.servers.iter().any(|server| server.is_subscribed);
    assert!(!is_left, "a server still has the subscription");
}

#[test]
fn streams_of_a_name_on_every_node_come_and_go() {
    for seed in 0..3_000 {
        let outcome = std::panic::catch_unwind(|| run_streams(seed));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}
