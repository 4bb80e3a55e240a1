//! The servers of the models of two nodes, with what is on the way to them and back.

use std::collections::VecDeque;
use std::time::SystemTime;

use shuttle::rand::{Rng as _, thread_rng};

use crate::gap::{Gap, GapCause};
use crate::push::{Generation, NodeId};
use crate::util::clock;

/// The two nodes. The first one of the dispatcher is without a server.
pub(super) const NODES: [usize; 2] = [1, 2];

/// What the servers know, and what is under way.
pub(super) struct Servers {
    pub(super) nodes: [Server; 2],
    /// The nodes that take subscriptions to the name. Others answer `MOVED`.
    pub(super) owners: Vec<NodeId>,
    /// The `MOVED`s for the coordinator: from where, and to where.
    pub(super) notices: VecDeque<(NodeId, NodeId)>,
    /// When each message was published.
    pub(super) published: Vec<SystemTime>,
    /// At which node, or at both.
    pub(super) published_at: Vec<Vec<NodeId>>,
    pub(super) heard: Vec<Heard>,
}

/// A server and the connection to it.
pub(super) struct Server {
    id: NodeId,
    pub(super) generation: Generation,
    pub(super) is_broken: bool,
    is_subscribed: bool,
    pub(super) commands: VecDeque<Command>,
    /// What it has sent, with the connection.
    wire: VecDeque<(Generation, Sent)>,
    /// The replies that have arrived.
    pub(super) replies: VecDeque<Reply>,
}

#[derive(Clone, Copy)]
pub(super) enum Command {
    Subscribe,
    Unsubscribe,
    Ping(SystemTime),
}

#[derive(Clone, Copy)]
pub(super) enum Sent {
    Subscribed,
    Unsubscribed,
    Message(u64),
    Closed,
    Reply(Reply),
}

/// A reply that is not the confirmation of what was asked.
#[derive(Clone, Copy)]
pub(super) enum Reply {
    Pong(SystemTime),
    NotLeft,
    Moved(NodeId),
}

/// What the handler has received.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Gap(Gap),
    Message(u64),
}

impl Servers {
    pub(super) fn new(owners: &[usize]) -> Self {
        let server = |id| Server {
            id: NodeId::at(id),
            generation: Generation::before_first(NodeId::at(id)),
            is_broken: true,
            is_subscribed: false,
            commands: VecDeque::new(),
            wire: VecDeque::new(),
            replies: VecDeque::new(),
        };
        Self {
            nodes: NODES.map(server),
            owners: owners.iter().copied().map(NodeId::at).collect(),
            notices: VecDeque::new(),
            published: Vec::new(),
            published_at: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// Publishes a message, which some of the nodes give to those that are subscribed there.
    pub(super) fn publish(&mut self, is_at: impl Fn(NodeId) -> bool) -> u64 {
        let number = self.published.len() as u64;
        self.published.push(clock::wall());
        let nodes = self.nodes.iter().map(|server| server.id);
        self.published_at
            .push(nodes.filter(|id| is_at(*id)).collect());
        for server in self.nodes.iter_mut().filter(|server| is_at(server.id)) {
            if server.is_subscribed {
                server.send(Sent::Message(number));
            }
        }
        number
    }

    /// Gives the name to other nodes, and ends its subscriptions at those that do not have it any more.
    pub(super) fn set_owner(&mut self, owner: NodeId) {
        self.owners = vec![owner];
        for server in self.nodes.iter_mut().filter(|server| server.id != owner) {
            if std::mem::take(&mut server.is_subscribed) {
                server.send(Sent::Unsubscribed);
            }
        }
    }

    /// Returns the nodes that are subscribed to the name.
    pub(super) fn subscribed(&self) -> Vec<NodeId> {
        let subscribed = self.nodes.iter().filter(|server| server.is_subscribed);
        subscribed.map(|server| server.id).collect()
    }

    /// Returns whether a message was published, or is missing, in a gap.
    pub(super) fn is_told(&self, number: u64, gap: &Gap) -> bool {
        let published = self.published[number as usize];
        let is_after = gap.since <= published || gap.cause == GapCause::Initial;
        is_after && published <= gap.until
    }

    pub(super) fn has_more(&self, at: usize) -> bool {
        let server = &self.nodes[at];
        !server.commands.is_empty() || !server.wire.is_empty()
    }

    /// Takes the next thing that a server has sent. It may execute commands before.
    pub(super) fn next(&mut self, at: usize) -> Option<(Generation, Sent)> {
        let is_first = self.nodes[at].wire.is_empty() || thread_rng().gen_range(0..2) == 0;
        if is_first && let Some(command) = self.nodes[at].commands.pop_front() {
            let server = &mut self.nodes[at];
            let is_owner = self.owners.contains(&server.id);
            match command {
                Command::Ping(asked) => server.send(Sent::Reply(Reply::Pong(asked))),
                Command::Unsubscribe if !is_owner => server.send(Sent::Reply(Reply::NotLeft)),
                Command::Subscribe if !is_owner => {
                    server.send(Sent::Reply(Reply::Moved(self.owners[0])));
                }
                Command::Subscribe => {
                    server.is_subscribed = true;
                    server.send(Sent::Subscribed);
                }
                Command::Unsubscribe => {
                    server.is_subscribed = false;
                    server.send(Sent::Unsubscribed);
                }
            }
        }
        self.nodes[at].wire.pop_front()
    }
}

impl Server {
    pub(super) fn connect(&mut self) {
        self.generation = self.generation.next();
        self.is_broken = false;
        self.replies.clear();
    }

    /// Ends the connection. What is under way is lost, or arrives before the link notices the end, or the link
    /// does not notice it.
    pub(super) fn disconnect(&mut self, is_lost: bool, is_noticed: bool) {
        if std::mem::replace(&mut self.is_broken, true) {
            return;
        }
        self.is_subscribed = false;
        self.commands.clear();
        if is_lost {
            self.wire.clear();
        }
        if is_lost || is_noticed {
            self.send(Sent::Closed);
        }
    }

    /// Returns whether no reply is under way any more.
    pub(super) fn is_over(&self) -> bool {
        let has_pong = matches!(self.replies.back(), Some(Reply::Pong(_)));
        has_pong || self.is_broken
    }

    fn send(&mut self, sent: Sent) {
        self.wire.push_back((self.generation, sent));
    }
}
