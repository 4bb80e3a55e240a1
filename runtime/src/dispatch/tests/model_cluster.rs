//! Two nodes for the models: the threads that do what sessions and links do, and the dispatcher.

use std::sync::Arc;
use std::time::Duration;

use shuttle::rand::{Rng as _, thread_rng};
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use shuttle::thread::{self, JoinHandle};
use tokio::sync::watch;

use crate::broadcast::{Budget, Receiver, Shared};
use crate::config::Settings;
use crate::dispatch::{Dispatcher, Placing, RoutingTable};
use crate::gap::Missed;
use crate::push::{Generation, Incoming, NodeId};
use crate::subscription::Subscription;
use crate::util::clock;
use crate::util::model::block_on;

use super::model_servers::{Command, Heard, NODES, Sent, Servers};

/// Two nodes, of which a handler wants one name.
pub(super) struct Cluster {
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) subscription: Subscription,
    servers: Mutex<Servers>,
    /// Notified of what the threads of links and the test wait for.
    changed: Condvar,
    stop: watch::Sender<bool>,
}

impl Cluster {
    pub(super) fn new(subscription: Subscription, owners: &[usize]) -> (Arc<Self>, Receiver) {
        let placing = Placing::With(Arc::new(|_, _: &[u8]| NodeId::at(NODES[0])));
        let mut routes = RoutingTable::new(placing);
        let shared = Arc::new(Shared::new(1, Budget::default()));
        let receiver = shared.subscribe();
        let settings = Settings {
            linger: Duration::ZERO,
            ..Settings::default()
        };
        for _ in NODES {
            routes.nodes.add();
        }
        routes.add(&shared, &[subscription.clone()]);
        let cluster = Self {
            dispatcher: Arc::new(Dispatcher::new(routes, &settings)),
            subscription,
            servers: Mutex::new(Servers::new(owners)),
            changed: Condvar::new(),
            stop: watch::Sender::new(false),
        };
        (Arc::new(cluster), receiver)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap()
    }

    /// Changes the servers, and lets those know who wait for them.
    pub(super) fn update<T>(&self, change: impl FnOnce(&mut Servers) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify_all();
        changed
    }

    /// Waits until something holds for the servers.
    pub(super) fn wait(&self, holds: impl Fn(&Servers) -> bool) -> MutexGuard<'_, Servers> {
        let mut servers = self.lock();
        while !holds(&servers) {
            servers = self.changed.wait(servers).unwrap();
        }
        servers
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Starts the sessions and the links.
    pub(super) fn start(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        let spawn = |run: fn(&Self, usize), at| {
            let cluster = Arc::clone(self);
            thread::spawn(move || run(&cluster, at))
        };
        let both =
            (0..NODES.len()).flat_map(|at| [spawn(Self::session, at), spawn(Self::link, at)]);
        both.collect()
    }

    /// Ends the sessions and the links, and does what is left for them to do.
    pub(super) fn stop(&self, threads: Vec<JoinHandle<()>>) {
        self.stop.send_replace(true);
        self.update(|_| {});
        for thread in threads {
            thread.join().unwrap();
        }
        self.settle();
    }

    /// Does everything that is left to do for the sessions, the links and the coordinator.
    pub(super) fn settle(&self) {
        for _ in 0..100 {
            let mut is_idle = true;
            for at in 0..NODES.len() {
                is_idle &= !self.take_turn(at, false);
                while self.lock().has_more(at) {
                    self.receive_next(at);
                    is_idle = false;
                }
            }
            while let Some((from, to)) = self.update(|servers| servers.notices.pop_front()) {
                self.dispatcher.move_name(from, &self.subscription, to);
                is_idle = false;
            }
            if is_idle {
                return;
            }
        }
        panic!("it does not end: {:?}", self.dispatcher);
    }

    /// Runs the session of a node.
    fn session(&self, at: usize) {
        let (mut changed, mut stop) = (self.dispatcher.changed(), self.stop.subscribe());
        while !self.is_stopped() {
            changed.mark_unchanged();
            let pings = thread_rng().gen_range(0..2) == 0;
            if !self.take_turn(at, pings) {
                block_on(async {
                    tokio::select! {
                        biased;
                        _ = changed.changed() => {}
                        _ = stop.changed() => {}
                    }
                });
            }
        }
    }

    /// Takes a turn of a session: connects, or sends what there is to send. Returns whether there was
    /// something to do.
    fn take_turn(&self, at: usize, pings: bool) -> bool {
        let node = NodeId::at(NODES[at]);
        if !self.dispatcher.is_open(node) {
            self.dispatcher.end(node, Missed::Unknown);
            let generation = self.lock().nodes[at].generation.next();
            self.dispatcher.open(generation);
            self.lock().nodes[at].connect();
            return true;
        }
        let leaving = self.dispatcher.next_leaving(node, 10, clock::now(), true);
        let wanted = self.dispatcher.next_wanted(node, 10, clock::wall());
        let commands = leaving.iter().map(|_| Command::Unsubscribe);
        let commands = commands.chain(wanted.iter().map(|_| Command::Subscribe));
        let pong = pings.then(|| Command::Ping(clock::wall()));
        let commands: Vec<_> = commands.chain(pong).collect();
        self.update(|servers| {
            let server = &mut servers.nodes[at];
            if !server.is_broken {
                server.commands.extend(commands);
            }
        });
        !leaving.is_empty() || !wanted.is_empty()
    }

    /// Runs the link of a node, and lets the server answer.
    fn link(&self, at: usize) {
        loop {
            let servers = self.wait(|servers| servers.has_more(at) || self.is_stopped());
            if !servers.has_more(at) {
                return;
            }
            drop(servers);
            self.receive_next(at);
        }
    }

    /// Passes on the next thing that a server has sent.
    fn receive_next(&self, at: usize) {
        let Some((generation, sent)) = self.update(|servers| servers.next(at)) else {
            return;
        };
        let payload;
        let (kind, name) = self.subscription.key();
        let push = match sent {
            Sent::Subscribed => Incoming::Subscribed { kind, name },
            Sent::Unsubscribed => {
                let left = None;
                Incoming::Unsubscribed { kind, name, left }
            }
            Sent::Message(number) => {
                payload = number.to_be_bytes();
                Incoming::Message {
                    kind,
                    name,
                    channel: name,
                    payload: &payload,
                }
            }
            Sent::Closed => Incoming::Disconnected,
            Sent::NotLeft | Sent::Pong(_) => {
                // The session of a connection that has ended does not read replies any more.
                let servers = self.lock();
                if servers.nodes[at].generation == generation {
                    match sent {
                        Sent::Pong(asked) => self.dispatcher.set_fence(generation.node(), asked),
                        _ => self
                            .dispatcher
                            .not_left(generation.node(), &self.subscription),
                    }
                }
                return;
            }
        };
        self.dispatcher
            .dispatch(generation, |guard| guard.push(&push));
    }

    /// Does what the coordinator does until the end: moves the name as the nodes say.
    pub(super) fn follow(&self) {
        loop {
            let mut servers = self.wait(|servers| !servers.notices.is_empty() || self.is_stopped());
            let Some((from, to)) = servers.notices.pop_front() else {
                return;
            };
            drop(servers);
            self.dispatcher.move_name(from, &self.subscription, to);
        }
    }

    /// Ends the connection to a node. The link notices it before or after the rest of what was sent, or the
    /// session does.
    pub(super) fn lose(&self, at: usize) {
        let how = thread_rng().gen_range(0..3);
        let server = |servers: &mut Servers| {
            servers.nodes[at].disconnect(how == 0, how == 1);
            servers.nodes[at].generation
        };
        let generation = self.update(server);
        if how == 2 {
            self.dispatcher.disconnected(generation);
        }
    }

    /// Receives everything until the channel is closed.
    pub(super) fn read(&self, mut receiver: Receiver) {
        while let Some(received) = block_on(receiver.recv()) {
            let gap = received.gap.map(|gap| Heard::Gap(*gap));
            let mut heard: Vec<_> = gap.into_iter().collect();
            if let Some(skip) = received.batch {
                let batch = receiver.batch().expect("just received");
                heard.extend((skip..batch.len()).map(|index| {
                    let payload = &batch.bytes()[batch.payload(index)];
                    Heard::Message(u64::from_be_bytes(payload.try_into().unwrap()))
                }));
            }
            self.update(|servers| servers.heard.extend(heard));
        }
    }
}
