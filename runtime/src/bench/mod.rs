//! The way of a push in pieces, each of which can be run by itself: no link, no scheduler. No
//! public API.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use redis::{PushInfo, PushKind, Value};

use crate::broadcast::{Break, Budget, Item, Receiver};
use crate::config::Settings;
use crate::delivery::{Lane, Seat};
use crate::dispatch::Feed;
use crate::failure::Failures;
use crate::gap::{GapCause, Missed};
use crate::handler::Handler;
use crate::link::incoming;
use crate::subscriber::Rings;
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
pub struct Routes(crate::dispatch::Routes);

impl Routes {
    /// Makes a route for each channel.
    pub fn new(channels: impl IntoIterator<Item = String>) -> Self {
        let mut routes = crate::dispatch::Routes::default();
        for channel in channels {
            let ring = Arc::new(crate::broadcast::Ring::new(1, Budget::default()));
            routes.add(&ring, &[Subscription::channel(channel)]);
        }
        Self(routes)
    }

    /// Looks a channel up: how many rings there are.
    #[must_use]
    pub fn rings(&self, channel: &str) -> usize {
        let route = self.0.get(Kind::Channel, channel.as_bytes());
        route.map_or(0, |route| route.rings.len())
    }
}

/// A ring and its readers.
#[derive(Debug)]
pub struct Ring {
    ring: Arc<crate::broadcast::Ring>,
    readers: Vec<Receiver>,
    wakers: Vec<Waker>,
}

impl Ring {
    /// Makes a ring with so many readers, who wait.
    #[must_use]
    pub fn new(readers: usize) -> Self {
        let ring = Arc::new(crate::broadcast::Ring::new(1, Budget::default()));
        let mut all = Self {
            readers: (0..readers).map(|_| ring.subscribe()).collect(),
            ring,
            wakers: Vec::new(),
        };
        let before = Break {
            cause: GapCause::Initial,
            missed: Missed::Exactly(0),
            since: SystemTime::now(),
        };
        all.ring.confirm(0, 1, before, &mut all.wakers);
        all.take();
        all
    }

    /// Appends a push, and wakes.
    pub fn append(&mut self, payload: &[u8]) {
        self.ring.append(0, &[], payload, &mut self.wakers);
        self.wakers.drain(..).for_each(Waker::wake);
    }

    /// Lets every reader take what there is and wait again: how many pushes they were given.
    pub fn take(&mut self) -> usize {
        let mut given = 0;
        for reader in &mut self.readers {
            while let Poll::Ready(Some(Item { batch, .. })) = poll(reader.recv()) {
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
    feed: Arc<Feed>,
    lanes: Vec<Arc<Lane>>,
    loops: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Way {
    /// Mounts handlers, and confirms their subscriptions.
    ///
    /// # Panics
    ///
    /// When a handler listens to nothing.
    pub fn new<H: Handler<()>>(handlers: impl IntoIterator<Item = H>) -> Self {
        let mut rings = Rings::default();
        let mut lanes = Vec::new();
        let mut loops: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> = Vec::new();
        for handler in handlers {
            let spec = handler.spec();
            let ring = rings.for_spec(&spec).expect("it listens to something");
            let receiver = ring.subscribe();
            let lane = Arc::new(Lane::new(spec, Failures::default(), None));
            lanes.push(Arc::clone(&lane));
            let delivering =
                crate::delivery::run(Arc::new(handler), Seat::new(receiver), Arc::new(()), lane);
            loops.push(Box::pin(delivering));
        }
        let feed = Arc::new(Feed::new(rings.routes, &Settings::default()));
        feed.open(1);
        for subscription in feed.subscriptions(|_| true) {
            let (kind, name) = subscription.key();
            feed.accept(1, &crate::push::Incoming::Subscribed { kind, name });
        }
        let mut way = Self { feed, lanes, loops };
        way.deliver();
        way
    }

    /// Brings a push, as the manager link does.
    pub fn push(&self, push: &PushInfo) {
        self.feed.accept(1, &incoming(push));
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
        let lanes = self.lanes.iter();
        lanes.map(|lane| lane.counters.handled.load(Acquire)).sum()
    }

    /// How many batches the first handler was given.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.lanes[0].counters.batches.load(Acquire)
    }
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}
