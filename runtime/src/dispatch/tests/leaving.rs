//! Names that are wanted again while they are left.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::broadcast::{Budget, Pace, Shared};
use crate::config::Settings;
use crate::dispatch::{Confirmed, Dispatcher, RoutingTable, StreamReader};
use crate::gap::GapCause;
use crate::push::{Incoming, NodeId};
use crate::subscription::{Kind, Subscription};
use crate::util::clock;

const KIND: Kind = Kind::Channel;
const NAME: &[u8] = b"a";

pub(super) fn subscribe(dispatcher: &Arc<Dispatcher>) -> StreamReader {
    let mut list: Arc<[_]> = [Subscription::channel("a")].into();
    let reader = dispatcher.subscribe(&mut list, Pace::Latest, usize::MAX);
    reader.expect("there is no limit")
}

/// Confirms what is wanted. Returns how many names that are.
pub(super) fn confirm(dispatcher: &Dispatcher) -> usize {
    let wanted = dispatcher
        .next_wanted(NodeId::FIRST, 10, clock::wall())
        .len();
    if wanted > 0 {
        let kind = KIND;
        dispatcher.accept(1.into(), &Incoming::Subscribed { kind, name: NAME });
    }
    wanted
}

/// Subscribes while the name is left, which ends as `ends` says.
fn comes_back(ends: impl FnOnce(&Dispatcher, &Subscription)) {
    let settings = Settings::default();
    let dispatcher = Arc::new(Dispatcher::new(RoutingTable::default(), &settings));
    dispatcher.open(1.into());
    let first = subscribe(&dispatcher);
    assert_eq!(confirm(&dispatcher), 1);
    drop(first);
    let leaving = dispatcher.next_leaving(NodeId::FIRST, 10, clock::now() + settings.linger, true);
    let mut second = subscribe(&dispatcher);
    assert_eq!(confirm(&dispatcher), 0, "the answer comes first");
    ends(&dispatcher, &leaving[0]);
    assert_eq!(confirm(&dispatcher), 1, "it is asked for again");
    let mut context = Context::from_waker(Waker::noop());
    let confirmed = second.poll_confirmed(&mut context);
    assert_eq!(confirmed, Poll::Ready(Confirmed::Yes));
}

#[test]
fn a_name_that_is_wanted_while_it_is_left_is_confirmed_again() {
    comes_back(|dispatcher, _| {
        let left = None;
        let (kind, name) = (KIND, NAME);
        dispatcher.accept(1.into(), &Incoming::Unsubscribed { kind, name, left });
    });
}

#[test]
fn a_name_that_is_wanted_while_the_server_refuses_to_end_it_is_confirmed_again() {
    comes_back(|dispatcher, name| dispatcher.not_left(NodeId::FIRST, name));
}

/// A message that arrives before the end of the subscription belongs to nobody. For a reader that has come
/// since, it would be followed by messages that are missing without a gap.
#[test]
fn a_message_that_arrives_while_the_name_is_left_reaches_nobody() {
    let settings = Settings::default();
    let dispatcher = Arc::new(Dispatcher::new(RoutingTable::default(), &settings));
    dispatcher.open(1.into());
    let publish = |payload: &'static [u8]| {
        let (kind, name) = (KIND, NAME);
        let message = Incoming::Message {
            kind,
            name,
            channel: name,
            payload,
        };
        dispatcher.accept(1.into(), &message);
    };
    let subscribe = || {
        let mut list: Arc<[_]> = [Subscription::channel("a")].into();
        let reader = dispatcher.subscribe(&mut list, Pace::Within(256), usize::MAX);
        reader.expect("there is no limit")
    };
    let first = subscribe();
    assert_eq!(confirm(&dispatcher), 1);
    drop(first);
    dispatcher.next_leaving(NodeId::FIRST, 10, clock::now() + settings.linger, true);
    let mut second = subscribe();
    publish(b"too early");
    let (kind, name, left) = (KIND, NAME, None);
    dispatcher.accept(1.into(), &Incoming::Unsubscribed { kind, name, left });
    assert_eq!(confirm(&dispatcher), 1);
    publish(b"in time");
    let mut context = Context::from_waker(Waker::noop());
    let mut heard = Vec::new();
    while let Poll::Ready(Some(received)) = second.poll_recv(&mut context) {
        heard.extend(received.gap.map(|gap| gap.cause.to_string()));
        let batch = received.batch.and_then(|_| second.batch());
        heard.extend(batch.map(|batch| String::from_utf8_lossy(batch.bytes()).into_owned()));
    }
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[0], GapCause::Initial.to_string());
    assert!(heard[1].starts_with("in time"), "{heard:?}");
}

#[test]
fn a_name_waits_to_be_left_once_however_often_its_last_reader_leaves() {
    let settings = Settings::default();
    let dispatcher = Arc::new(Dispatcher::new(RoutingTable::default(), &settings));
    dispatcher.open(1.into());
    let first = subscribe(&dispatcher);
    assert_eq!(confirm(&dispatcher), 1);
    let before = clock::now();
    drop(first);
    for _ in 0..1_000 {
        drop(subscribe(&dispatcher));
    }
    assert_eq!(
        dispatcher.lock().routes.nodes[NodeId::FIRST]
            .turns
            .lingering(),
        1
    );
    // The last departure counts.
    let all = dispatcher.next_leaving(NodeId::FIRST, 10, before + settings.linger, true);
    assert!(all.is_empty());
    let all = dispatcher.next_leaving(NodeId::FIRST, 10, clock::now() + settings.linger, true);
    assert_eq!(all.len(), 1);
    assert_eq!(
        dispatcher.lock().routes.nodes[NodeId::FIRST]
            .turns
            .lingering(),
        0
    );
}

#[test]
fn a_name_that_is_left_at_once_does_not_wait_for_those_that_linger() {
    let settings = Settings {
        linger: Duration::from_secs(3_600),
        ..Settings::default()
    };
    let dispatcher = Arc::new(Dispatcher::new(RoutingTable::default(), &settings));
    dispatcher.open(1.into());
    let stream = subscribe(&dispatcher);
    assert_eq!(confirm(&dispatcher), 1);
    let mounted = [Subscription::channel("b")];
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let at = dispatcher.mount(&shared, &mounted).expect("it runs");
    assert_eq!(
        dispatcher.next_wanted(NodeId::FIRST, 10, clock::wall()),
        mounted
    );
    drop(stream);
    dispatcher.unmount(at, &shared, &mounted);
    let now = clock::now();
    let next = dispatcher.agenda(NodeId::FIRST).leave_at;
    assert!(next.is_some_and(|next| next <= now));
    assert_eq!(
        dispatcher.next_leaving(NodeId::FIRST, 10, now, true),
        mounted
    );
    assert!(
        dispatcher
            .next_leaving(NodeId::FIRST, 10, now, true)
            .is_empty()
    );
}

#[test]
fn a_name_that_has_gone_leaves_nothing_to_a_later_one() {
    let settings = Settings::default();
    let dispatcher = Arc::new(Dispatcher::new(RoutingTable::default(), &settings));
    dispatcher.open(1.into());
    // Never asked for, so its route goes with its turn, and its key is that of the next one.
    drop(subscribe(&dispatcher));
    assert_eq!(confirm(&dispatcher), 0);
    assert_eq!(
        dispatcher.lock().routes.nodes[NodeId::FIRST]
            .turns
            .lingering(),
        0
    );
    let _second = subscribe(&dispatcher);
    assert_eq!(confirm(&dispatcher), 1);
    let later = clock::now() + 2 * settings.linger;
    assert!(
        dispatcher
            .next_leaving(NodeId::FIRST, 10, later, true)
            .is_empty()
    );
}
