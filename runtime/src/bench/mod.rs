//! The path of a push in pieces, for benchmarks. Not a public API.
//!
//! Each piece can be run directly, without a link and without a scheduler:
//!
//! - [`convert`]: from a push of redis-rs to a push of this crate.
//! - [`RoutingTable`]: from a channel name to the broadcast channels of its route.
//! - [`Shared`]: one broadcast channel and its readers.
//! - [`Streams`]: streams whose names are confirmed by hand.
//! - [`Way`]: the whole path, from the push of redis-rs to the end of the handler.
//!
//! In: the benchmarks and the memory test of the package in `tests/` call these. Out: they call the
//! crate's own functions and contain no copy of them, so a benchmark measures what users run.
//!
//! Nothing here waits: futures are polled with a waker that does nothing, and a caller of [`Way`]
//! polls the handlers itself. The module exists only with `--cfg redis_push_internals`.

mod streams;

pub use streams::Streams;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use redis::{PushInfo, PushKind, Value};

use crate::broadcast::{BacklogMeter, Budget, GapStart, Received, Receiver};
use crate::config::Settings;
use crate::delivery::{Bare, HandlerContext, Layered, LoopState, Observation, run};
use crate::dispatch::{Dispatcher, Pushes};
use crate::failure::Failures;
use crate::gap::{GapCause, Missed};
use crate::handler::{Bound, Handler};
use crate::link::incoming;
use crate::push::Extensions;
use crate::subscriber::Broadcasts;
use crate::subscription::{Kind, Subscription};
use crate::telemetry::Timings;

/// Creates a message as redis-rs passes it on.
#[must_use]
pub fn message(channel: &str, payload: &[u8]) -> PushInfo {
    let data = [channel.as_bytes(), payload];
    PushInfo {
        kind: PushKind::Message,
        data: data.map(|bytes| Value::BulkString(bytes.to_vec())).into(),
    }
}

/// Creates a message through a pattern as redis-rs passes it on.
#[must_use]
pub fn pattern_message(pattern: &str, channel: &str, payload: &[u8]) -> PushInfo {
    let data = [pattern.as_bytes(), channel.as_bytes(), payload];
    PushInfo {
        kind: PushKind::PMessage,
        data: data.map(|bytes| Value::BulkString(bytes.to_vec())).into(),
    }
}

/// Converts a push of redis-rs, as the manager link does.
pub fn convert(push: &PushInfo) {
    std::hint::black_box(incoming(push));
}

/// Routes from channel names to one broadcast channel each.
#[derive(Debug)]
pub struct RoutingTable(crate::dispatch::RoutingTable);

impl RoutingTable {
    /// Creates a route for each channel name.
    pub fn new(channels: impl IntoIterator<Item = String>) -> Self {
        let mut routes = crate::dispatch::RoutingTable::default();
        for channel in channels {
            let shared = Arc::new(crate::broadcast::Shared::new(1, Budget::default()));
            routes.add(&shared, &[Subscription::channel(channel)]);
        }
        Self(routes)
    }

    /// Looks a channel name up, and returns the number of broadcast channels of its route.
    #[must_use]
    pub fn broadcasts(&self, channel: &str) -> usize {
        let route = self.0.get(Kind::Channel, channel.as_bytes());
        route.map_or(0, |route| route.listeners.len())
    }
}

/// A broadcast channel and its readers.
#[derive(Debug)]
pub struct Shared {
    shared: Arc<crate::broadcast::Shared>,
    readers: Vec<Receiver>,
    wakers: Vec<Waker>,
}

impl Shared {
    /// Creates a broadcast channel with this many waiting readers.
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
        all.shared.confirm(0, 1.into(), before, &mut all.wakers);
        all.take();
        all
    }

    /// Appends a push, and wakes the readers.
    pub fn append(&mut self, payload: &[u8]) {
        self.shared.append(0, &[], payload, &mut self.wakers);
        self.wakers.drain(..).for_each(Waker::wake);
    }

    /// Reads everything with every reader, so that all of them wait again. Returns how many pushes
    /// they have received.
    pub fn take(&mut self) -> usize {
        let mut received = 0;
        for reader in &mut self.readers {
            while let Poll::Ready(Some(Received { batch, .. })) = poll(reader.recv()) {
                if let Some(skip) = batch {
                    received += reader.batch().map_or(0, |batch| batch.len()) - skip;
                }
            }
        }
        received
    }
}

/// A dispatcher, and handlers whose loops are polled by hand.
pub struct Way {
    dispatcher: Arc<Dispatcher>,
    contexts: Vec<Arc<HandlerContext>>,
    meters: Vec<BacklogMeter>,
    loops: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Way {
    /// Mounts handlers, and confirms their subscriptions.
    ///
    /// # Panics
    ///
    /// Panics if a handler has no subscription.
    pub fn new<H: Handler<()>>(handlers: impl IntoIterator<Item = H>) -> Self {
        Self::within(Settings::default().memory_limit, handlers)
    }

    /// Mounts handlers whose messages may take this much memory, and confirms their subscriptions.
    ///
    /// # Panics
    ///
    /// Panics if a handler has no subscription.
    pub fn within<H: Handler<()>>(
        memory_limit: usize,
        handlers: impl IntoIterator<Item = H>,
    ) -> Self {
        Self::observed(memory_limit, &Observation::default(), handlers)
    }

    /// Mounts handlers whose deliveries are measured, and confirms their subscriptions.
    ///
    /// # Panics
    ///
    /// Panics if a handler has no subscription.
    pub fn timed<H: Handler<()>>(handlers: impl IntoIterator<Item = H>) -> Self {
        let observation = Observation {
            timings: Some(Timings::default()),
            spans: None,
        };
        Self::observed(Settings::default().memory_limit, &observation, handlers)
    }

    fn observed<H: Handler<()>>(
        memory_limit: usize,
        observation: &Observation,
        handlers: impl IntoIterator<Item = H>,
    ) -> Self {
        let mut broadcasts = Broadcasts::default();
        let (mut contexts, mut meters) = (Vec::new(), Vec::new());
        let mut loops: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> = Vec::new();
        for handler in handlers {
            let spec = handler.spec();
            let shared = broadcasts
                .for_spec(&spec)
                .expect("handler has a subscription");
            let receiver = shared.subscribe();
            meters.push(receiver.meter());
            let context = HandlerContext::new(
                spec,
                Failures::default(),
                Extensions::default(),
                Arc::default(),
            );
            let context = Arc::new(context.observed(observation));
            contexts.push(Arc::clone(&context));
            let (handler, state) = (Arc::new(handler), Arc::new(()));
            let loop_state = LoopState::new(receiver);
            if context.spec.layers.is_empty() {
                loops.push(Box::pin(run::<Bare, _, _>(
                    handler, loop_state, state, context,
                )));
            } else {
                let endpoint = Arc::new(Bound { handler, state });
                let layered = Layered::new(endpoint, Arc::clone(&context));
                let layered = Arc::new(layered);
                loops.push(Box::pin(run::<Bare, _, _>(
                    layered,
                    loop_state,
                    Arc::new(()),
                    context,
                )));
            }
        }
        let settings = Settings {
            memory_limit,
            ..Settings::default()
        };
        let dispatcher = Arc::new(Dispatcher::new(broadcasts.routes, &settings));
        dispatcher.open(1.into());
        for subscription in dispatcher.subscriptions(|_| true) {
            let (kind, name) = subscription.key();
            dispatcher.accept(1.into(), &crate::push::Incoming::Subscribed { kind, name });
        }
        let mut way = Self {
            dispatcher,
            contexts,
            meters,
            loops,
        };
        way.deliver();
        way
    }

    /// Passes a push to the dispatcher, as the manager link does.
    pub fn push(&self, push: &PushInfo) {
        self.dispatcher.accept(1.into(), &incoming(push));
    }

    /// Polls every handler until it has handled everything.
    pub fn deliver(&mut self) {
        for delivering in &mut self.loops {
            let _ = poll(delivering);
        }
    }

    /// Returns how many pushes the handlers have handled.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.contexts
            .iter()
            .map(|context| context.counters.handled.load(Acquire))
            .sum()
    }

    /// Returns how many pushes were dropped before the handlers could receive them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.meters.iter().map(|meter| meter.backlog().missed).sum()
    }

    /// Returns a receiver of every push from now on.
    pub fn pushes(&self) -> Pushes {
        self.dispatcher.pushes()
    }

    /// Returns how many batches the first handler has received.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.contexts[0].counters.batches.load(Acquire)
    }
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}
