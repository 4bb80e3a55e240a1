//! The state of the broker, under one lock. Like a real server, the broker does one thing at a time,
//! so every client sees the same order. (The nodes of a cluster share the lock: see `world`.)

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::client::ClientId;
use super::cluster::Membership;
use super::keyspace::Keyspace;
use super::outbox::Outbox;
use super::reply::Protocol;
use super::subscriptions::{Kind, Subscriptions};
use super::tracking_table::{Tracking, TrackingTable};
use super::transaction::Transaction;
use super::world::{Locked, World};

/// The state that the public handle, the listener and the tasks of the connections share.
pub(super) struct Shared {
    world: Arc<Mutex<World>>,
    /// The number of this broker among the nodes of the world.
    node: usize,
    /// Notified when a key's deadline becomes the earliest one.
    pub(super) deadline: Notify,
    pub(super) wire: watch::Sender<Wire>,
}

/// The faults that the tasks of the connections act on.
#[derive(Clone, Copy, Default)]
pub(super) struct Wire {
    pub(super) paused: bool,
    /// The size of one write in bytes; zero for no limit.
    pub(super) chunk: usize,
}

impl Shared {
    pub(super) fn new(world: Arc<Mutex<World>>, node: usize) -> Self {
        Self {
            world,
            node,
            deadline: Notify::new(),
            wire: watch::Sender::new(Wire::default()),
        }
    }

    pub(super) fn lock(&self) -> Locked<'_> {
        Locked::new(&self.world, self.node)
    }
}

pub(super) struct BrokerState {
    pub(super) clients: HashMap<ClientId, Client>,
    last_id: ClientId,
    pub(super) subscriptions: Subscriptions,
    pub(super) keys: Keyspace,
    pub(super) tracking: TrackingTable,
    /// By database and key: the clients that watch it.
    pub(super) watchers: BTreeMap<(usize, Bytes), BTreeSet<ClientId>>,
    /// The default user's password; without one every connection counts as authenticated.
    pub(super) password: Option<Bytes>,
    pub(super) users: HashMap<Bytes, Bytes>,
    pub(super) denied: BTreeSet<Bytes>,
    pub(super) refusing: bool,
    pub(super) loading: bool,
    pub(super) confirmation_delay: Duration,
    pub(super) output_limit: Option<usize>,
    /// The client whose command is running. Pushes to this client wait for the end of its reply.
    pub(super) running: Option<Running>,
    /// Changes with every subscription and connection; `wait_for_subscribers` checks again then.
    pub(super) changed: watch::Sender<()>,
    /// What this broker is in a cluster, if it is a node of one.
    pub(super) cluster: Option<Membership>,
}

/// The client whose command is running, and the pushes to it so far.
pub(super) struct Running {
    pub(super) id: ClientId,
    pub(super) messages: Vec<u8>,
    /// Invalidations are sent after messages, regardless of which was caused first.
    pub(super) invalidations: Vec<u8>,
}

pub(super) struct Client {
    pub(super) outbox: Arc<Outbox>,
    pub(super) protocol: Protocol,
    pub(super) authenticated: bool,
    pub(super) name: Bytes,
    pub(super) db: usize,
    /// Subscribed names by kind: the reverse of `BrokerState::subscriptions`.
    pub(super) names: [BTreeSet<Bytes>; Kind::COUNT],
    pub(super) tracking: Option<Tracking>,
    pub(super) transaction: Transaction,
    /// Whether a replica may answer the client's reads (READONLY).
    pub(super) reads_replica: bool,
    /// Whether the connection closes once the replies so far are written.
    pub(super) leaving: bool,
}

impl Client {
    pub(super) fn is_subscribed(&self) -> bool {
        self.names.iter().any(|names| !names.is_empty())
    }
}

impl BrokerState {
    /// The state of a new broker. The nodes of a cluster share the sender.
    pub(super) fn new(changed: watch::Sender<()>) -> Self {
        Self {
            clients: HashMap::new(),
            last_id: 0,
            subscriptions: Subscriptions::default(),
            keys: Keyspace::default(),
            tracking: TrackingTable::default(),
            watchers: BTreeMap::new(),
            password: None,
            users: HashMap::new(),
            denied: BTreeSet::new(),
            refusing: false,
            loading: false,
            confirmation_delay: Duration::ZERO,
            output_limit: None,
            running: None,
            changed,
            cluster: None,
        }
    }

    /// Registers a new connection.
    pub(super) fn connect(&mut self, outbox: Arc<Outbox>) -> ClientId {
        outbox.set_limit(self.output_limit);
        self.last_id += 1;
        let client = Client {
            outbox,
            protocol: Protocol::Resp2,
            authenticated: self.password.is_none(),
            name: Bytes::new(),
            db: 0,
            names: Default::default(),
            tracking: None,
            transaction: Transaction::default(),
            reads_replica: false,
            leaving: false,
        };
        self.clients.insert(self.last_id, client);
        self.changed.send_replace(());
        self.last_id
    }

    /// Removes a connection and its subscriptions, and closes its socket.
    pub(super) fn disconnect(&mut self, id: ClientId) {
        self.unsubscribe_everything(id);
        self.stop_tracking(id);
        self.discard(id);
        if let Some(client) = self.clients.remove(&id) {
            client.outbox.close();
        }
        self.changed.send_replace(());
    }

    /// Pushes a message's frame to a client, after the reply of the command that the client runs.
    pub(super) fn push(&mut self, id: ClientId, frame: &[u8]) {
        match &mut self.running {
            Some(running) if running.id == id => running.messages.extend_from_slice(frame),
            _ => {
                if let Some(client) = self.clients.get(&id) {
                    client.outbox.append(frame);
                }
            }
        }
    }
}
