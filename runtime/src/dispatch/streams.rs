//! How the readers of streams join and leave.

use std::sync::Arc;

use super::counts::WantedBy;
use super::placement::SubscriptionState;
use super::stream_reader::StreamReader;
use super::{DispatchState, Dispatcher};
use crate::broadcast::{Budget, Entered, Overflow, Pace, Receiver, Shared};
use crate::push::{Generation, NodeId};
use crate::subscription::{Kind, Subscription};
use crate::util::{Key, clock};

/// The names of a stream.
pub(super) enum Names {
    /// One name, whose channel it shares with the other streams of that name.
    Shared(Name),
    /// A channel of its own. Boxed, because it is less frequent.
    Own(Box<OwnNames>),
    /// A channel of its own with the events of the connection, by its key.
    Connection(Key),
}

pub(super) struct OwnNames {
    shared: Arc<Shared>,
    names: Box<[Name]>,
}

#[derive(Clone, Copy)]
pub(super) struct Name {
    route: Key,
    /// How often the server had denied the name before.
    denials: u32,
}

/// Why a stream cannot begin.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoStream {
    /// The subscriber has ended.
    Ended,
    /// There are as many streams as allowed.
    TooMany,
}

/// The end of the wait for a confirmation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmed {
    Yes,
    /// The server has denied a name, for this reason.
    Denied(Subscription, Arc<str>),
    /// The subscriber has ended.
    Ended,
}

impl Dispatcher {
    /// Adds a reader of some names. The subscribe commands are sent soon, for names that have no
    /// subscription yet. A list that the route of the name has too is replaced by that one.
    ///
    /// # Errors
    ///
    /// When the subscriber has ended, and when there are `most` streams already.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        subscriptions: &mut Arc<[Subscription]>,
        pace: Pace,
        most: usize,
    ) -> Result<StreamReader, NoStream> {
        let mut state = self.lock();
        if state.has_ended_streams {
            return Err(NoStream::Ended);
        }
        if state.streams >= most {
            return Err(NoStream::TooMany);
        }
        state.streams += 1;
        let (receiver, names) = match &**subscriptions {
            [one] if one.kind() == Kind::Connection => state.read_connection(pace),
            // A glob stands for many channels, of which each has a newest message.
            [one] if pace != Pace::Latest || one.kind() != Kind::Pattern => {
                state.read_shared(subscriptions, pace)
            }
            several => state.read_own(several, pace),
        };
        drop(state);
        self.notify_changed();
        Ok(StreamReader {
            receiver,
            dispatcher: Arc::clone(self),
            names,
        })
    }

    /// Returns how many streams there are.
    pub(crate) fn streams(&self) -> usize {
        self.lock().streams
    }

    /// Returns what has entered the channels of open streams, for each stream since it has begun, by the
    /// labels of their readers.
    pub(crate) fn entered_for_streams(&self, labels: usize) -> Vec<Entered> {
        const PART: Key = 1_000;
        let mut by_label = vec![Entered::default(); labels];
        let mut from = 0;
        // A part at a time, so that no push has to wait for all of them.
        loop {
            let state = self.lock();
            let until = state.routes.routes.end().min(from + PART);
            let channels = state.routes.stream_channels_of(from..until);
            let mut channels: Vec<_> = channels.cloned().collect();
            let is_last = until == state.routes.routes.end();
            if is_last {
                channels.extend(state.routes.connection().cloned());
            }
            drop(state);
            for shared in channels {
                shared.add_entered(&mut by_label);
            }
            if is_last {
                return by_label;
            }
            from = until;
        }
    }

    /// Returns the first denied names that only streams want, with the server's reasons.
    pub(crate) fn denied_to_streams(&self, most: usize) -> Vec<(Subscription, Arc<str>)> {
        let state = self.lock();
        let routes = &state.routes;
        let denied = routes.nodes.iter().flat_map(|node| &node.turns.denied);
        let denied = denied.filter_map(|key| {
            let route = &routes.routes[*key];
            match routes.state(*key) {
                SubscriptionState::Denied(reason) if route.wanted() == WantedBy::Streams => {
                    Some((route.subscription().clone(), Arc::clone(reason)))
                }
                _ => None,
            }
        });
        denied.take(most).collect()
    }

    pub(super) fn unsubscribe(&self, names: &Names) {
        let mut state = self.lock();
        state.streams -= 1;
        let is_first = match names {
            Names::Shared(name) => state.let_go(name.route),
            Names::Own(own) => {
                let mut is_first = false;
                for name in &own.names {
                    let shared = &own.shared;
                    state
                        .routes
                        .update_all(name.route, |route| _ = route.unlisten(shared));
                    is_first |= state.let_go(name.route);
                }
                is_first
            }
            Names::Connection(channel) => {
                state.routes.remove_connection_channel(*channel);
                false
            }
        };
        // A session that ends waits for the names that somebody wants.
        let has_to_know = is_first || state.has_ended_streams;
        drop(state);
        if has_to_know {
            self.notify_changed();
        }
    }
}

impl DispatchState {
    /// Adds a reader to the channel that the streams of one name share.
    fn read_shared(&mut self, list: &mut Arc<[Subscription]>, pace: Pace) -> (Receiver, Names) {
        let key = self.routes.route_of(&list[0], Some(list));
        let route = &mut self.routes.routes[key];
        if *list == route.subscriptions {
            *list = Arc::clone(&route.subscriptions);
        }
        let shared = match &route.shared {
            Some(shared) => Arc::clone(shared),
            None => {
                let generation = self.routes.node_of(key).generation;
                let shared = Arc::new(Shared::for_streams(1, Budget::default(), generation));
                self.listen(key, &shared, 0);
                self.routes.routes[key].shared = Some(Arc::clone(&shared));
                shared
            }
        };
        let name = self.want(key);
        let is_live = self.routes.is_confirmed(key);
        (shared.subscribe_at(pace, is_live), Names::Shared(name))
    }

    /// Adds a channel for one reader of several names, or of the newest message of each channel.
    fn read_own(&mut self, subscriptions: &[Subscription], pace: Pace) -> (Receiver, Names) {
        let (budget, pace) = match pace {
            Pace::Latest => {
                let overflow = Overflow::Latest;
                let budget = Budget::default();
                (Budget { overflow, ..budget }, Pace::Budget)
            }
            other => (Budget::default(), other),
        };
        let names = subscriptions.len();
        let first = self.routes.route_of(&subscriptions[0], None);
        let generation = self.routes.node_of(first).generation;
        let shared = Arc::new(Shared::for_streams(names, budget, generation));
        let receiver = shared.subscribe_at(pace, false);
        let mut names = Vec::with_capacity(names);
        for (index, subscription) in subscriptions.iter().enumerate() {
            let key = self.routes.route_of(subscription, None);
            self.listen(key, &shared, index);
            names.push(self.want(key));
        }
        let names = names.into();
        (receiver, Names::Own(Box::new(OwnNames { shared, names })))
    }

    /// Adds a channel for one reader of connection events.
    fn read_connection(&mut self, pace: Pace) -> (Receiver, Names) {
        let shared = Arc::new(Shared::for_streams(1, Budget::default(), Generation::NONE));
        let channel = self.routes.add_connection_channel(&shared);
        let receiver = shared.subscribe_at(pace, false);
        // The events come from the session, not from the server, so they are live from the beginning.
        let before = self.routes.nodes[NodeId::FIRST].before;
        shared.confirm(0, Generation::NONE, before, &mut Vec::new());
        (receiver, Names::Connection(channel))
    }

    /// Adds a channel of streams to a route.
    fn listen(&mut self, key: Key, shared: &Arc<Shared>, index: usize) {
        self.routes.listen(key, shared, index);
        self.join(key, shared);
    }

    /// Tells a new channel how its name stands. Returns how often the server has denied the name so far.
    pub(super) fn join(&mut self, key: Key, shared: &Arc<Shared>) -> u32 {
        let placed: Vec<_> = self.routes.placed(key).collect();
        for key in placed {
            match self.routes.state(key) {
                SubscriptionState::Confirmed => {
                    let node = self.routes.node_of(key);
                    let mut listeners = self.routes.routes[key].listeners.iter().rev();
                    let listener = listeners.find(|one| Arc::ptr_eq(&one.shared, shared));
                    let name = listener.expect("the channel has been added").name as usize;
                    let wakers = &mut self.wakeups.wakers;
                    shared.confirm(name, node.generation, node.before, wakers);
                }
                // The rules of the server may have changed, so it is asked again.
                SubscriptionState::Denied(_) => self.routes.queue(key),
                _ => {}
            }
        }
        self.routes.routes[key].denials
    }

    /// Counts a reader of a name.
    fn want(&mut self, key: Key) -> Name {
        self.routes.update_all(key, |route| route.readers += 1);
        self.routes.add_copies(key, clock::wall());
        let is_denied = |key: &Key| matches!(self.routes.state(*key), SubscriptionState::Denied(_));
        let denied: Vec<_> = self.routes.placed(key).filter(is_denied).collect();
        for key in denied {
            self.routes.queue(key);
        }
        Name {
            route: key,
            denials: self.routes.routes[key].denials,
        }
    }

    /// Counts a reader of a name no more. Returns whether the session has to know.
    fn let_go(&mut self, key: Key) -> bool {
        self.routes.update_all(key, |route| route.readers -= 1);
        let is_last = self.routes.routes[key].readers == 0;
        is_last && self.routes.end_at(key, clock::now() + self.linger)
    }

    /// Returns the first of the names that the server has denied since the reader has joined.
    pub(super) fn denial(&self, names: &Names) -> Option<(Subscription, Arc<str>)> {
        let denial = |name: &Name| {
            let route = &self.routes.routes[name.route];
            let reason = self.routes.denied(name.route)?;
            let is_new = route.denials != name.denials;
            is_new.then(|| (route.subscription().clone(), Arc::clone(reason)))
        };
        match names {
            Names::Shared(name) => denial(name),
            Names::Own(own) => own.names.iter().find_map(denial),
            Names::Connection(_) => None,
        }
    }
}
