//! Streams without a server: their names are confirmed by hand.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::sync::watch;

use crate::config::Settings;
use crate::dispatch::{Dispatcher, RoutingTable};
use crate::push::{Incoming, NodeId};
use crate::session::Status;
use crate::stream::{EventStream, SubscribeContext};
use crate::subscription::{Kind, Subscription};
use crate::util::clock;

/// A dispatcher whose streams are polled by hand.
pub struct Streams {
    context: SubscribeContext,
    _status: watch::Sender<Status>,
}

impl Streams {
    /// Creates a dispatcher without handlers.
    #[must_use]
    pub fn new() -> Self {
        let settings = Settings::default();
        let dispatcher = Arc::new(Dispatcher::new(RoutingTable::default(), &settings));
        dispatcher.open(1.into());
        let (status, watched) = watch::channel(Status::default());
        Self {
            context: SubscribeContext {
                dispatcher,
                registry: Arc::default(),
                status: watched,
                deadline: None,
                max_streams: usize::MAX,
                prefix: None,
            },
            _status: status,
        }
    }

    /// Begins a stream of a channel.
    ///
    /// # Panics
    ///
    /// Panics if the subscriber has ended.
    pub fn subscribe(&self, channel: String) -> EventStream<Bytes> {
        let channel = Subscription::channel(channel);
        let subscribe = crate::stream::Subscribe::new(self.context.clone(), channel);
        subscribe.now().expect("there is no limit")
    }

    /// Confirms the names that are wanted. Returns how many there were.
    pub fn confirm(&self) -> usize {
        let dispatcher = &self.context.dispatcher;
        let wanted = dispatcher.next_wanted(NodeId::FIRST, usize::MAX, clock::wall());
        for subscription in &wanted {
            let (kind, name) = subscription.key();
            dispatcher.accept(1.into(), &Incoming::Subscribed { kind, name });
        }
        // As the session does in each turn.
        dispatcher.agenda(NodeId::FIRST);
        wanted.len()
    }

    /// Lets go of the names of streams that have ended, as after the linger.
    pub fn leave(&self) {
        let dispatcher = &self.context.dispatcher;
        let later = clock::now() + Settings::default().linger;
        for subscription in dispatcher.next_leaving(NodeId::FIRST, usize::MAX, later, true) {
            let (kind, name) = subscription.key();
            let left = None;
            dispatcher.accept(1.into(), &Incoming::Unsubscribed { kind, name, left });
        }
    }

    /// Passes a message to the dispatcher.
    pub fn publish(&self, channel: &str, payload: &[u8]) {
        let channel = channel.as_bytes();
        let push = Incoming::Message {
            kind: Kind::Channel,
            name: channel,
            channel,
            payload,
        };
        self.context.dispatcher.accept(1.into(), &push);
    }

    /// Polls a stream until it has nothing more. Returns how many events it had.
    pub fn read(stream: &mut EventStream<Bytes>) -> usize {
        let mut context = Context::from_waker(Waker::noop());
        let mut events = 0;
        while let Poll::Ready(Some(_)) = stream.poll_event(&mut context) {
            events += 1;
        }
        events
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self::new()
    }
}
