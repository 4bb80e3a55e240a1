//! The cache under a model checker: what happens between two steps of a call.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use shuttle::thread;

use super::feed::Feed;
use crate::cache::NearCache;
use crate::error::BoxError;
use crate::util::model::check;

/// Asks for the user whose loader does not wait.
fn get(cache: &NearCache<u64, u64>) -> u64 {
    match pin!(cache.get(&7)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => *value.unwrap().unwrap(),
        Poll::Pending => panic!("the loader does not wait"),
    }
}

/// The value has changed during the outage. A call that begins after the loss of the connection was
/// noticed must not return it, whenever the connection is confirmed again.
#[test]
fn a_call_after_the_loss_never_returns_what_is_from_before() {
    check(3, || {
        let mut feed = Feed::new();
        let load = async |_| Ok::<_, BoxError>(Some(1));
        let cache = feed.builder().load_with(load).now().unwrap();
        feed.connect();
        assert_eq!(get(&cache), 1);
        assert!(cache.peek(&7).is_some());
        let is_lost = Arc::new(AtomicBool::new(false));
        let losing = {
            let is_lost = Arc::clone(&is_lost);
            thread::spawn(move || {
                feed.lose();
                is_lost.store(true, SeqCst);
                feed.connect();
                feed
            })
        };
        let asking = {
            let cache = cache.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    let was_lost = is_lost.load(SeqCst);
                    let value = cache.peek(&7);
                    assert!(!was_lost || value.is_none(), "served from before the loss");
                }
            })
        };
        let _feed = losing.join().unwrap();
        asking.join().unwrap();
        assert!(cache.is_synced());
        assert!(cache.peek(&7).is_none());
    });
}

/// A value changes, which is reported, while it is loaded.
#[test]
fn a_value_that_changes_beside_its_loads_is_not_kept() {
    check(3, || {
        let mut feed = Feed::new();
        let value = Arc::new(AtomicU64::new(1));
        let server = Arc::clone(&value);
        let load = move |_| {
            let value = server.load(SeqCst);
            async move { Ok::<_, BoxError>(Some(value)) }
        };
        let cache = feed.builder().load_with(load).now().unwrap();
        feed.connect();
        let asking = {
            let cache = cache.clone();
            thread::spawn(move || get(&cache))
        };
        let changing = thread::spawn(move || {
            value.store(2, SeqCst);
            feed.change(7);
            feed
        });
        let _feed = changing.join().unwrap();
        asking.join().unwrap();
        assert_eq!(get(&cache), 2, "the change is reported");
        assert!(matches!(cache.peek(&7), Some(Some(value)) if *value == 2));
    });
}
