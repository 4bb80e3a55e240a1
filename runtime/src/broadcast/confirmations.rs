//! The state of each subscription of a broadcast channel on the connection that it is on.
//!
//! The dispatcher stores that a name is confirmed too (`dispatch::SubscriptionState`), but a reader
//! must know whether its names are settled without taking the dispatcher's lock, and each broadcast
//! channel must know since when one of its names was off.
//!
//! The names of a channel may be on several nodes. Those on one node form a group: when its connection is
//! lost, they are all off, and the others are not.

use std::time::SystemTime;

use super::concerned::Concerned;
use super::segments::GapStart;
use crate::push::{Generation, NodeId};
use crate::util::{Few, Timestamp, clock};

/// Which subscriptions of a broadcast channel are live.
#[derive(Debug)]
pub(super) struct Confirmations {
    /// One for each node that has answered for a name. The names that have not been on another node are
    /// in the first one.
    groups: Few<Group>,
    names: Few<Name>,
    /// How many subscriptions the channel's list has.
    listed: u32,
    /// How many names are pending.
    unsettled: u32,
}

/// The names of a channel that are on one node.
#[derive(Debug)]
struct Group {
    /// The last generation in which the node has answered for one of them.
    generation: Generation,
    /// When the last push before this generation arrived.
    since: Timestamp,
    /// Since when a name has been off that was not confirmed when an earlier generation ended.
    off_since: Option<Timestamp>,
    /// Whether a name has been confirmed in this generation.
    live: bool,
    /// Whether this generation is over, and a name was confirmed on another node since.
    has_ended: bool,
}

/// The node that a name was on before it has moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// The last generation of the node.
    pub(crate) generation: Generation,
    pub(crate) is_open: bool,
    /// The gap after what was received through the name there.
    pub(crate) before: GapStart,
}

#[derive(Clone, Copy, Debug)]
struct Name {
    /// The index in the channel's list of subscriptions.
    index: u32,
    /// The index of its group.
    group: u16,
    state: NameState,
}

/// The state of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameState {
    /// Neither confirmed nor denied on this connection.
    Pending,
    /// The same, and nobody waits for it: see [`Confirmations::waive`].
    Waived,
    Confirmed,
    /// Denied or ended by the server. No push has arrived through it since then.
    Off(Timestamp),
    /// It has come to a channel that was live, and may have been of interest since then.
    Joined(Timestamp),
    /// It is not a name of the channel any more. The next one that comes takes its place.
    Gone,
}

/// What a confirmation means for the broadcast channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// The first one on this connection: a segment begins, after a gap since this time of these names.
    First(SystemTime, Concerned),
    /// A name that was off is live again: a segment begins, after a gap since this time.
    Again(SystemTime),
    /// A name that has joined is live: a segment begins, after a gap since this time.
    Joined(SystemTime),
    /// One more name of the segment that has begun.
    More,
}

impl Group {
    fn new(generation: Generation, since: SystemTime) -> Self {
        Self {
            generation,
            since: since.into(),
            off_since: None,
            live: false,
            has_ended: false,
        }
    }
}

impl Confirmations {
    pub(super) fn new(count: usize) -> Self {
        let mut groups = Few::new();
        groups.push(Group::new(Generation::NONE, clock::wall()));
        let listed = u32::try_from(count).expect("no list has 2^32 subscriptions");
        let name = |index| Name {
            index,
            group: 0,
            state: NameState::Pending,
        };
        Self {
            groups,
            names: (0..listed).map(name).collect(),
            listed,
            unsettled: listed,
        }
    }

    /// Returns the last generation in which a node has answered for a name, or `current` if it has not.
    pub(super) fn entered(&self, current: Generation) -> Generation {
        let group = self.group_of(current.node());
        group.map_or(current, |at| self.groups[at].generation)
    }

    /// Enters a generation. The last push before it arrived at `since`. Returns the index of its group.
    pub(super) fn enter(&mut self, generation: Generation, since: SystemTime) -> usize {
        let found = self.group_of(generation.node());
        match found {
            Some(at) if self.groups[at].generation == generation => at,
            Some(at) if !self.is_empty(at) => {
                let group = &mut self.groups[at];
                if group.has_ended {
                    // Its names are pending already, and the segment has begun that holds for them.
                    (group.generation, group.has_ended) = (generation, false);
                } else {
                    self.begin_again(at, Group::new(generation, since));
                }
                at
            }
            _ => {
                let group = Group {
                    // Its names come from other groups, of which the segments have begun.
                    live: true,
                    ..Group::new(generation, since)
                };
                let empty = || (0..self.groups.len()).find(|at| self.is_empty(*at));
                match found.or_else(empty) {
                    Some(at) => {
                        self.groups[at] = group;
                        at
                    }
                    None => {
                        self.groups.push(group);
                        self.groups.len() - 1
                    }
                }
            }
        }
    }

    /// Makes every name of a group pending.
    fn begin_again(&mut self, at: usize, again: Group) {
        let group = &self.groups[at];
        // A name that was never live in the generation that ended was off even before it.
        let off = self.names_of(at).filter_map(|name| match name.state {
            NameState::Pending | NameState::Waived => Some(group.since),
            NameState::Off(since) => Some(since),
            NameState::Confirmed | NameState::Joined(_) | NameState::Gone => None,
        });
        let off_since = off.chain(group.off_since).min();
        self.groups[at] = Group { off_since, ..again };
        for index in 0..self.names.len() {
            let name = self.names[index];
            let is_still = matches!(name.state, NameState::Joined(_) | NameState::Gone);
            if usize::from(name.group) == at && !is_still {
                self.set(index, NameState::Pending);
            }
        }
    }

    /// Records that the name at `index` is confirmed in a generation. The last push before that arrived at
    /// `since`.
    ///
    /// The name may have moved there from another node. If the connection is over in which that node has
    /// confirmed it, all names are lost that were confirmed in it.
    pub(super) fn confirm(
        &mut self,
        index: usize,
        generation: Generation,
        since: SystemTime,
        left: Option<Left>,
    ) -> Confirmed {
        if let Some(left) = left {
            self.leave(index, left);
        }
        let from = self.move_to(index, generation, since);
        let before = self.set(index, NameState::Confirmed);
        if let NameState::Joined(since) = before {
            return Confirmed::Joined(since.into());
        }
        let group = &mut self.groups[from];
        if !std::mem::replace(&mut group.live, true) {
            let off_since = group.off_since.take();
            let since = off_since.map_or(group.since, |off| off.min(group.since));
            return Confirmed::First(since.into(), self.concerned_by(index, from));
        }
        match before {
            NameState::Off(since) => Confirmed::Again(since.into()),
            NameState::Waived => Confirmed::Again(group.since.into()),
            _ => Confirmed::More,
        }
    }

    /// Adds a name of the subscription at `index` in the channel's list, and returns its own index. The time
    /// is that since when it may have been of interest, if the channel is live without it.
    pub(super) fn add(&mut self, index: u32, since: Option<SystemTime>) -> usize {
        let gone = Name {
            index,
            group: 0,
            state: NameState::Gone,
        };
        let mut names = self.names.iter();
        let unused = names.position(|name| name.state == NameState::Gone);
        let index = unused.unwrap_or(self.names.len());
        match unused {
            Some(unused) => self.names[unused] = gone,
            None => self.names.push(gone),
        }
        let state = since.map_or(NameState::Pending, |since| NameState::Joined(since.into()));
        self.set(index, state);
        index
    }

    /// Removes the name at `index`. Returns since when it may have missed something, if it is not live.
    pub(super) fn remove(&mut self, index: usize) -> Option<SystemTime> {
        let group = &self.groups[usize::from(self.names[index].group)];
        let since = group.since;
        match self.set(index, NameState::Gone) {
            NameState::Pending | NameState::Waived => Some(since.into()),
            NameState::Off(since) | NameState::Joined(since) => Some(since.into()),
            NameState::Confirmed | NameState::Gone => None,
        }
    }

    /// Records that the name at `index` was denied or ended by the server in a generation, and that no
    /// push has arrived through it since `off`. The last push before the generation arrived at `since`.
    pub(super) fn turn_off(
        &mut self,
        index: usize,
        generation: Generation,
        since: SystemTime,
        off: SystemTime,
    ) {
        let from = self.move_to(index, generation, since);
        match self.names[index].state {
            NameState::Pending | NameState::Confirmed => {
                self.set(index, NameState::Off(off.into()));
            }
            NameState::Waived => {
                let off = self.groups[from].since.min(off.into());
                self.set(index, NameState::Off(off));
            }
            NameState::Off(_) | NameState::Joined(_) | NameState::Gone => {}
        }
    }

    /// Lets the channel begin without a name that is pending, because nobody can say when it is confirmed. What has
    /// been missed through it is told then.
    pub(super) fn waive(&mut self, index: usize) {
        if self.names[index].state == NameState::Pending {
            self.set(index, NameState::Waived);
        }
    }

    /// Records that the name at `index`, which is off, may have been so since then. Its next confirmation tells
    /// that. Returns `false` if that does not: messages have come through it until now, or its channel waits
    /// for it, and has begun a segment without it.
    pub(super) fn doubt_one(&mut self, index: usize, since: SystemTime) -> bool {
        if self.names[index].state == NameState::Waived {
            let off = self.groups[usize::from(self.names[index].group)].since;
            self.set(index, NameState::Off(off));
        }
        match &mut self.names[index].state {
            NameState::Off(before) | NameState::Joined(before) => {
                *before = since.min((*before).into()).into();
                true
            }
            NameState::Confirmed | NameState::Pending | NameState::Waived | NameState::Gone => {
                false
            }
        }
    }

    /// Records that any name may have been off since then.
    pub(super) fn doubt(&mut self, since: SystemTime) {
        for name in &mut *self.names {
            if name.state == NameState::Confirmed {
                name.state = NameState::Off(since.into());
            }
        }
    }

    /// Returns whether every name is settled: confirmed, denied or ended.
    #[inline]
    pub(super) fn are_settled(&self) -> bool {
        self.unsettled == 0
    }

    /// Returns whether every name is confirmed in a generation that `is_open`.
    pub(super) fn are_confirmed(&self, is_open: impl Fn(Generation) -> bool) -> bool {
        let mut names = self.names.iter();
        let mut groups = self.groups.iter().enumerate();
        names.all(|name| matches!(name.state, NameState::Confirmed | NameState::Gone))
            && groups.all(|(at, group)| is_open(group.generation) || self.is_empty(at))
    }

    /// Returns the name at `index` alone.
    pub(super) fn concerned(&self, index: usize) -> Concerned {
        self.of_list(std::iter::once(self.names[index].index))
    }

    /// Returns the names that are pending.
    pub(super) fn pending(&self) -> Concerned {
        let names = self.names.iter();
        let pending = names.filter(|name| name.state == NameState::Pending);
        self.of_list(pending.map(|name| name.index))
    }

    /// Returns these subscriptions of the channel's list.
    pub(super) fn of_list(&self, indices: impl Iterator<Item = u32>) -> Concerned {
        match self.listed {
            // Most handlers have one, and then there is nothing to store.
            0 | 1 => Concerned::All,
            _ => Concerned::Some(indices.collect()),
        }
    }

    /// Returns the names that the loss of a group concerns: all that are in it, and the one at `index`, which
    /// has left it. Those that have left it while they were off are told when they are confirmed.
    fn concerned_by(&self, index: usize, group: usize) -> Concerned {
        if self.groups.len() == 1 {
            // On one server, that is all there is.
            return Concerned::All;
        }
        let others = self.names_of(group).map(|name| name.index);
        self.of_list(others.chain([self.names[index].index]))
    }

    /// Ends the group of a name that has moved, unless its connection is still up.
    fn leave(&mut self, index: usize, left: Left) {
        let at = usize::from(self.names[index].group);
        let group = &self.groups[at];
        let is_there = group.generation.node() == left.generation.node();
        let is_up = left.is_open && group.generation == left.generation;
        if is_there && !is_up && !group.has_ended {
            let ended = Group {
                has_ended: true,
                ..Group::new(group.generation, left.before.since)
            };
            self.begin_again(at, ended);
        }
    }

    /// Returns whether no name is in a group.
    fn is_empty(&self, group: usize) -> bool {
        self.names_of(group).next().is_none()
    }

    fn names_of(&self, group: usize) -> impl Iterator<Item = &Name> {
        let is_in =
            move |name: &&Name| usize::from(name.group) == group && name.state != NameState::Gone;
        self.names.iter().filter(is_in)
    }

    /// Moves a name to the group of a generation, which is entered. Returns the index of the group in
    /// which it was.
    fn move_to(&mut self, index: usize, generation: Generation, since: SystemTime) -> usize {
        let to = self.enter(generation, since);
        let to_group = u16::try_from(to).expect("there are at most 2^16 nodes");
        usize::from(std::mem::replace(&mut self.names[index].group, to_group))
    }

    /// Returns the index of the group of a node. A channel of which no name has been on a node has one
    /// group, which becomes that of the first node.
    fn group_of(&self, node: NodeId) -> Option<usize> {
        if let [only] = &*self.groups
            && only.generation == Generation::NONE
        {
            return Some(0);
        }
        let mut groups = self.groups.iter();
        groups.position(|group| group.generation.node() == node)
    }

    /// Sets the state of a name, and returns the previous one.
    fn set(&mut self, index: usize, state: NameState) -> NameState {
        let before = std::mem::replace(&mut self.names[index].state, state);
        let is_pending = |state| u32::from(state == NameState::Pending);
        self.unsettled = self.unsettled + is_pending(state) - is_pending(before);
        before
    }
}
