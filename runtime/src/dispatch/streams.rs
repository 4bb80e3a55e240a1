//! The readers of streams: how they join and leave.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::counts::WantedBy;
use super::placement::SubscriptionState;
use super::{DispatchState, Dispatcher};
use crate::broadcast::{Budget, Overflow, Pace, Received, Receiver, Shared};
use crate::subscription::{Kind, Subscription};
use crate::util::clock;

/// A reader of the messages of some names. Dropping it lets go of the names.
pub(crate) struct StreamReader {
    receiver: Receiver,
    dispatcher: Arc<Dispatcher>,
    names: Names,
    /// How many messages the reader was told to have missed, and to have skipped.
    pub(crate) told: (u64, u64),
}

/// The names of a stream, by the keys of their routes.
enum Names {
    /// One name, whose channel it shares with the other streams of that name.
    Shared {
        route: usize,
        /// How often the server had denied the name before.
        denials: u32,
    },
    /// A channel of its own.
    Own {
        shared: Arc<Shared>,
        channel: usize,
        routes: Box<[(usize, u32)]>,
    },
    /// A channel of its own with the events of the connection.
    Connection { channel: usize },
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
    /// subscription yet.
    ///
    /// # Errors
    ///
    /// When the subscriber has ended, and when there are `most` streams already.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        subscriptions: &[Subscription],
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
        let (receiver, names) = match subscriptions {
            [one] if one.kind() == Kind::Connection => state.read_connection(pace),
            // A glob stands for many channels, of which each has a newest message.
            [one] if pace != Pace::Latest || one.kind() != Kind::Pattern => {
                state.read_shared(one, pace)
            }
            several => state.read_own(several, pace),
        };
        drop(state);
        self.notify_changed();
        Ok(StreamReader {
            receiver,
            dispatcher: Arc::clone(self),
            names,
            told: (0, 0),
        })
    }

    /// Returns how many streams there are.
    pub(crate) fn streams(&self) -> usize {
        self.lock().streams
    }

    /// Returns the first denied names that only streams want, with the server's reasons.
    pub(crate) fn denied_to_streams(&self, most: usize) -> Vec<(Subscription, Arc<str>)> {
        let state = self.lock();
        let routes = &state.routes;
        let denied = routes.turns.denied.iter().filter_map(|key| {
            let route = &routes.routes[*key];
            match routes.state(*key) {
                SubscriptionState::Denied(reason) if route.wanted() == WantedBy::Streams => {
                    Some((route.subscription.clone(), Arc::clone(reason)))
                }
                _ => None,
            }
        });
        denied.take(most).collect()
    }

    fn unsubscribe(&self, names: &Names) {
        let mut state = self.lock();
        state.streams -= 1;
        let is_first = match names {
            Names::Shared { route, .. } => state.let_go(*route),
            Names::Own {
                shared,
                channel,
                routes,
            } => {
                state.routes.remove_stream_channel(*channel);
                let mut is_first = false;
                for (route, _) in routes {
                    state.routes.routes[*route].unlisten(shared);
                    is_first |= state.let_go(*route);
                }
                is_first
            }
            Names::Connection { channel } => {
                state.routes.remove_connection_channel(*channel);
                false
            }
        };
        drop(state);
        if is_first {
            self.notify_changed();
        }
    }
}

impl DispatchState {
    /// Adds a reader to the channel that the streams of one name share.
    fn read_shared(&mut self, subscription: &Subscription, pace: Pace) -> (Receiver, Names) {
        let key = self.routes.route_of(subscription);
        if self.routes.routes[key].shared.is_none() {
            let shared = Arc::new(Shared::for_streams(1, Budget::default(), self.generation));
            let channel = self.routes.add_stream_channel(&shared);
            let route = &mut self.routes.routes[key];
            route.listen(&shared, 0);
            route.shared = Some((Arc::clone(&shared), channel));
            self.join(key, &shared, 0);
        }
        let denials = self.want(key);
        let is_live = self.routes.state(key).is_confirmed();
        let (shared, _) = self.routes.routes[key].shared.as_ref().expect("just set");
        let receiver = shared.subscribe_at(pace, is_live);
        let names = Names::Shared {
            route: key,
            denials,
        };
        (receiver, names)
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
        let shared = Arc::new(Shared::for_streams(names, budget, self.generation));
        let channel = self.routes.add_stream_channel(&shared);
        let receiver = shared.subscribe_at(pace, false);
        let mut routes = Vec::with_capacity(names);
        for (index, subscription) in subscriptions.iter().enumerate() {
            let key = self.routes.route_of(subscription);
            self.routes.routes[key].listen(&shared, index);
            self.join(key, &shared, index);
            routes.push((key, self.want(key)));
        }
        let names = Names::Own {
            shared,
            channel,
            routes: routes.into(),
        };
        (receiver, names)
    }

    /// Adds a channel for one reader of connection events.
    fn read_connection(&mut self, pace: Pace) -> (Receiver, Names) {
        let shared = Arc::new(Shared::for_streams(1, Budget::default(), 0));
        let channel = self.routes.add_connection_channel(&shared);
        let receiver = shared.subscribe_at(pace, false);
        // The events come from the session, not from the server, so they are live from the beginning.
        shared.confirm(0, 0, self.before, &mut Vec::new());
        (receiver, Names::Connection { channel })
    }

    /// Tells a new channel how its name stands. Returns how often the server has denied the name so far.
    pub(super) fn join(&mut self, key: usize, shared: &Shared, index: usize) -> u32 {
        let wakers = &mut self.wakeups.wakers;
        match self.routes.state(key) {
            SubscriptionState::Confirmed => {
                shared.confirm(index, self.generation, self.before, wakers);
            }
            // The rules of the server may have changed, so it is asked again.
            SubscriptionState::Denied(_) => self.routes.queue(key),
            _ => {}
        }
        self.routes.routes[key].denials
    }

    /// Counts a reader of a name. Returns how often the server has denied the name so far.
    fn want(&mut self, key: usize) -> u32 {
        let denials = self.routes.update(key, |route| {
            route.readers += 1;
            route.denials
        });
        if let SubscriptionState::Denied(_) = self.routes.state(key) {
            self.routes.queue(key);
        }
        denials
    }

    /// Counts a reader of a name no more. Returns whether the session has to know.
    fn let_go(&mut self, key: usize) -> bool {
        let is_last = self.routes.update(key, |route| {
            route.readers -= 1;
            route.readers == 0
        });
        is_last && self.routes.linger(key, clock::now() + self.linger)
    }

    /// Returns the first of the names that the server has denied since the reader has joined.
    fn denial(&self, names: &Names) -> Option<(Subscription, Arc<str>)> {
        let denial = |key: usize, before: u32| {
            let route = &self.routes.routes[key];
            match self.routes.state(key) {
                SubscriptionState::Denied(reason) if route.denials != before => {
                    Some((route.subscription.clone(), Arc::clone(reason)))
                }
                _ => None,
            }
        };
        match names {
            Names::Shared { route, denials } => denial(*route, *denials),
            Names::Own { routes, .. } => routes
                .iter()
                .find_map(|(key, before)| denial(*key, *before)),
            Names::Connection { .. } => None,
        }
    }
}

impl StreamReader {
    /// Waits until every name is confirmed, or one is denied.
    pub(crate) fn poll_confirmed(&mut self, cx: &mut Context<'_>) -> Poll<Confirmed> {
        // The waker is registered before the denials are read, so none is missed.
        let begun = self.receiver.poll_begun(cx);
        if let Some((subscription, reason)) = self.dispatcher.lock().denial(&self.names) {
            return Poll::Ready(Confirmed::Denied(subscription, reason));
        }
        begun.map(|has_begun| {
            if has_begun {
                Confirmed::Yes
            } else {
                Confirmed::Ended
            }
        })
    }

    pub(crate) fn receiver(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// Waits for the next gap or batch.
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        self.receiver.poll_recv(cx)
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.dispatcher.unsubscribe(&self.names);
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader").finish_non_exhaustive()
    }
}
