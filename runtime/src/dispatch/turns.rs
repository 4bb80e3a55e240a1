//! What the session sends next: the names to ask for, to ask for again, and to leave.
//!
//! Names come and go while the session runs, so each turn of the session takes what has changed from
//! here, and does not look at every name.

use std::collections::{BTreeSet, VecDeque};
use std::time::SystemTime;

use tokio::time::Instant;

use super::Dispatcher;
use super::counts::{NameCounts, WantedBy};
use super::name::Route;
use super::placement::{SubscriptionState, Turn};
use super::table::RoutingTable;
use crate::subscription::{Kind, Subscription};
use crate::util::{Key, clock, shrink};

/// The names that have a turn, by the keys of their routes.
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

/// What there is to do for the session, and how the names stand.
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
        let term = self.term;
        if self.routes[key].placement.turn(term) == Turn::Queued {
            return;
        }
        self.update(key, |route| route.placement.set_turn(Turn::Queued));
        match self.routes[key].subscription().kind() {
            Kind::Invalidation => self.turns.prefixes.push(key),
            _ => self.turns.queue.push_back(key),
        }
    }

    /// Moves names of the beginning of a term to the queue, a part at a time.
    fn sweep(&mut self, most: usize) {
        let Some(from) = self.turns.sweep else {
            return;
        };
        let mut key = from;
        let until = from.saturating_add(Key::try_from(most).unwrap_or(Key::MAX).saturating_mul(4));
        while key < self.routes.end().min(until) && self.turns.queue.len() < most {
            match self.routes.get(key) {
                Some(route) if route.wanted() == WantedBy::Nobody => self.remove(key),
                Some(route) if route.has_to_be_queued(self.term) => self.queue(key),
                _ => {}
            }
            key += 1;
        }
        self.turns.sweep = (key < self.routes.end()).then_some(key);
    }

    /// Takes the next names that have to be asked for, and records that they are.
    fn next_wanted(&mut self, most: usize, now: SystemTime) -> Vec<Subscription> {
        self.sweep(most);
        let mut keys = std::mem::take(&mut self.turns.prefixes);
        // Of overlapping prefixes the server accepts the first, so that must be the shortest.
        keys.retain(|key| self.routes.get(*key).is_some());
        keys.sort_by_key(|key| self.routes[*key].subscription().name().len());
        let mut wanted = Vec::new();
        let mut keys = keys.into_iter();
        while wanted.len() < most
            && let Some(key) = keys.next().or_else(|| self.turns.queue.pop_front())
        {
            let Some(route) = self.routes.get(key) else {
                continue;
            };
            if route.placement.turn(self.term) != Turn::Queued {
                continue;
            }
            if route.wanted() == WantedBy::Nobody {
                // It has never been asked for, or has ended.
                self.remove(key);
                continue;
            }
            wanted.push(route.subscription().clone());
            self.turns.asked.push_back((key, clock::now()));
            self.ask(key, now);
        }
        self.turns.prefixes.extend(keys);
        shrink(&mut self.turns.queue);
        wanted
    }

    /// Records that the last reader of a name has left. Returns whether the session has to know: no other
    /// name ends earlier.
    pub(super) fn linger(&mut self, key: Key, until: Instant) -> bool {
        self.stop_lingering(key);
        self.routes[key].leave_at = Some(until);
        self.turns.lingering.insert((until, key));
        self.turns.lingering.first() == Some(&(until, key))
    }

    /// Forgets when a name ends.
    pub(super) fn stop_lingering(&mut self, key: Key) {
        if let Some(until) = self.routes[key].leave_at.take() {
            self.turns.lingering.remove(&(until, key));
        }
    }

    /// Takes the next names whose subscriptions have to be ended by now.
    fn next_leaving(&mut self, most: usize, now: Instant, can_leave: bool) -> Vec<Subscription> {
        let mut leaving = Vec::new();
        while leaving.len() < most
            && let Some((until, key)) = self.turns.lingering.first().copied()
            && until <= now
        {
            self.stop_lingering(key);
            let route = &self.routes[key];
            if route.wanted() != WantedBy::Nobody {
                continue;
            }
            let is_asked = route.is_asked(self.term);
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
            if *route.placement.state(self.term) != SubscriptionState::Leaving {
                self.set_state(key, SubscriptionState::Pending);
            }
        }
    }

    /// Postpones a name until the next retry.
    pub(super) fn postpone(&mut self, key: Key) {
        self.update(key, |route| route.placement.set_turn(Turn::Postponed));
        self.turns.postponed.push(key);
    }

    fn agenda(&mut self) -> Agenda {
        while let Some((key, _)) = self.turns.asked.front()
            && let route = self.routes.get(*key)
            && !route.is_some_and(|route| route.placement.is_in_flight(self.term))
        {
            self.turns.asked.pop_front();
        }
        shrink(&mut self.turns.asked);
        let turns = &self.turns;
        Agenda {
            has_wanted: !turns.queue.is_empty()
                || !turns.prefixes.is_empty()
                || turns.sweep.is_some(),
            has_retries: !turns.denied.is_empty() || !turns.postponed.is_empty(),
            in_flight: self.counts.in_flight(),
            asked: turns.asked.front().map(|(_, asked)| *asked),
            leave_at: turns.lingering.first().map(|(until, _)| *until),
            handlers: self.counts.of_handlers(),
            streams: self.counts.of_streams(),
        }
    }
}

/// What the session asks.
impl Dispatcher {
    /// Returns what there is to do.
    pub(crate) fn agenda(&self) -> Agenda {
        self.lock().routes.agenda()
    }

    /// Takes up to `most` of the names that the server has to be asked for, and records that it is asked
    /// `now`, before the commands are sent.
    pub(crate) fn next_wanted(&self, most: usize, now: SystemTime) -> Vec<Subscription> {
        self.lock().routes.next_wanted(most, now)
    }

    /// Queues the names that are denied or postponed.
    pub(crate) fn retry(&self) {
        let mut state = self.lock();
        let routes = &mut state.routes;
        let postponed = std::mem::take(&mut routes.turns.postponed);
        let denied: Vec<_> = routes.turns.denied.iter().copied().collect();
        for key in postponed.into_iter().chain(denied) {
            // A denied name that is sent already gets its answer.
            let turn = routes.routes.get(key);
            let turn = turn.map(|route| route.placement.turn(routes.term));
            if matches!(turn, Some(Turn::None | Turn::Postponed))
                && !routes.state(key).is_confirmed()
            {
                routes.queue(key);
            }
        }
    }

    /// Postpones the names whose confirmations have not arrived.
    pub(crate) fn postpone_unanswered(&self) {
        let mut state = self.lock();
        let routes = &mut state.routes;
        for (key, _) in std::mem::take(&mut routes.turns.asked) {
            let route = routes.routes.get(key);
            if route.is_some_and(|route| route.placement.is_in_flight(routes.term)) {
                routes.postpone(key);
            }
        }
    }

    /// Takes up to `most` of the names whose subscriptions have to be ended by now. Without `can_leave`,
    /// which is the case where others use the connection, the subscriptions stay.
    pub(crate) fn next_leaving(
        &self,
        most: usize,
        now: Instant,
        can_leave: bool,
    ) -> Vec<Subscription> {
        self.lock().routes.next_leaving(most, now, can_leave)
    }

    /// Records that the server does not end a subscription. What still arrives through it is discarded,
    /// unless somebody wants the name again: then it is asked for again.
    pub(crate) fn not_left(&self, subscription: &Subscription) {
        let mut state = self.lock();
        let (kind, name) = subscription.key();
        if let Some(key) = state.routes.key(kind, name)
            && *state.routes.state(key) == SubscriptionState::Leaving
        {
            state.left(key);
            self.wake(state);
        }
    }
}
