//! The way of a push in pieces, each of which can be run by itself: no link, no scheduler. No
//! public API.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use redis::{PushInfo, PushKind, Value};

use crate::broadcast::{Budget, GapStart, Received, Receiver};
use crate::config::Settings;
use crate::delivery::{HandlerContext, LoopState};
use crate::dispatch::Dispatcher;
use crate::failure::Failures;
use crate::gap::{GapCause, Missed};
use crate::handler::Handler;
use crate::link::incoming;
use crate::push::Extensions;
use crate::subscriber::Broadcasts;
use crate::subscription::{Kind, Subscription};

/// A message as redis-rs hands it over.
#[must_use]
pub fn message(channel: &str, payload: &[u8]) -> PushInfo {
    let data = [channel.as_bytes(), payload];
    PushInfo {
        kind: PushKind::Message,
        data: data.map(|bytes| Value::BulkString(bytes.to_vec())).into(),
    }
}

/// Reads a push of redis-rs, as the manager link does.
pub fn convert(push: &PushInfo) {
    std::hint::black_box(incoming(push));
}

/// Routes from channels to a ring each.
#[derive(Debug)]
pub struct RoutingTable(crate::dispatch::RoutingTable);

impl RoutingTable {
    /// Makes a route for each channel.
    pub fn new(channels: impl IntoIterator<Item = String>) -> Self {
        let mut routes = crate::dispatch::RoutingTable::default();
        for channel in channels {
            let shared = Arc::new(crate::broadcast::Shared::new(1, Budget::default()));
            routes.add(&shared, &[Subscription::channel(channel)]);
        }
        Self(routes)
    }

    /// Looks a channel up: how many rings there are.
    #[must_use]
    pub fn broadcasts(&self, channel: &str) -> usize {
        let route = self.0.get(Kind::Channel, channel.as_bytes());
        route.map_or(0, |route| route.broadcasts.len())
    }
}

/// A ring and its readers.
#[derive(Debug)]
pub struct Shared {
    shared: Arc<crate::broadcast::Shared>,
    readers: Vec<Receiver>,
    wakers: Vec<Waker>,
}

impl Shared {
    /// Makes a ring with so many readers, who wait.
    #[must_use]
    pub fn new(readers: usize) -> Self {
        let shared = Arc::new(crate::broadcast::Shared::new(1, Budget::default()));
        let mut all = Self {
            readers: (0..readers).map(|_| shared.subscribe()).collect(),
            shared,
            wakers: Vec::new(),
        };
        let before = GapStart {
            cause: GapCause::Initial,
            missed: Missed::Exactly(0),
            since: SystemTime::now(),
        };
        all.shared.confirm(0, 1, before, &mut all.wakers);
        all.take();
        all
    }

    /// Appends a push, and wakes.
    pub fn append(&mut self, payload: &[u8]) {
        self.shared.append(0, &[], payload, &mut self.wakers);
        self.wakers.drain(..).for_each(Waker::wake);
    }

    /// Lets every reader take what there is and wait again: how many pushes they were given.
    pub fn take(&mut self) -> usize {
        let mut given = 0;
        for reader in &mut self.readers {
            while let Poll::Ready(Some(Received { batch, .. })) = poll(reader.recv()) {
                if let Some((batch, skip)) = batch {
                    given += batch.len() - skip;
                    reader.done(batch);
                }
            }
        }
        given
    }
}

/// The feed, and handlers whose loops are run by hand.
pub struct Way {
    dispatcher: Arc<Dispatcher>,
    contexts: Vec<Arc<HandlerContext>>,
    loops: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Way {
    /// Mounts handlers, and confirms their subscriptions.
    ///
    /// # Panics
    ///
    /// When a handler listens to nothing.
    pub fn new<H: Handler<()>>(handlers: impl IntoIterator<Item = H>) -> Self {
        let mut broadcasts = Broadcasts::default();
        let mut contexts = Vec::new();
        let mut loops: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> = Vec::new();
        for handler in handlers {
            let spec = handler.spec();
            let shared = broadcasts.for_spec(&spec).expect("it listens to something");
            let receiver = shared.subscribe();
            let context = Arc::new(HandlerContext::new(
                spec,
                Failures::default(),
                Extensions::default(),
            ));
            contexts.push(Arc::clone(&context));
            let delivering = crate::delivery::run(
                Arc::new(handler),
                LoopState::new(receiver),
                Arc::new(()),
                context,
            );
            loops.push(Box::pin(delivering));
        }
        let dispatcher = Arc::new(Dispatcher::new(broadcasts.routes, &Settings::default()));
        dispatcher.open(1);
        for subscription in dispatcher.subscriptions(|_| true) {
            let (kind, name) = subscription.key();
            dispatcher.accept(1, &crate::push::Incoming::Subscribed { kind, name });
        }
        let mut way = Self {
            dispatcher,
            contexts,
            loops,
        };
        way.deliver();
        way
    }

    /// Brings a push, as the manager link does.
    pub fn push(&self, push: &PushInfo) {
        self.dispatcher.accept(1, &incoming(push));
    }

    /// Lets every handler handle what there is.
    pub fn deliver(&mut self) {
        for delivering in &mut self.loops {
            let _ = poll(delivering);
        }
    }

    /// How many pushes the handlers have handled.
    #[must_use]
    pub fn handled(&self) -> u64 {
        let contexts = self.contexts.iter();
        contexts
            .map(|context| context.counters.handled.load(Acquire))
            .sum()
    }

    /// How many batches the first handler was given.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.contexts[0].counters.batches.load(Acquire)
    }
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}
