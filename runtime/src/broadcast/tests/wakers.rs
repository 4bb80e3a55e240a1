//! Wakers, whose destructors may run any code.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use super::since;
use crate::broadcast::budget::Budget;
use crate::broadcast::readers::Pace;
use crate::broadcast::receiver::Receiver;
use crate::broadcast::shared::Shared;
use crate::gap::GapCause;

/// A waker whose destructor uses the channel, as that of a task that owns a reader does.
struct Owner(#[expect(dead_code, reason = "it is dropped with its owner")] Mutex<Receiver>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_that_owns_a_reader_of_the_channel_is_dropped_without_the_lock() {
    let (done, is_done) = channel();
    thread::spawn(move || {
        let shared = Arc::new(Shared::new(1, Budget::default()));
        shared.confirm(0, 1.into(), since(GapCause::Initial), &mut Vec::new());
        let waits_with_owner = |reader: &mut Receiver| {
            let owned = shared.subscribe_at(Pace::Budget, true);
            let waker = Waker::from(Arc::new(Owner(Mutex::new(owned))));
            let mut context = Context::from_waker(&waker);
            while reader.poll_recv(&mut context).is_ready() {}
        };
        let waits_for_the_end_with_owner = |reader: &mut Receiver| {
            let owned = shared.subscribe_at(Pace::Budget, true);
            let waker = Waker::from(Arc::new(Owner(Mutex::new(owned))));
            let mut context = Context::from_waker(&waker);
            assert!(reader.poll_closed(&mut context).is_pending());
        };
        // Replaced by another waker, and dropped with its reader.
        let mut reader = shared.subscribe_at(Pace::Budget, true);
        waits_with_owner(&mut reader);
        waits_with_owner(&mut reader);
        waits_for_the_end_with_owner(&mut reader);
        waits_with_owner(&mut reader);
        drop(reader);
        done.send(()).unwrap();
    });
    is_done
        .recv_timeout(Duration::from_secs(10))
        .expect("the channel is not locked");
}

#[test]
fn a_wait_for_the_end_is_woken_by_it_and_takes_nothing() {
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    let mut reader = shared.subscribe_at(Pace::Budget, true);
    let mut context = Context::from_waker(Waker::noop());
    assert!(reader.poll_closed(&mut context).is_pending());
    shared.append(0, b"a", b"1", &mut wakers);
    assert!(reader.poll_closed(&mut context).is_pending());
    wakers.clear();
    shared.close(&mut wakers);
    assert_eq!(wakers.len(), 1);
    assert!(reader.poll_closed(&mut context).is_ready());
    // The initial gap, and the push.
    assert!(matches!(
        reader.poll_recv(&mut context),
        Poll::Ready(Some(_))
    ));
}
