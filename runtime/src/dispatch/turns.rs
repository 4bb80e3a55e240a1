//! What the session sends next: the names to ask for, to ask for again, and to leave.
//!
//! Names come and go while the session runs, so each turn of the session takes what has changed from
//! here, and does not look at every name.

use std::collections::{BTreeSet, VecDeque};
use std::time::SystemTime;

use tokio::time::Instant;

use super::Dispatcher;
use super::counts::{NameCounts, WantedBy};
use super::left_behind::LeftBehind;
use super::name::Route;
use super::node::Node;
use super::placement::{SubscriptionState, Turn};
use super::spread::Part;
use super::table::RoutingTable;
use crate::push::NodeId;
use crate::subscription::{Kind, Subscription};
use crate::util::{Key, clock, shrink};

/// The names on a node that have a turn, by the keys of their routes.
///
/// A key may be that of a later route, or its route may have had its turn. What the route says
/// decides.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queue: VecDeque<Key>,
    /// The prefixes in the queue. They go out first, the shortest first.
    prefixes: Vec<Key>,
    /// The names that were asked for, in that order, each with the time.
    asked: VecDeque<(Key, Instant)>,
    postponed: Vec<Key>,
    pub(super) denied: BTreeSet<Key>,
    pub(super) behind: LeftBehind,
    /// When each of the names whose last reader has left ends, unless another reader has come since. The
    /// routes know it too.
    lingering: BTreeSet<(Instant, Key)>,
    /// The next route of those that are asked for because a term has begun. `None` at the end.
    sweep: Option<Key>,
}

impl Turns {
    pub(super) fn begin_term(&mut self) {
        *self = Self {
            lingering: std::mem::take(&mut self.lingering),
            sweep: Some(0),
            ..Self::default()
        };
    }

    /// Returns how many names wait for their end.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn lingering(&self) -> usize {
        self.lingering.len()
    }
}

/// What there is to do for the session of a node, and how the names on the node stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agenda {
    /// Whether names have to be asked for.
    pub(crate) has_wanted: bool,
    /// Whether names are denied or postponed, so that a retry asks for them again.
    pub(crate) has_retries: bool,
    /// How many names are asked for without an answer.
    pub(crate) in_flight: u64,
    /// When the first of them was asked for.
    pub(crate) asked: Option<Instant>,
    /// When the next name has to be left.
    pub(crate) leave_at: Option<Instant>,
    pub(crate) handlers: NameCounts,
    pub(crate) streams: NameCounts,
}

impl Route {
    /// Returns whether nothing has been done for the name in a term.
    fn has_to_be_queued(&self, term: u64) -> bool {
        self.placement.state(term).needs_subscribing() && self.placement.turn(term) == Turn::None
    }
}

impl RoutingTable {
    /// Queues a name for the session, unless it is queued.
    pub(super) fn queue(&mut self, key: Key) {
        if self.turn_of(&self.routes[key]) == Turn::Queued {
            return;
        }
        self.update(key, |route| route.placement.set_turn(Turn::Queued));
        match self.routes[key].subscription().kind() {
            Kind::Invalidation => self.turns(key).prefixes.push(key),
            _ => self.turns(key).queue.push_back(key),
        }
    }

    /// Moves the names on a node to its queue at the beginning of a term, a part at a time.
    fn sweep(&mut self, id: NodeId, most: usize) {
        let Some(from) = self.nodes[id].turns.sweep else {
            return;
        };
        let mut key = from;
        let until = from.saturating_add(Key::try_from(most).unwrap_or(Key::MAX).saturating_mul(4));
        while key < self.routes.end().min(until) && self.nodes[id].turns.queue.len() < most {
            match self.routes.get(key).filter(|route| route.is_at(id)) {
                Some(route) if route.wanted() == WantedBy::Nobody => self.remove(key),
                Some(route) if route.has_to_be_queued(self.nodes[id].term) => self.queue(key),
                _ => {}
            }
            key += 1;
        }
        self.nodes[id].turns.sweep = (key < self.routes.end()).then_some(key);
    }

    /// Takes the next names that a node has to be asked for, and records that it is.
    fn next_wanted(&mut self, id: NodeId, most: usize, now: SystemTime) -> Vec<Subscription> {
        self.sweep(id, most);
        let mut keys = std::mem::take(&mut self.nodes[id].turns.prefixes);
        // Of overlapping prefixes the server accepts the first, so that must be the shortest.
        keys.retain(|key| self.routes.get(*key).is_some());
        keys.sort_by_key(|key| self.routes[*key].subscription().name().len());
        let mut wanted = Vec::new();
        let mut keys = keys.into_iter();
        while wanted.len() < most
            && let Some(key) = keys
                .next()
                .or_else(|| self.nodes[id].turns.queue.pop_front())
        {
            let Some(route) = self.routes.get(key).filter(|route| route.is_at(id)) else {
                continue;
            };
            if self.turn_of(route) != Turn::Queued {
                continue;
            }
            if route.wanted() == WantedBy::Nobody {
                // It has never been asked for, or has ended.
                self.remove(key);
                continue;
            }
            wanted.push(route.subscription().clone());
            self.nodes[id].turns.asked.push_back((key, clock::now()));
            self.ask(key, now);
        }
        let turns = &mut self.nodes[id].turns;
        turns.prefixes.extend(keys);
        shrink(&mut turns.queue);
        wanted
    }

    /// Records that the last reader of a name has left. Returns whether the session has to know: no other
    /// name ends earlier.
    pub(super) fn linger(&mut self, key: Key, until: Instant) -> bool {
        self.stop_lingering(key);
        self.routes[key].leave_at = Some(until);
        let lingering = &mut self.turns(key).lingering;
        lingering.insert((until, key));
        lingering.first() == Some(&(until, key))
    }

    /// Forgets when a name ends.
    pub(super) fn stop_lingering(&mut self, key: Key) {
        if let Some(until) = self.routes[key].leave_at.take() {
            self.turns(key).lingering.remove(&(until, key));
        }
    }

    /// Takes the next names on a node whose subscriptions have to be ended by now.
    fn next_leaving(
        &mut self,
        id: NodeId,
        most: usize,
        now: Instant,
        can_leave: bool,
    ) -> Vec<Subscription> {
        let mut leaving = Vec::new();
        while leaving.len() < most
            && let Some((until, key)) = self.nodes[id].turns.lingering.first().copied()
            && until <= now
        {
            self.stop_lingering(key);
            let route = &self.routes[key];
            if route.wanted() != WantedBy::Nobody {
                continue;
            }
            let is_asked = self.is_asked(route);
            // The server tracks the keys of a prefix until the connection ends, or until it is asked to
            // stop tracking all of them.
            let is_tracked = route.subscription().kind() == Kind::Invalidation;
            if !is_asked || is_tracked || !can_leave {
                self.remove(key);
                continue;
            }
            leaving.push(route.subscription().clone());
            self.set_state(key, SubscriptionState::Leaving);
        }
        let most = most - leaving.len();
        let behind = &mut self.nodes[id].turns.behind;
        leaving.extend(std::iter::from_fn(|| behind.next()).take(most));
        leaving
    }

    /// Records that a name is left: the server has ended the subscription, or does not do so.
    pub(super) fn left(&mut self, key: Key) {
        if self.routes[key].wanted() == WantedBy::Nobody {
            self.remove(key);
        } else {
            self.update(key, |route| route.placement.take_asked());
            self.set_state(key, SubscriptionState::Ended);
        }
    }

    /// Asks for every name again on the same connection.
    pub(super) fn ask_all_again(&mut self) {
        for key in 0..self.routes.end() {
            let Some(route) = self.routes.get(key) else {
                continue;
            };
            if route.part != Part::Anchor && *self.state_of(route) != SubscriptionState::Leaving {
                self.set_state(key, SubscriptionState::Pending);
            }
        }
    }

    /// Postpones a name until the next retry.
    pub(super) fn postpone(&mut self, key: Key) {
        self.update(key, |route| route.placement.set_turn(Turn::Postponed));
        self.turns(key).postponed.push(key);
    }

    /// Returns whether a node was asked for a name, and has not answered.
    fn is_in_flight(&self, id: NodeId, key: Key) -> bool {
        let route = self.routes.get(key).filter(|route| route.is_at(id));
        route.is_some_and(|route| route.placement.is_in_flight(self.nodes[id].term))
    }

    fn agenda(&mut self, id: NodeId) -> Agenda {
        while let Some((key, _)) = self.nodes[id].turns.asked.front()
            && !self.is_in_flight(id, *key)
        {
            self.nodes[id].turns.asked.pop_front();
        }
        let Node { turns, counts, .. } = &mut self.nodes[id];
        shrink(&mut turns.asked);
        Agenda {
            has_wanted: !turns.queue.is_empty()
                || !turns.prefixes.is_empty()
                || turns.sweep.is_some(),
            has_retries: !turns.denied.is_empty() || !turns.postponed.is_empty(),
            in_flight: counts.in_flight(),
            asked: turns.asked.front().map(|(_, asked)| *asked),
            leave_at: match turns.behind.has_queued() {
                true => Some(clock::now()),
                false => turns.lingering.first().map(|(until, _)| *until),
            },
            handlers: counts.of_handlers(),
            streams: counts.of_streams(),
        }
    }
}

impl Agenda {
    /// Whether somebody wants a name on the node.
    pub(crate) fn has_names(&self) -> bool {
        self.handlers.all + self.streams.all > 0
    }
}

/// What the session asks.
impl Dispatcher {
    /// Returns what there is to do on a node.
    pub(crate) fn agenda(&self, node: NodeId) -> Agenda {
        self.lock().routes.agenda(node)
    }

    /// Takes up to `most` of the names that a node has to be asked for, and records that it is asked
    /// `now`, before the commands are sent.
    pub(crate) fn next_wanted(
        &self,
        node: NodeId,
        most: usize,
        now: SystemTime,
    ) -> Vec<Subscription> {
        self.lock().routes.next_wanted(node, most, now)
    }

    /// Queues the names that a node has denied, and those that are postponed.
    pub(crate) fn retry(&self, node: NodeId) {
        let mut state = self.lock();
        let routes = &mut state.routes;
        let turns = &mut routes.nodes[node].turns;
        let postponed = std::mem::take(&mut turns.postponed);
        let denied: Vec<_> = turns.denied.iter().copied().collect();
        for key in postponed.into_iter().chain(denied) {
            // A denied name that is sent already gets its answer.
            let route = routes.routes.get(key).filter(|route| route.is_at(node));
            let turn = route.map(|route| routes.turn_of(route));
            // One that is leaving is asked for when it has left.
            let may_ask = |state: &SubscriptionState| {
                state.needs_subscribing() || matches!(state, SubscriptionState::Denied(_))
            };
            if matches!(turn, Some(Turn::None | Turn::Postponed)) && may_ask(routes.state(key)) {
                routes.queue(key);
            }
        }
    }

    /// Postpones the names whose confirmations have not arrived from a node.
    pub(crate) fn postpone_unanswered(&self, node: NodeId) {
        let mut state = self.lock();
        let routes = &mut state.routes;
        for (key, _) in std::mem::take(&mut routes.nodes[node].turns.asked) {
            if routes.is_in_flight(node, key) {
                routes.postpone(key);
            }
        }
    }

    /// Takes up to `most` of the names on a node whose subscriptions have to be ended by now. Without
    /// `can_leave`, which is the case where others use the connection, the subscriptions stay.
    pub(crate) fn next_leaving(
        &self,
        node: NodeId,
        most: usize,
        now: Instant,
        can_leave: bool,
    ) -> Vec<Subscription> {
        let routes = &mut self.lock().routes;
        routes.next_leaving(node, most, now, can_leave)
    }

    /// Records that the server does not end a subscription. What still arrives through it is discarded,
    /// unless somebody wants the name again: then it is asked for again.
    pub(crate) fn not_left(&self, node: NodeId, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        state.routes.nodes[node].turns.behind.ended(kind, name);
        if let Some(key) = state.routes.key_at(node, kind, name)
            && *state.routes.state(key) == SubscriptionState::Leaving
        {
            state.left(key);
            self.wake(state);
        }
    }
}
