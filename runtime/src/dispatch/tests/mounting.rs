//! Handlers that are mounted while their loops wait already.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Wake, Waker};

use super::leaving::{confirm, subscribe};
use crate::broadcast::{Budget, Shared};
use crate::config::Settings;
use crate::dispatch::{Dispatcher, RoutingTable};
use crate::subscription::Subscription;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// The loop of a handler runs as soon as it is spawned, which is before the handler is mounted.
fn the_loop_is_woken_by_the_mount(dispatcher: &Dispatcher, to: Subscription) {
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut receiver = shared.subscribe();
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    assert!(receiver.poll_recv(&mut context).is_pending());
    dispatcher.mount(&shared, &[to]).expect("it runs");
    assert_eq!(woken.0.load(SeqCst), 1);
    assert!(
        receiver.poll_recv(&mut context).is_ready(),
        "the initial gap"
    );
}

#[test]
fn a_connection_handler_that_waits_already_is_woken() {
    let dispatcher = Dispatcher::new(RoutingTable::default(), &Settings::default());
    dispatcher.open(1.into());
    the_loop_is_woken_by_the_mount(&dispatcher, Subscription::connection());
}

#[test]
fn a_handler_of_a_name_that_is_confirmed_already_is_woken() {
    let dispatcher = Arc::new(Dispatcher::new(
        RoutingTable::default(),
        &Settings::default(),
    ));
    dispatcher.open(1.into());
    let _stream = subscribe(&dispatcher);
    assert_eq!(confirm(&dispatcher), 1);
    the_loop_is_woken_by_the_mount(&dispatcher, Subscription::channel("a"));
}
