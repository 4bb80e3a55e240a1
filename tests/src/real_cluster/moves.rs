//! Slots that move from one primary to another.

use std::ops::RangeInclusive;

use redis::{Value, from_redis_value};

use super::node::command;
use super::{Node, RealCluster};

/// Which of the two nodes is the first to learn that a slot has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The new owner, as tools do it. Meanwhile both nodes serve the slot.
    Target,
    /// The old owner. Meanwhile each of the two nodes refers clients to the other one.
    Source,
}

/// A move of slots with `CLUSTER SETSLOT` that has begun: the source still owns them.
pub struct SlotMove<'c> {
    cluster: &'c RealCluster,
    slots: RangeInclusive<u16>,
    source: Node,
    target: Node,
}

impl RealCluster {
    /// Moves a slot with its keys, by `CLUSTER SETSLOT`. Nothing happens if it is there already.
    ///
    /// # Panics
    ///
    /// If a node refuses that, or the members do not agree in time.
    pub async fn move_slot(&self, slot: u16, to: &Node, first: First) {
        self.move_slots(slot..=slot, to, first).await;
    }

    /// Like [`move_slot`](Self::move_slot), for slots of one owner.
    ///
    /// # Panics
    ///
    /// Like [`move_slot`](Self::move_slot).
    pub async fn move_slots(&self, slots: RangeInclusive<u16>, to: &Node, first: First) {
        if self.primary_of(*slots.start()).await == *to {
            return self.wait_for_owner(to, &[slots]).await;
        }
        let step = self.begin_move(slots, to).await;
        match first {
            First::Target => {
                step.tell_target().await;
                step.tell_source().await;
            }
            First::Source => {
                step.tell_source().await;
                step.tell_target().await;
            }
        }
        step.end().await;
    }

    /// Begins to move slots of one owner: the target imports them and the source lets go of them.
    /// Returns when the keys are there, before any node is told of the new owner.
    ///
    /// # Panics
    ///
    /// If a node refuses that.
    pub async fn begin_move(&self, slots: RangeInclusive<u16>, to: &Node) -> SlotMove<'_> {
        let step = SlotMove {
            source: self.primary_of(*slots.start()).await,
            target: to.clone(),
            cluster: self,
            slots,
        };
        let (source, target) = (&step.source, &step.target);
        step.set_slots(target, "IMPORTING", source).await;
        step.set_slots(source, "MIGRATING", target).await;
        step.move_keys().await;
        step
    }

    /// Whether the servers move slots at once, with `CLUSTER MIGRATESLOTS`, as Valkey does since 9.0.
    pub async fn can_migrate_slots(&self) -> bool {
        let known = self.any_member();
        let known = known.command(&["COMMAND", "INFO", "CLUSTER|MIGRATESLOTS"]);
        let known: Vec<Value> = from_redis_value(known.await).expect("a list");
        known.first().is_some_and(|command| *command != Value::Nil)
    }

    /// Moves slots of one owner at once, with `CLUSTER MIGRATESLOTS`.
    ///
    /// # Panics
    ///
    /// If the servers [cannot](Self::can_migrate_slots) do that, or the members do not agree in time.
    pub async fn migrate_slots(&self, slots: RangeInclusive<u16>, to: &Node) {
        let source = self.primary_of(*slots.start()).await;
        let (start, end) = (slots.start().to_string(), slots.end().to_string());
        let command = [
            "CLUSTER",
            "MIGRATESLOTS",
            "SLOTSRANGE",
            &start,
            &end,
            "NODE",
        ];
        source.command(&[&command[..], &[to.id()]].concat()).await;
        self.wait_for_owner(to, &[slots]).await;
    }
}

impl SlotMove<'_> {
    /// The node that owned the slots.
    pub fn source(&self) -> &Node {
        &self.source
    }

    /// Tells the new owner that the slots are its own. Returns when it says so.
    pub async fn tell_target(&self) {
        self.set_slots(&self.target, "NODE", &self.target).await;
    }

    /// Tells the old owner who has the slots now. Returns when it says so.
    ///
    /// It may have heard that over the bus. If it then has no slots left, and the target has no others,
    /// it has made itself a replica of the target, and there is nothing to tell.
    pub async fn tell_source(&self) {
        if !self.source.is_replica().await {
            self.set_slots(&self.source, "NODE", &self.target).await;
        }
    }

    /// Waits until all members have heard of the new owner. It is enough to have told the target.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn end(self) {
        let slots = std::slice::from_ref(&self.slots);
        self.cluster.wait_for_owner(&self.target, slots).await;
    }

    async fn set_slots(&self, at: &Node, what: &str, node: &Node) {
        let commands = self.slots.clone().map(|slot| {
            let slot = slot.to_string();
            command(&["CLUSTER", "SETSLOT", &slot, what, node.id()])
        });
        let done = at.ask_all(commands).await;
        done.unwrap_or_else(|error| panic!("CLUSTER SETSLOT {what} at {at:?}: {error}"));
    }

    async fn move_keys(&self) {
        loop {
            let slots = self.slots.clone();
            let commands = slots.map(|slot| {
                let slot = slot.to_string();
                command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"])
            });
            let keys = self.source.ask_all(commands).await;
            let keys = keys.unwrap_or_else(|error| panic!("CLUSTER GETKEYSINSLOT: {error}"));
            let keys = keys.into_iter().map(|keys| from_redis_value(keys).unwrap());
            // A command may name keys of one slot only.
            let keys: Vec<Vec<String>> = keys.filter(|keys: &Vec<_>| !keys.is_empty()).collect();
            if keys.is_empty() {
                return;
            }
            let (host, port) = (self.target.addr().ip(), self.target.addr().port());
            let password = self.cluster.password();
            let commands = keys.iter().map(|keys| {
                let mut command = redis::cmd("MIGRATE");
                command.arg(host.to_string()).arg(port);
                command.arg("").arg(0).arg(5000);
                if let Some(password) = &password {
                    command.arg("AUTH").arg(password);
                }
                command.arg("KEYS").arg(keys).clone()
            });
            let done = self.source.ask_all(commands).await;
            done.unwrap_or_else(|error| panic!("MIGRATE at {:?}: {error}", self.source));
        }
    }
}
