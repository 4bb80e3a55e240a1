//! The state of every node, under one lock. A broker that is no node of a cluster is alone in its world.
//!
//! With one lock for all nodes, what a node sends to others is delivered before anything else happens, so
//! a test sees one order. A node never reaches into another one: it queues [messages](super::cluster::Message),
//! which are delivered when the lock is released.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::cluster::Topology;
use super::state::BrokerState;

pub(super) struct World {
    pub(super) nodes: Vec<BrokerState>,
    /// What the nodes agree on, except for those that do not hear of changes.
    pub(super) topology: Arc<Topology>,
    /// The time, in milliseconds, at which the latest link of the cluster's bus was created.
    pub(super) last_link: i64,
}

impl World {
    /// Returns the world of so many nodes. They are not members of a cluster yet.
    pub(super) fn new(nodes: usize) -> Arc<Mutex<Self>> {
        let changed = watch::Sender::new(());
        Arc::new(Mutex::new(Self {
            nodes: (0..nodes)
                .map(|_| BrokerState::new(changed.clone()))
                .collect(),
            topology: Arc::default(),
            last_link: 0,
        }))
    }

    pub(super) fn lock(world: &Mutex<Self>) -> MutexGuard<'_, Self> {
        world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The locked state of one node.
pub(super) struct Locked<'a> {
    world: MutexGuard<'a, World>,
    node: usize,
}

impl<'a> Locked<'a> {
    pub(super) fn new(world: &'a Mutex<World>, node: usize) -> Self {
        let world = World::lock(world);
        Self { world, node }
    }
}

impl Locked<'_> {
    /// All nodes.
    pub(super) fn world(&mut self) -> &mut World {
        &mut self.world
    }
}

impl Deref for Locked<'_> {
    type Target = BrokerState;

    fn deref(&self) -> &BrokerState {
        &self.world.nodes[self.node]
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut BrokerState {
        &mut self.world.nodes[self.node]
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.world.deliver();
    }
}
