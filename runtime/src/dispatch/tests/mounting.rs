//! Handlers that are mounted while their loops wait already, and the wait for the server's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use super::leaving::{confirm, subscribe};
use crate::broadcast::{Budget, Shared};
use crate::config::Settings;
use crate::dispatch::{Confirmed, Dispatcher, MountedAt, RoutingTable};
use crate::push::{Incoming, NodeId};
use crate::subscription::{Kind, Subscription};

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

/// A handler whose mount waits for the server.
struct Waiting {
    names: Vec<Subscription>,
    shared: Arc<Shared>,
    at: MountedAt,
    woken: Arc<Woken>,
}

impl Waiting {
    fn for_names(dispatcher: &Dispatcher, names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned());
        let names: Vec<_> = names.map(Subscription::channel).collect();
        let shared = Arc::new(Shared::new(names.len(), Budget::default()));
        let at = dispatcher.mount(&shared, &names).expect("it runs");
        let woken = Arc::default();
        let waiting = Self {
            names,
            shared,
            at,
            woken,
        };
        assert!(waiting.poll(dispatcher).is_pending());
        waiting
    }

    fn poll(&self, dispatcher: &Dispatcher) -> Poll<Confirmed> {
        let waker = Waker::from(Arc::clone(&self.woken));
        dispatcher.poll_answer(&self.at, &self.names, &Context::from_waker(&waker))
    }

    fn woken(&self) -> usize {
        self.woken.0.load(SeqCst)
    }

    fn unmount(self, dispatcher: &Dispatcher) -> Arc<Woken> {
        dispatcher.unmount(self.at, &self.shared, &self.names);
        self.woken
    }
}

fn open() -> Dispatcher {
    let dispatcher = Dispatcher::new(RoutingTable::default(), &Settings::default());
    dispatcher.open(1.into());
    dispatcher
}

fn answer(dispatcher: &Dispatcher, name: &str) {
    let (kind, name) = (Kind::Channel, name.as_bytes());
    dispatcher.accept(1.into(), &Incoming::Subscribed { kind, name });
}

#[test]
fn an_answer_wakes_only_the_mounts_that_wait_for_it() {
    let dispatcher = open();
    let names: Vec<_> = (0..100).map(|number| format!("room.{number}")).collect();
    let mount = |name: &String| Waiting::for_names(&dispatcher, &[name]);
    let mounts: Vec<_> = names.iter().map(mount).collect();
    for (name, mount) in names.iter().zip(&mounts) {
        answer(&dispatcher, name);
        assert_eq!(mount.poll(&dispatcher), Poll::Ready(Confirmed::Yes));
    }
    assert_eq!(mounts.iter().map(Waiting::woken).sum::<usize>(), 100);
}

#[test]
fn mounts_of_the_same_name_are_all_woken_by_its_answer() {
    let dispatcher = open();
    let mounts = [0; 3].map(|_| Waiting::for_names(&dispatcher, &["a"]));
    answer(&dispatcher, "a");
    assert_eq!(mounts.each_ref().map(Waiting::woken), [1; 3]);
}

#[test]
fn a_mount_of_several_names_waits_for_each_of_them() {
    let dispatcher = open();
    let mount = Waiting::for_names(&dispatcher, &["a", "b"]);
    answer(&dispatcher, "b");
    assert!(mount.poll(&dispatcher).is_pending());
    answer(&dispatcher, "b");
    assert_eq!(mount.woken(), 1, "`b` is answered");
    answer(&dispatcher, "a");
    assert_eq!(mount.woken(), 2);
    assert_eq!(mount.poll(&dispatcher), Poll::Ready(Confirmed::Yes));
}

#[test]
fn a_denial_and_the_end_of_the_subscriber_wake_a_mount() {
    let dispatcher = open();
    let [denied, ended] = ["a", "b"].map(|name| Waiting::for_names(&dispatcher, &[name]));
    dispatcher.deny(NodeId::FIRST, &denied.names[0], &"no permission".into());
    assert_eq!([denied.woken(), ended.woken()], [1, 0]);
    let answer = denied.poll(&dispatcher);
    assert!(matches!(answer, Poll::Ready(Confirmed::Denied(..))));
    dispatcher.close();
    assert_eq!([denied.woken(), ended.woken()], [1, 1]);
    assert_eq!(ended.poll(&dispatcher), Poll::Ready(Confirmed::Ended));
}

#[test]
fn a_mount_that_is_given_up_leaves_no_waker_behind() {
    let dispatcher = open();
    let mounted = Waiting::for_names(&dispatcher, &["a"]);
    let given_up = Waiting::for_names(&dispatcher, &["a"]).unmount(&dispatcher);
    assert_eq!(Arc::strong_count(&given_up), 1);
    answer(&dispatcher, "a");
    assert_eq!(given_up.0.load(SeqCst), 0);
    assert_eq!(mounted.woken(), 1);
}
