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
use crate::push::{Incoming, NodeId};
use crate::subscription::Subscription;
use crate::util::clock;
use crate::util::model::block_on;

use super::model_servers::{Command, Heard, NODES, Reply, Sent, Servers};

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
    fn wait(&self, holds: impl Fn(&Servers) -> bool) -> MutexGuard<'_, Servers> {
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
    fn settle(&self) {
        for _ in 0..100 {
            let mut is_idle = true;
            for at in 0..NODES.len() {
                is_idle &= !self.send(at);
                while self.lock().has_more(at) {
                    self.receive_next(at);
                    is_idle = false;
                }
                self.take_replies(at);
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
            if self.send(at) {
                // No other command is sent before the replies to these have arrived.
                let is_over = |servers: &Servers| servers.nodes[at].is_over() || self.is_stopped();
                drop(self.wait(is_over));
                self.take_replies(at);
            } else {
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

    /// Connects, or sends what there is to send. Returns whether there was something to do.
    fn send(&self, at: usize) -> bool {
        let node = NodeId::at(NODES[at]);
        if !self.dispatcher.is_open(node) {
            self.dispatcher.end(node, Missed::Unknown);
            let generation = self.lock().nodes[at].generation.next();
            self.dispatcher.open(generation);
            self.lock().nodes[at].connect();
        }
        let leaving = self
            .dispatcher
            .next_leaving(node, 10, clock::now(), true)
            .len();
        let wanted = self.dispatcher.next_wanted(node, 10, clock::wall()).len();
        if leaving + wanted == 0 {
            return false;
        }
        assert!(leaving <= 1 && wanted <= 1, "one command for a name");
        let leaving = (0..leaving).map(|_| Command::Unsubscribe);
        let wanted = (0..wanted).map(|_| Command::Subscribe);
        let ping = Command::Ping(clock::wall());
        self.update(|servers| {
            let server = &mut servers.nodes[at];
            if !server.is_broken {
                server.commands.extend(leaving.chain(wanted).chain([ping]));
            }
        });
        true
    }

    /// Takes the replies that have arrived.
    fn take_replies(&self, at: usize) {
        let node = NodeId::at(NODES[at]);
        let replies = self.update(|servers| std::mem::take(&mut servers.nodes[at].replies));
        for reply in replies {
            match reply {
                Reply::Pong(asked) => self.dispatcher.set_fence(node, asked),
                Reply::NotLeft => self.dispatcher.not_left(node, &self.subscription),
                Reply::Moved(to) => {
                    self.dispatcher.refused(node, &self.subscription);
                    self.update(|servers| servers.notices.push_back((node, to)));
                }
            }
        }
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
            Sent::Reply(reply) => {
                let is_read = |servers: &mut Servers| {
                    let server = &mut servers.nodes[at];
                    if server.generation == generation {
                        server.replies.push_back(reply);
                    }
                };
                return self.update(is_read);
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
    fn lose(&self, at: usize) {
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

    /// Starts a thread that ends connections.
    pub(super) fn start_breaker(self: &Arc<Self>) -> JoinHandle<()> {
        let cluster = Arc::clone(self);
        thread::spawn(move || {
            for _ in 0..2 {
                cluster.lose(thread_rng().gen_range(0..NODES.len()));
                thread::yield_now();
            }
        })
    }

    /// Starts a thread that receives everything until the channel is closed.
    pub(super) fn start_reader(self: &Arc<Self>, receiver: Receiver) -> JoinHandle<()> {
        let cluster = Arc::clone(self);
        thread::spawn(move || cluster.read(receiver))
    }

    /// Waits until something holds for the dispatcher.
    pub(super) fn wait_until(&self, holds: impl Fn(&Dispatcher) -> bool) {
        let mut changed = self.dispatcher.changed();
        while !holds(&self.dispatcher) {
            block_on(changed.changed()).unwrap();
        }
    }

    /// Passes on what the servers have sent, and waits until the reader has received a message, the last one.
    pub(super) fn finish(&self, last: u64) {
        self.settle();
        let is_last = |heard: &Heard| matches!(heard, Heard::Message(number) if *number == last);
        drop(self.wait(|servers| servers.heard.last().is_some_and(is_last)));
    }

    fn read(&self, mut receiver: Receiver) {
        while let Some(received) = block_on(receiver.recv()) {
            let gap = received.gap.map(|loss| Heard::Gap(loss.gap));
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
