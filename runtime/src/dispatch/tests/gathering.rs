//! Messages that are gathered in open batches, compared with those that are appended one by one.

use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::broadcast::{Budget, Overflow, Pace, Receiver, Shared};
use crate::config::Settings;
use crate::dispatch::{Dispatcher, RoutingTable};
use crate::gap::{GapCause, Missed};
use crate::push::{Incoming, NodeId};
use crate::subscription::{Kind, Subscription};

/// A dispatcher, and what its readers have received.
struct Side {
    dispatcher: Dispatcher,
    readers: Vec<Receiver>,
    received: Vec<Vec<Item>>,
}

#[derive(Debug, PartialEq)]
enum Item {
    Gap(GapCause, Missed),
    Message(usize, Vec<u8>, Vec<u8>),
}

#[derive(Clone, Debug)]
enum Push {
    Message(usize, Vec<u8>),
    Subscribed(usize),
    Unsubscribed(usize),
    Invalidated(Vec<u8>),
}

const NAMES: [&str; 5] = ["a", "b", "c", "d*", "e"];

fn subscription(name: usize) -> Subscription {
    match NAMES[name].ends_with('*') {
        true => Subscription::pattern(NAMES[name]),
        false => Subscription::channel(NAMES[name]),
    }
}

/// Which names a handler has, and what its buffer holds.
type Handlers = Vec<(Vec<usize>, Budget, Vec<Pace>)>;

impl Side {
    fn new(handlers: &Handlers, max_payload: usize) -> Self {
        let mut routes = RoutingTable::default();
        let mut readers = Vec::new();
        for (names, budget, paces) in handlers {
            let mut names: Vec<_> = names.iter().map(|name| subscription(*name)).collect();
            names.push(Subscription::invalidation("k"));
            let shared = Arc::new(Shared::new(names.len(), *budget));
            routes.add(&shared, &names);
            readers.extend(paces.iter().map(|pace| shared.subscribe_at(*pace, false)));
        }
        let settings = Settings {
            max_payload,
            ..Settings::default()
        };
        let dispatcher = Dispatcher::new(routes, &settings);
        dispatcher.open(1.into());
        let received = readers.iter().map(|_| Vec::new()).collect();
        Self {
            dispatcher,
            readers,
            received,
        }
    }

    /// Receives what there is for a reader, or the next batch of it.
    fn read(&mut self, reader: usize) {
        let context = &mut Context::from_waker(Waker::noop());
        let receiver = &mut self.readers[reader];
        while let Poll::Ready(Some(received)) = receiver.poll_recv(context) {
            let items = &mut self.received[reader];
            if let Some(loss) = received.gap {
                items.push(Item::Gap(loss.gap.cause, loss.gap.missed));
            }
            if let (Some(skip), Some(batch)) = (received.batch, receiver.batch()) {
                items.extend((skip..batch.len()).map(|index| {
                    let payload = batch.bytes()[batch.payload(index)].to_vec();
                    Item::Message(
                        batch.subscription(index),
                        batch.channel(index).to_vec(),
                        payload,
                    )
                }));
            }
        }
    }
}

impl Push {
    fn random(random: &mut fastrand::Rng, number: usize) -> Self {
        let name = random.usize(0..NAMES.len());
        match random.u32(0..40) {
            0 => Self::Subscribed(name),
            1 => Self::Unsubscribed(name),
            2 => Self::Invalidated(format!("k{number}").into_bytes()),
            _ => {
                let mut payload = number.to_string().into_bytes();
                payload.resize(random.usize(4..60), b'.');
                Self::Message(name, payload)
            }
        }
    }

    fn with<T>(&self, run: impl FnOnce(&Incoming<'_>) -> T) -> T {
        let name = |name: &usize| (subscription(*name).kind(), NAMES[*name].as_bytes());
        match self {
            Self::Message(at, payload) => {
                let (kind, name) = name(at);
                let channel = match kind {
                    Kind::Pattern => b"dd".as_slice(),
                    _ => name,
                };
                run(&Incoming::Message {
                    kind,
                    name,
                    channel,
                    payload,
                })
            }
            Self::Subscribed(at) => {
                let (kind, name) = name(at);
                run(&Incoming::Subscribed { kind, name })
            }
            Self::Unsubscribed(at) => {
                let (kind, name) = name(at);
                run(&Incoming::Unsubscribed {
                    kind,
                    name,
                    left: None,
                })
            }
            Self::Invalidated(key) => run(&Incoming::Invalidated(Some(vec![key]))),
        }
    }
}

fn handlers(random: &mut fastrand::Rng) -> Handlers {
    let handler = |random: &mut fastrand::Rng| {
        let mut names: Vec<_> = (0..NAMES.len()).filter(|_| random.bool()).collect();
        if names.is_empty() {
            names.push(0);
        }
        let overflow = match random.u32(0..4) {
            0 => Overflow::Latest,
            1 => Overflow::DropNewest,
            _ => Overflow::DropOldest,
        };
        let budget = Budget {
            messages: random.usize(1..=100),
            bytes: random.usize(100..=4_000),
            overflow,
        };
        // A channel that keeps the latest message has one reader.
        let readers = match overflow {
            Overflow::Latest => 1,
            _ => random.usize(1..=3),
        };
        let pace = |random: &mut fastrand::Rng| match random.u32(0..3) {
            0 if overflow == Overflow::DropOldest => Pace::Within(random.u32(1..20)),
            _ => Pace::Budget,
        };
        let paces = (0..readers).map(|_| pace(random)).collect();
        (names, budget, paces)
    };
    (0..random.usize(1..=4)).map(|_| handler(random)).collect()
}

fn run(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let handlers = handlers(&mut random);
    let max_payload = random.usize(30..80);
    let [mut alone, mut gathered] = [(); 2].map(|()| Side::new(&handlers, max_payload));
    let readers = alone.readers.len();
    let mut number = 0;
    let mut generation = 1_u64;
    for name in 0..NAMES.len() {
        for side in [&alone, &gathered] {
            let push = |push: &Incoming<'_>| side.dispatcher.accept(generation.into(), push);
            Push::Subscribed(name).with(push);
        }
    }
    for _ in 0..random.usize(1..30) {
        let pushes: Vec<_> = (0..random.usize(0..80))
            .map(|_| {
                number += 1;
                Push::random(&mut random, number)
            })
            .collect();
        for push in &pushes {
            push.with(|push| alone.dispatcher.accept(generation.into(), push));
        }
        let may_wait = random.bool();
        gathered.dispatcher.dispatch(generation.into(), |guard| {
            for push in &pushes {
                push.with(|push| {
                    // One that would have to wait is passed again without waiting.
                    if !may_wait || guard.push_or_wait(push).is_err() {
                        guard.push(push);
                    }
                });
            }
        });
        let some: Range<usize> = random.usize(0..=readers)..readers;
        for reader in some {
            alone.read(reader);
            gathered.read(reader);
        }
        if random.u8(0..10) == 0 {
            generation += 1;
            for side in [&alone, &gathered] {
                side.dispatcher.end(NodeId::FIRST, Missed::Unknown);
                side.dispatcher.open(generation.into());
            }
        }
    }
    for reader in 0..readers {
        alone.read(reader);
        gathered.read(reader);
    }
    assert_eq!(alone.received, gathered.received);
    assert_eq!(alone.dispatcher.stats(), gathered.dispatcher.stats());
}

#[test]
fn messages_that_are_gathered_arrive_like_those_that_are_appended_one_by_one() {
    for seed in 0..1_000 {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "the schedule of seed {seed} fails");
    }
}
