//! Streams of connection events.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::broadcast::{Budget, Pace, Shared};
use crate::config::Settings;
use crate::dispatch::{Dispatcher, RoutingTable};
use crate::gap::Missed;
use crate::push::{ConnectionEvent, NodeId};
use crate::subscription::Subscription;

#[test]
fn a_stream_of_connection_events_is_live_with_a_generation_and_ends_before_the_handlers() {
    let mut context = Context::from_waker(Waker::noop());
    let mut routes = RoutingTable::default();
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut list: Arc<[_]> = [Subscription::connection()].into();
    routes.add(&shared, &list);
    let mut handler = shared.subscribe();
    let dispatcher = Arc::new(Dispatcher::new(routes, &Settings::default()));
    let stream = dispatcher.subscribe(&mut list, Pace::Within(256), usize::MAX);
    let mut stream = stream.expect("there is no limit");
    assert!(!stream.is_live());
    for generation in 1..3 {
        dispatcher.open(generation.into());
        assert!(stream.is_live());
        dispatcher.publish_connection_event(NodeId::FIRST, ConnectionEvent::Connected);
        let received = stream.poll_recv(&mut context);
        let Poll::Ready(Some(received)) = received else {
            panic!("the stream goes on");
        };
        assert_eq!(received.gap.is_some(), generation == 1, "nothing is missed");
        assert!(stream.poll_recv(&mut context).is_pending());
        if generation == 1 {
            dispatcher.end(NodeId::FIRST, Missed::Unknown);
            assert!(!stream.is_live());
        }
    }
    dispatcher.close_streams();
    assert!(!stream.is_live());
    assert!(matches!(stream.poll_recv(&mut context), Poll::Ready(None)));
    dispatcher
        .publish_connection_event(NodeId::FIRST, ConnectionEvent::Disconnected { reason: "" });
    let received = handler.poll_recv(&mut context);
    assert!(matches!(received, Poll::Ready(Some(_))), "it goes on");
    assert_eq!(handler.batch().expect("events").len(), 3);
}
