//! How the coordinator learns which node has which slots.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use redis::Pipeline;
use tokio::time::Instant;

use super::nodes::{ClusterNode, Watch};
use super::{Coordinator, NOWHERE, PATIENCE, is_heard_everywhere, slot_of};
use crate::connection::slots::{Slot, SlotMap};
use crate::connection::{CommandError, LazyConnection, LookError, NodeAddress};
use crate::error::Error;
use crate::push::NodeId;
use crate::subscription::Kind;
use crate::telemetry::NodeRole;
use crate::util::clock;

/// How long a node may take to answer.
pub(super) const WITHIN: Duration = Duration::from_secs(1);

/// How long readers wait for the names of a node that is lost, or of slots that no node serves, before they begin
/// without them.
const GIVE_UP: Duration = Duration::from_secs(2);

impl Coordinator {
    /// Asks nodes for the map of slots until one answers, and moves names accordingly.
    pub(super) async fn look(&mut self) {
        // First, because a node that hears no other has an old map.
        let losses = self.watch_bus().await;
        let (begun, looked) = (clock::now(), clock::wall());
        let mut teller = None;
        match self.ask().await {
            Ok((of, map)) => {
                teller = Some(of);
                self.outage.has_map();
                self.published.heartbeat.answered(clock::now() - begun);
                for owner in map.primaries() {
                    self.node_at(owner, NOWHERE);
                }
                self.begin_watch().await;
                self.apply(map, looked);
            }
            Err(error) => {
                self.outage.failed(&error);
                self.board.update(NOWHERE, |status| {
                    status.error = Some(error.into());
                });
            }
        }
        self.report_bus(&losses);
        self.leave_cut_off();
        let is_whole = self.rehome() && self.map.covered() == Slot::COUNT;
        self.let_go_of_gone();
        let is_whole = match teller {
            Some(teller) => self.follow_owners(teller, looked) && is_whole,
            None => false,
        };
        let mut alone = self.nodes.iter().filter(|node| node.alone_since.is_some());
        let is_whole = is_whole && !alone.any(|node| self.dispatcher.agenda(node.id).has_names());
        // As long as it is not known how the links of a node are, what they lose is not known either.
        let is_unwatched = |node: &ClusterNode| {
            let has_names = || self.dispatcher.agenda(node.id).has_names();
            node.watch != Watch::Answered && self.is_up(node.id) && has_names()
        };
        let is_whole = is_whole && !self.nodes.iter().any(is_unwatched);
        let now = clock::now();
        let interval = self.settings.topology_interval;
        self.next_look = now + self.trouble.pause_after(is_whole, interval, now);
    }

    /// Returns the map of the first node that answers: those that are connected, each in its turn, then
    /// those that the user has named. Returns it with the node, or [`NOWHERE`] for one of the latter.
    async fn ask(&mut self) -> Result<(NodeId, SlotMap), Error> {
        self.turn = self.turn.wrapping_add(1);
        let up = self.nodes.iter().filter(|node| self.is_up(node.id));
        // One that hears no other does not know what has changed.
        let up = up.filter(|node| node.alone_since.is_none());
        let mut up: Vec<_> = up
            .map(|node| (node.id, &node.address, &node.commands))
            .collect();
        if !up.is_empty() {
            let turn = self.turn % up.len();
            up.rotate_left(turn);
        }
        let seeds = self.asked.iter();
        let seeds = seeds.map(|seed| (NOWHERE, &seed.address, &seed.commands));
        let mut errors: Vec<String> = Vec::new();
        let mut first = None;
        for (id, at, commands) in up.into_iter().chain(seeds) {
            match slots(commands, at).await {
                Ok(map) => return Ok((id, map)),
                // Others may answer. If none does, this is the reason that tells most.
                Err(error) if error.is_config() || error.is_auth() || error.is_tls() => {
                    first.get_or_insert(error);
                }
                Err(error) => {
                    let error = error.to_string();
                    if !errors.contains(&error) {
                        errors.push(error);
                    }
                }
            }
        }
        if let Some(error) = first {
            return Err(error);
        }
        let errors = errors.join("; ");
        Err(Error::connection(format!(
            "no node of the cluster says which node has which slots: {errors}"
        )))
    }

    /// Takes over a map that was asked for at a time: names that come are placed by it, and those that wait
    /// for an owner.
    fn apply(&mut self, map: SlotMap, asked: SystemTime) {
        let owners: Vec<_> = map.primaries().cloned().collect();
        let mut owners: Vec<_> = owners
            .iter()
            .filter_map(|owner| self.node_at(owner, NOWHERE))
            .collect();
        owners.sort_unstable();
        if !owners.is_empty() {
            // The node that was asked last may not have known yet, so the time is that of the look before.
            self.dispatcher.spread(&owners, self.right[0]);
            if owners.iter().all(|node| self.is_up(*node)) {
                self.right = [self.right[1], asked];
            }
        }
        for number in 0..Slot::COUNT {
            let Some(slot) = Slot::new(number) else {
                continue;
            };
            let owner = map.owner(slot).and_then(|owner| self.known(owner));
            let owner = owner.unwrap_or(NOWHERE);
            if owner != self.places.get(slot) {
                self.are_followed = false;
                self.trouble.note_change();
            }
            self.places.set(slot, owner);
        }
        self.map = map;
        self.publish_map();
        if self.dispatcher.agenda(NOWHERE).has_names() {
            let places = &self.places;
            let owner = |name: &[u8]| places.get(slot_of(name));
            let place = |_, name: &[u8]| Some(owner(name)).filter(|to| *to != NOWHERE);
            self.dispatcher.move_names(NOWHERE, place);
        }
    }

    /// Publishes which node has which role and slots.
    fn publish_map(&self) {
        for node in &self.nodes {
            let slots = self.map.slots_of(&node.address);
            let mut primaries = self.map.primaries();
            let is_replica = primaries.any(|one| self.map.replicas_of(one).contains(&node.address));
            self.board.learn(node.id, |facts| {
                facts.role = match slots.is_empty() {
                    false => NodeRole::Primary,
                    true if is_replica => NodeRole::Replica,
                    true => NodeRole::Unknown,
                };
                facts.slots = slots;
            });
        }
    }

    /// Moves the names of nodes that are lost, as far as another node has them now. Returns whether no
    /// node with names is lost.
    fn rehome(&mut self) -> bool {
        let now = clock::now();
        let up: Vec<_> = self.nodes.iter().map(|node| self.is_up(node.id)).collect();
        for (node, is_up) in self.nodes.iter_mut().zip(&up) {
            match is_up {
                true => (node.lost, node.given_up) = (None, None),
                false if node.lost.is_none() => {
                    node.lost = Some(now);
                    self.trouble.note_change();
                }
                false => {}
            }
        }
        let is_up = |id: NodeId| {
            let index = self.nodes.iter().position(|node| node.id == id);
            index.is_some_and(|index| up[index])
        };
        let live: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| is_up(node.id) && !node.is_cut_off)
            .map(|node| node.id)
            .collect();
        let mut is_whole = true;
        for node in self.nodes.iter().filter(|node| node.lost.is_some()) {
            if !self.dispatcher.agenda(node.id).has_names() {
                continue;
            }
            is_whole = false;
            let is_gone = node.lost.is_some_and(|lost| now - lost >= PATIENCE);
            if is_gone
                && !live.is_empty()
                && let Some((since, _)) = node.links
            {
                // Nobody can tell any more what its links have lost since then.
                let is_concerned = |kind, _: &[u8]| is_heard_everywhere(kind);
                self.dispatcher.interrupt_bus(node.id, since, is_concerned);
            }
            self.dispatcher.move_names(node.id, |kind, name| {
                let slot = slot_of(name);
                let owner = self.places.get(slot);
                if owner != node.id && owner != NOWHERE && is_up(owner) {
                    return Some(owner);
                }
                // Whichever node it is, the choice is the same the next time.
                let index = usize::from(slot.number()) % live.len().max(1);
                let other = live.get(index).copied();
                other.filter(|_| is_gone && is_heard_everywhere(kind))
            });
        }
        self.give_up_lost(now);
        is_whole
    }

    /// Lets readers begin without the names of nodes that are lost for some time, and without those whose slots no
    /// node serves.
    fn give_up_lost(&mut self, now: Instant) {
        // Again and again, because names come.
        let is_late = |since: Instant| now - since >= GIVE_UP;
        for node in &mut self.nodes {
            if let Some(since) = node.given_up.or(node.lost)
                && is_late(since)
            {
                node.given_up = Some(now);
                if self.dispatcher.agenda(node.id).has_names() {
                    self.dispatcher.begin_without(node.id);
                }
            }
        }
        let are_unserved = self.map.covered() > 0 && self.dispatcher.agenda(NOWHERE).has_names();
        match self.unserved {
            Some(since) if are_unserved && is_late(since) => {
                self.unserved = Some(now);
                self.dispatcher.begin_without(NOWHERE);
            }
            Some(_) if are_unserved => {}
            _ => self.unserved = are_unserved.then_some(now),
        }
    }

    /// Moves sharded channels to the owners of their slots, from nodes that are not, by the map that a node has
    /// told. Returns whether all are there.
    ///
    /// A node that was replaced takes them again as a replica. It hears what its primary is told, but over a
    /// link that may break, and only while the others count it as one of them. A node that is cut off does
    /// not know that it was replaced: what was published since it was last known to be the owner is lost.
    fn follow_owners(&mut self, teller: NodeId, looked: SystemTime) -> bool {
        let mut are_followed = true;
        let mut agreed = Vec::new();
        if self.are_followed {
            agreed.extend(self.nodes.iter().map(|node| node.id));
        } else {
            // The dispatcher is locked while it moves names.
            let up = self.nodes.iter().filter(|node| self.is_up(node.id));
            let up: Vec<_> = up.collect();
            for node in &up {
                let is_at_owner = self.follow_owners_of(node, &up, teller);
                agreed.extend(Some(node.id).filter(|_| is_at_owner));
                are_followed &= is_at_owner;
            }
        }
        // A node that comes back as a replica takes its names again, and nothing says so.
        let is_away = |node: &ClusterNode| {
            !self.is_up(node.id) && self.dispatcher.agenda(node.id).has_names()
        };
        self.are_followed = are_followed && !self.nodes.iter().any(is_away);
        for node in &mut self.nodes {
            // None is believed about itself.
            if node.id != teller && agreed.contains(&node.id) {
                node.agreed = looked;
            }
        }
        are_followed
    }

    /// Moves the sharded channels on a node that does not own their slots. Returns whether there are none.
    fn follow_owners_of(&self, node: &ClusterNode, up: &[&ClusterNode], teller: NodeId) -> bool {
        let now = clock::now();
        let is_well = |id| up.iter().any(|node| node.id == id && !node.is_cut_off);
        let is_left = Cell::new(false);
        let owner_of = |kind, name: &[u8]| {
            let slot = slot_of(name);
            let owner = self.places.get(slot);
            if kind != Kind::Shard || (owner == node.id && !node.is_cut_off) {
                return None;
            }
            // Not everybody may know yet of a slot that has just moved, and a node that is cut off says that
            // it still owns its slots.
            let may_follow = ![node.id, teller, NOWHERE].contains(&owner)
                && is_well(owner)
                && !self.pauses.has_moved(slot, now);
            is_left.set(is_left.get() || !may_follow);
            may_follow.then_some(owner)
        };
        // What is told over a link may be late, so an answered `PING` says nothing of it.
        let since = Some(node.agreed);
        let moved = self.dispatcher.move_doubted(node.id, since, owner_of);
        moved == 0 && !is_left.get()
    }

    pub(super) fn is_up(&self, node: NodeId) -> bool {
        self.dispatcher.is_open(node) && self.board.is_connected(node)
    }
}

/// Asks a node for the map of slots.
async fn slots(commands: &LazyConnection, at: &NodeAddress) -> Result<SlotMap, Error> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLUSTER").arg("SLOTS");
    let replies = commands.replies(&pipeline, (0, 1), WITHIN).await;
    let replies = replies.map_err(|error| match error {
        CommandError::NotSent(error) | CommandError::Unknown(error) => error,
        CommandError::Refused(refused) => Error::connection(refused.text),
    })?;
    let reply = replies.first().unwrap_or(&redis::Value::Nil);
    SlotMap::parse(reply, at.host()).map_err(|error| match error {
        LookError::NoCluster => Error::config(format!(
            "the server at {at} is not a node of a cluster: use `Subscriber::new`"
        )),
        error if error.is_not_allowed() => Error::auth(format!(
            "the user may not run `CLUSTER SLOTS` at {at} ({error}); grant `+cluster|slots`"
        )),
        error => Error::connection(format!("`CLUSTER SLOTS` at {at}: {error}")),
    })
}
