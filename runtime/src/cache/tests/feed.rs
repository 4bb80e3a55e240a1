use std::sync::Arc;

use tokio::sync::watch;

use crate::cache::{CacheContext, NearCacheBuilder};
use crate::config::Settings;
use crate::connection::Endpoint;
use crate::dispatch::{Dispatcher, RoutingTable};
use crate::gap::Missed;
use crate::push::{Incoming, NodeId};
use crate::session::Status;
use crate::stream::SubscribeContext;
use crate::subscription::{Kind, TrackingFence};
use crate::util::clock;

const PREFIX: &str = "user:";

/// The server's side of the subscriptions.
pub(super) struct Feed {
    pub(super) context: CacheContext,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) generation: u64,
}

#[cfg_attr(shuttle, expect(dead_code, reason = "the models need less"))]
impl Feed {
    /// Creates one without a connection.
    pub(super) fn new() -> Self {
        let settings = Settings::default();
        let dispatcher = Arc::new(Dispatcher::new(RoutingTable::default(), &settings));
        let server = Endpoint::new("redis://127.0.0.1:1/");
        let streams = SubscribeContext {
            dispatcher: Arc::clone(&dispatcher),
            registry: Arc::default(),
            status: watch::Sender::new(Status::default()).subscribe(),
            deadline: None,
            max_streams: 100,
            prefix: None,
        };
        let commands = server.into_commands().unwrap();
        Self {
            context: CacheContext {
                streams,
                commands: Arc::new(commands),
                registry: Arc::default(),
            },
            dispatcher,
            generation: 0,
        }
    }

    /// Connects, and confirms the invalidations.
    pub(super) fn connect(&mut self) {
        self.generation += 1;
        self.dispatcher.open(self.generation.into());
        self.track();
    }

    /// Asks for the invalidations, and confirms them.
    pub(super) fn track(&self) {
        self.dispatcher
            .next_wanted(NodeId::FIRST, usize::MAX, clock::wall());
        self.unsubscribed(TrackingFence::On);
    }

    /// Ends the invalidations.
    pub(super) fn untrack(&self) {
        self.unsubscribed(TrackingFence::Off);
    }

    fn unsubscribed(&self, fence: TrackingFence) {
        self.push(&Incoming::Unsubscribed {
            kind: Kind::Channel,
            name: &fence.name(PREFIX),
            left: None,
        });
    }

    /// Ends the connection, as a link does.
    pub(super) fn disconnect(&self) {
        self.push(&Incoming::Disconnected);
    }

    /// Ends the connection, and then its generation, as the session does.
    pub(super) fn lose(&self) {
        self.disconnect();
        self.dispatcher.end(NodeId::FIRST, Missed::Unknown);
    }

    /// Reports that a user has changed.
    pub(super) fn change(&self, id: u64) {
        self.change_key(&format!("{PREFIX}{id}"));
    }

    pub(super) fn change_key(&self, key: &str) {
        self.push(&Incoming::Invalidated(Some(vec![key.as_bytes()])));
    }

    /// Reports that the server was flushed.
    pub(super) fn flush(&self) {
        self.push(&Incoming::Invalidated(None));
    }

    fn push(&self, push: &Incoming<'_>) {
        self.dispatcher.accept(self.generation.into(), push);
    }

    pub(super) fn builder<V>(&self) -> NearCacheBuilder<u64, V> {
        NearCacheBuilder::new(self.context.clone(), format!("{PREFIX}{{id}}"))
    }
}
