//! What is lost on a connection, and that the gap covers it.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use crate::broadcast::{Budget, Received, Receiver, Shared};
use crate::config::Settings;
use crate::dispatch::{Dispatcher, RoutingTable};
use crate::gap::{Gap, GapCause, Missed};
use crate::push::{Incoming, NodeId};
use crate::subscription::{Kind, PingFence, Subscription, TrackingFence};

/// A dispatcher with one receiver for each list of channels.
struct Handlers {
    dispatcher: Dispatcher,
    receivers: Vec<Receiver>,
    generation: u64,
}

impl Handlers {
    fn of(lists: &[&[&'static str]]) -> Self {
        let mut routes = RoutingTable::default();
        let mut receivers = Vec::new();
        for names in lists {
            let shared = Arc::new(Shared::new(names.len(), Budget::default()));
            let names: Vec<_> = names
                .iter()
                .map(|name| Subscription::channel(*name))
                .collect();
            routes.add(&shared, &names);
            receivers.push(shared.subscribe());
        }
        Self {
            dispatcher: Dispatcher::new(routes, &Settings::default()),
            receivers,
            generation: 0,
        }
    }

    fn connect(&mut self) {
        self.generation += 1;
        self.dispatcher.open(self.generation.into());
    }

    fn confirm(&self, name: &str, asked: SystemTime) {
        self.dispatcher
            .ask(&Subscription::channel(name.to_owned()), asked);
        let name = name.as_bytes();
        let kind = Kind::Channel;
        self.push(&Incoming::Subscribed { kind, name });
    }

    fn publish(&self, channel: &str) {
        let channel = channel.as_bytes();
        self.push(&Incoming::Message {
            kind: Kind::Channel,
            name: channel,
            channel,
            payload: b"1",
        });
    }

    fn push(&self, push: &Incoming<'_>) {
        self.dispatcher.accept(self.generation.into(), push);
    }

    fn next(&mut self, handler: usize) -> Option<Received> {
        let receiving = pin!(self.receivers[handler].recv());
        match receiving.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(received) => received,
            Poll::Pending => None,
        }
    }

    fn gap(&mut self, handler: usize) -> Gap {
        let received = self.next(handler).expect("something to receive");
        received.gap.expect("a gap").gap
    }
}

fn times() -> [SystemTime; 4] {
    let now = SystemTime::now();
    [0, 10, 20, 30].map(|seconds| now + Duration::from_secs(seconds))
}

#[test]
fn a_gap_covers_a_connection_that_never_confirmed_the_name() {
    let [first, second, third, _] = times();
    let mut handlers = Handlers::of(&[&["a"], &["b"]]);
    handlers.connect();
    handlers.confirm("a", first);
    handlers.confirm("b", first);
    assert_eq!(handlers.gap(1).cause, GapCause::Initial);
    handlers.dispatcher.end(NodeId::FIRST, Missed::Unknown);
    // This one ends in the middle of resubscribing.
    handlers.connect();
    handlers.confirm("a", second);
    handlers.dispatcher.end(NodeId::FIRST, Missed::Unknown);
    handlers.connect();
    handlers.confirm("a", third);
    handlers.confirm("b", third);
    let gap = handlers.gap(1);
    assert_eq!((gap.cause, gap.since), (GapCause::ConnectionLost, first));
    assert_eq!(handlers.gap(0).cause, GapCause::Initial);
}

#[test]
fn a_name_that_is_postponed_does_not_hold_back_the_others_of_its_handler() {
    let [first, second, ..] = times();
    let mut handlers = Handlers::of(&[&["a", "b"]]);
    handlers.connect();
    handlers.confirm("a", first);
    handlers.publish("a");
    assert!(handlers.next(0).is_none(), "`b` may still be confirmed");
    handlers
        .dispatcher
        .postpone(NodeId::FIRST, &Subscription::channel("b"));
    let received = handlers.next(0).expect("the gap and the message");
    assert_eq!(received.gap.expect("a gap").cause, GapCause::Initial);
    assert!(received.batch.is_some());
    handlers.confirm("b", second);
    assert_eq!(handlers.gap(0).cause, GapCause::Resubscribed);
}

#[test]
fn after_lost_pushes_a_second_gap_ends_when_the_name_is_confirmed_again() {
    let [first, second, ..] = times();
    let mut handlers = Handlers::of(&[&["a"]]);
    handlers.connect();
    handlers.confirm("a", first);
    assert_eq!(handlers.gap(0).cause, GapCause::Initial);
    handlers.dispatcher.interrupt(Missed::AtMost(7));
    let gap = handlers.gap(0);
    assert_eq!(
        (gap.cause, gap.missed),
        (GapCause::Lagged, Missed::AtMost(7))
    );
    assert_eq!(gap.since, first);
    // The push about its end may have been among those that were lost.
    let before = SystemTime::now();
    handlers.confirm("a", second);
    let gap = handlers.gap(0);
    assert_eq!((gap.cause, gap.since), (GapCause::Resubscribed, first));
    assert!(gap.until >= before);
}

#[test]
fn a_fence_with_fewer_subscriptions_than_are_confirmed_ends_the_connection() {
    let [first, second, third, _] = times();
    let mut handlers = Handlers::of(&[&["a"], &["b"]]);
    handlers.connect();
    for name in ["a", "b"] {
        handlers.confirm(name, first);
    }
    let fence = |sent, left| (PingFence(sent).name(), Some(left));
    for sent in [second, third] {
        handlers.dispatcher.expect_fence(NodeId::FIRST, sent);
    }
    for ((name, left), is_open) in [(fence(second, 2), true), (fence(third, 0), false)] {
        handlers.push(&Incoming::Unsubscribed {
            kind: Kind::Channel,
            name: &name,
            left,
        });
        assert_eq!(handlers.dispatcher.is_open(NodeId::FIRST), is_open);
    }
    handlers.dispatcher.end(NodeId::FIRST, Missed::Unknown);
    assert_eq!(handlers.gap(0).cause, GapCause::Initial);
    handlers.connect();
    handlers.confirm("a", third);
    assert_eq!(
        handlers.gap(0).since,
        second,
        "the last fence that was good"
    );
}

#[test]
fn a_fence_that_was_not_sent_means_nothing() {
    let [first, second, third, last] = times();
    let mut handlers = Handlers::of(&[&["a"]]);
    handlers.connect();
    handlers.confirm("a", first);
    handlers.dispatcher.expect_fence(NodeId::FIRST, second);
    for (kind, sent, left) in [
        (Kind::Channel, third, 0),
        (Kind::Pattern, second, 0),
        (Kind::Channel, second, 1),
        // It has arrived already.
        (Kind::Channel, second, 0),
    ] {
        let name = PingFence(sent).name();
        let left = Some(left);
        handlers.push(&Incoming::Unsubscribed {
            kind,
            name: &name,
            left,
        });
        assert!(handlers.dispatcher.is_open(NodeId::FIRST));
    }
    handlers.dispatcher.end(NodeId::FIRST, Missed::Unknown);
    assert_eq!(handlers.gap(0).cause, GapCause::Initial);
    handlers.connect();
    // It was sent on the previous connection.
    handlers.dispatcher.expect_fence(NodeId::FIRST, third);
    handlers.connect();
    handlers.push(&Incoming::Unsubscribed {
        kind: Kind::Channel,
        name: &PingFence(third).name(),
        left: Some(1),
    });
    handlers.confirm("a", last);
    assert_eq!(handlers.gap(0).since, second);
}

#[test]
fn tracking_is_confirmed_only_by_a_fence_that_was_sent() {
    let dispatcher = Arc::new(Dispatcher::new(
        RoutingTable::default(),
        &Settings::default(),
    ));
    dispatcher.open(1.into());
    let mut list: Arc<[_]> = [Subscription::invalidation("user:")].into();
    let pace = crate::broadcast::Pace::Latest;
    let _stream = dispatcher.subscribe(&mut list, pace, 1).expect("one");
    let fence = || {
        dispatcher.accept(
            1.into(),
            &Incoming::Unsubscribed {
                kind: Kind::Channel,
                name: &TrackingFence::On.name("user:"),
                left: None,
            },
        );
        dispatcher.tracked(NodeId::FIRST).len()
    };
    assert_eq!(fence(), 0);
    assert_eq!(
        dispatcher
            .next_wanted(NodeId::FIRST, 10, SystemTime::now())
            .len(),
        1
    );
    assert_eq!(fence(), 1);
}
