//! Which names a gap concerns.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::broadcast::{Budget, Receiver, Shared};
use crate::config::Settings;
use crate::dispatch::{Dispatcher, Placing, RoutingTable};
use crate::gap::{Gap, GapCause, Missed};
use crate::push::{Generation, Incoming, NodeId};
use crate::subscription::{Kind, Subscription};
use crate::util::clock;

const KIND: Kind = Kind::Shard;

/// One handler of some names, each on the node that it begins with: `0a` on the first, `1a` on the second.
struct Handler {
    dispatcher: Dispatcher,
    generations: [Generation; 2],
    receiver: Receiver,
    subscriptions: Vec<Subscription>,
}

impl Handler {
    /// Creates a handler whose names are confirmed, and that has received its initial gap.
    fn of(names: &'static [&'static str], budget: Budget) -> Self {
        let place = |_, name: &[u8]| NodeId::at(usize::from(name[0] - b'0'));
        let mut routes = RoutingTable::new(Placing::With(Arc::new(place)));
        let subscriptions: Vec<_> = names
            .iter()
            .map(|name| Subscription::shard(*name))
            .collect();
        let shared = Arc::new(Shared::new(names.len(), budget));
        routes.nodes.add();
        routes.add(&shared, &subscriptions);
        let mut handler = Self {
            dispatcher: Dispatcher::new(routes, &Settings::default()),
            generations: [0, 1].map(|node| Generation::before_first(NodeId::at(node))),
            receiver: shared.subscribe(),
            subscriptions,
        };
        for node in 0..2 {
            handler.connect(node);
        }
        for name in names {
            handler.confirm(usize::from(name.as_bytes()[0] - b'0'), name);
        }
        assert_eq!(handler.gap().cause, GapCause::Initial);
        handler
    }

    fn connect(&mut self, node: usize) {
        self.generations[node] = self.generations[node].next();
        self.dispatcher.open(self.generations[node]);
    }

    /// Loses the connection to a node, and confirms these names on the next one.
    fn reconnect(&mut self, node: usize, names: &[&str]) {
        self.dispatcher.end(NodeId::at(node), Missed::Unknown);
        self.connect(node);
        for name in names {
            self.confirm(node, name);
        }
    }

    fn confirm(&self, node: usize, name: &str) {
        self.dispatcher
            .next_wanted(NodeId::at(node), 10, clock::wall());
        let name = name.as_bytes();
        let push = Incoming::Subscribed { kind: KIND, name };
        self.dispatcher.accept(self.generations[node], &push);
    }

    fn move_name(&self, name: &'static str, from: usize, to: usize) {
        let (from, to) = (NodeId::at(from), NodeId::at(to));
        self.dispatcher
            .move_doubted(from, None, |_, one| (one == name.as_bytes()).then_some(to));
    }

    fn publish(&self, node: usize, name: &str, payload: &[u8]) {
        let name = name.as_bytes();
        let push = Incoming::Message {
            kind: KIND,
            name,
            channel: name,
            payload,
        };
        self.dispatcher.accept(self.generations[node], &push);
    }

    fn gap(&mut self) -> Gap {
        let receiving = pin!(self.receiver.recv());
        match receiving.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(received)) => received.gap.expect("a gap").named(&self.subscriptions),
            other => panic!("expected a gap, got {other:?}"),
        }
    }

    /// Returns the cause of the next gap, and the names that it concerns.
    fn concerned(&mut self) -> (GapCause, Option<Vec<String>>) {
        let gap = self.gap();
        let names = |names: &[Subscription]| names.iter().map(|one| one.name().into()).collect();
        (gap.cause, gap.names().map(names))
    }
}

/// The names that a gap is expected to concern.
fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).into()).collect())
}

#[test]
fn a_gap_names_what_was_on_the_node_that_is_lost() {
    let mut handler = Handler::of(&["0a", "1a", "0b", "1b"], Budget::default());
    handler.reconnect(1, &["1b", "1a"]);
    let lost = (GapCause::ConnectionLost, names(&["1a", "1b"]));
    assert_eq!(handler.concerned(), lost);
    handler.move_name("1b", 1, 0);
    handler.confirm(0, "1b");
    assert_eq!(handler.concerned(), (GapCause::Moved, names(&["1b"])));
    handler.reconnect(0, &["0a", "0b", "1b"]);
    let lost = (GapCause::ConnectionLost, names(&["0a", "0b", "1b"]));
    assert_eq!(handler.concerned(), lost);
}

#[test]
fn names_that_leave_a_node_that_is_lost_are_named_with_those_that_are_still_there() {
    let mut handler = Handler::of(&["0a", "1a", "0b", "1b"], Budget::default());
    handler.dispatcher.end(NodeId::at(1), Missed::Unknown);
    handler.move_name("1a", 1, 0);
    handler.confirm(0, "1a");
    handler.connect(1);
    handler.confirm(1, "1b");
    let lost = (GapCause::ConnectionLost, names(&["1a", "1b"]));
    assert_eq!(handler.concerned(), lost);
}

#[test]
fn gaps_that_are_one_for_the_reader_name_what_each_of_them_does() {
    let mut handler = Handler::of(&["0a", "1a", "0b", "1b"], Budget::default());
    handler.move_name("0b", 0, 1);
    handler.confirm(1, "0b");
    handler.reconnect(1, &["1a", "1b", "0b"]);
    let both = (GapCause::ConnectionLost, names(&["1a", "0b", "1b"]));
    assert_eq!(handler.concerned(), both);
    handler.reconnect(1, &["1a", "1b", "0b"]);
    handler.reconnect(0, &["0a"]);
    assert_eq!(handler.concerned(), (GapCause::ConnectionLost, None));
}

#[test]
fn what_happens_to_one_name_is_a_gap_of_that_name() {
    let mut handler = Handler::of(&["0a", "1a", "0b"], Budget::default());
    let on_node = |kind, _: &[u8]| kind == KIND;
    let (node, since) = (NodeId::at(1), clock::wall());
    handler.dispatcher.interrupt_bus(node, since, on_node);
    assert_eq!(handler.concerned(), (GapCause::Bus, names(&["1a"])));
    let off = Incoming::Unsubscribed {
        kind: KIND,
        name: b"0b",
        left: None,
    };
    handler.dispatcher.accept(handler.generations[0], &off);
    handler.confirm(0, "0b");
    assert_eq!(
        handler.concerned(),
        (GapCause::Resubscribed, names(&["0b"]))
    );
}

#[test]
fn a_gap_that_comes_early_names_those_that_are_not_confirmed_yet() {
    let mut handler = Handler::of(&["0a", "1a", "0b"], Budget::default());
    handler.dispatcher.end(NodeId::FIRST, Missed::Unknown);
    handler.connect(0);
    handler.confirm(0, "0a");
    handler.publish(0, "0a", b"1");
    // The gap is held back, until another segment begins.
    let on_node = |kind, _: &[u8]| kind == KIND;
    let (node, since) = (NodeId::at(1), clock::wall());
    handler.dispatcher.interrupt_bus(node, since, on_node);
    let lost = names(&["0a", "0b"]);
    assert_eq!(handler.concerned(), (GapCause::ConnectionLost, lost));
    handler.confirm(0, "0b");
    assert_eq!(handler.concerned(), (GapCause::Bus, names(&["1a", "0b"])));
}

#[test]
fn what_a_slow_reader_has_missed_may_be_of_all_names() {
    let messages = 1;
    let budget = Budget {
        messages,
        ..Budget::default()
    };
    let mut handler = Handler::of(&["0a", "1a"], budget);
    for _ in 0..2 {
        handler.publish(0, "0a", b"1");
    }
    assert_eq!(handler.concerned(), (GapCause::Lagged, None));
}

#[test]
fn a_handler_with_one_name_has_gaps_of_all_its_names() {
    let mut handler = Handler::of(&["1a"], Budget::default());
    handler.reconnect(1, &["1a"]);
    assert_eq!(handler.concerned(), (GapCause::ConnectionLost, None));
}

#[test]
fn a_name_that_has_ended_on_a_node_that_did_not_own_it_has_one_gap() {
    for (has_ended, is_late) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut handler = Handler::of(&["0a", "1a", "0b"], Budget::default());
        if has_ended {
            let (kind, name, left) = (KIND, b"1a".as_slice(), None);
            let off = Incoming::Unsubscribed { kind, name, left };
            handler.dispatcher.accept(handler.generations[1], &off);
        }
        // The node may have been known as the owner before the last sign of life, or after it.
        let fence = clock::wall();
        let agreed = match is_late {
            true => fence + Duration::from_secs(3),
            false => fence - Duration::from_secs(3),
        };
        let to = |_, name: &[u8]| (name == b"1a").then_some(NodeId::FIRST);
        let moved = handler
            .dispatcher
            .move_doubted(NodeId::at(1), Some(agreed), to);
        assert_eq!(moved, 1);
        if !has_ended {
            // What was lost until now is a loss before messages that have come.
            let gap = handler.gap();
            assert_eq!(gap.cause, GapCause::Bus);
            assert!(gap.since <= agreed.min(fence), "{gap}");
        }
        handler.confirm(0, "1a");
        let gap = handler.gap();
        assert_eq!(gap.cause, GapCause::Moved);
        assert!(gap.since <= fence, "{gap}");
        assert!(!has_ended || gap.since <= agreed.min(fence), "{gap}");
        let receiving = pin!(handler.receiver.recv());
        let next = receiving.poll(&mut Context::from_waker(Waker::noop()));
        assert!(next.is_pending());
    }
}
