use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use super::calls::*;
use super::feed::Feed;
use crate::cache::NearCache;
use crate::error::BoxError;
use crate::util::Mutex;

#[test]
fn a_cache_holds_as_many_entries_as_it_may() {
    let mut feed = Feed::new();
    let loads = Loads::default();
    let builder = feed.builder().capacity(10);
    let cache = builder.load_with(loads.loader()).now().unwrap();
    feed.connect();
    for id in 0..100 {
        fill(&cache, &loads, id, "Ada");
        assert!(cache.stats().entries <= 10);
    }
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.evictions), (10, 90));
    let held = (0..100).filter(|id| cache.peek(id).is_some());
    assert_eq!(held.count(), 10);
}

#[test]
fn entries_that_are_used_stay_while_others_come_and_go() {
    let mut feed = Feed::new();
    let loads = Loads::default();
    let builder = feed.builder().capacity(100);
    let cache = builder.load_with(loads.loader()).now().unwrap();
    feed.connect();
    (0..50).for_each(|id| fill(&cache, &loads, id, "used"));
    for once in 1_000..3_000 {
        (0..50).for_each(|id| assert_eq!(get(&cache, id).unwrap(), "used"));
        fill(&cache, &loads, once, "once");
    }
}

#[test]
fn entries_are_weighed_with_their_keys() {
    let mut feed = Feed::new();
    let loads = Loads::default();
    // For four values of 100 bytes, keys of one byte, and what comes with them.
    let builder = feed.builder().capacity_bytes(4 * 229, String::len);
    let cache = builder.load_with(loads.loader()).now().unwrap();
    feed.connect();
    let value = "x".repeat(100);
    (0..4).for_each(|id| fill(&cache, &loads, id, &value));
    assert_eq!(cache.stats().entries, 4);
    fill(&cache, &loads, 4, &value);
    assert_eq!(cache.stats().entries, 4);
    // Too large to be kept at all.
    fill(&cache, &loads, 5, &"x".repeat(1_000));
    assert_eq!(cache.peek(&5), None);
    // Absent keys weigh something too.
    for id in 10..100 {
        let call = begin(&cache, id);
        loads.take(id).absent();
        assert_eq!(call.end().unwrap(), None);
    }
    assert!((4..8).contains(&cache.stats().entries));
}

#[test]
fn a_cache_without_capacity_loads_each_time() {
    let mut feed = Feed::new();
    let loads = Loads::default();
    let builder = feed.builder().capacity(0);
    let cache = builder.load_with(loads.loader()).now().unwrap();
    feed.connect();
    (0..3).for_each(|_| fill(&cache, &loads, 7, "Ada"));
    assert_eq!(cache.stats().entries, 0);
}

#[test]
fn a_weight_that_panics_is_an_error_of_the_call() {
    let mut feed = Feed::new();
    let loads = Loads::default();
    let weigh = |value: &String| {
        if value == "heavy" {
            panic!("too heavy")
        } else {
            1
        }
    };
    let builder = feed.builder().capacity_bytes(10_000, weigh);
    let cache = builder.load_with(loads.loader()).now().unwrap();
    feed.connect();
    let calls = [begin(&cache, 7), begin(&cache, 7)];
    loads.take(7).answer("heavy");
    for call in calls {
        let error = call.end().unwrap_err();
        assert!(error.is_load(), "{error}");
        assert!(error.to_string().contains("too heavy"), "{error}");
    }
    fill(&cache, &loads, 7, "light");
}

/// A value whose destructor uses its cache.
struct Restless {
    cache: NearCache<u64, Restless>,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Restless {
    fn drop(&mut self) {
        assert!(self.cache.peek(&0).is_none());
        self.dropped.fetch_add(1, Relaxed);
    }
}

#[test]
fn values_are_dropped_without_the_lock_however_they_go() {
    let mut feed = Feed::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    let this = Arc::new(Mutex::new(None::<NearCache<u64, Restless>>));
    let (slot, count) = (Arc::clone(&this), Arc::clone(&dropped));
    let load = move |_| {
        let cache = slot.lock().clone().expect("set below");
        let dropped = Arc::clone(&count);
        async { Ok::<_, BoxError>(Some(Restless { cache, dropped })) }
    };
    let builder = feed.builder().capacity(2);
    let cache = builder.load_with(load).now().unwrap();
    *this.lock() = Some(cache.clone());
    feed.connect();
    let load = |id: u64| {
        let mut call = Box::pin(cache.get(&id));
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(Some(_)))));
    };
    (1..=3).for_each(load);
    assert_eq!(dropped.load(Relaxed), 1, "evicted");
    feed.change(3);
    assert!(cache.peek(&3).is_none());
    let after_the_change = dropped.load(Relaxed);
    (1..=2).for_each(load);
    feed.flush();
    assert!(cache.peek(&1).is_none());
    assert!(dropped.load(Relaxed) > after_the_change);
    (1..=2).for_each(load);
    let before = dropped.load(Relaxed);
    feed.dispatcher.close();
    assert!(!cache.is_synced());
    assert_eq!(dropped.load(Relaxed), before + 2);
    *this.lock() = None;
}

#[test]
fn a_weight_beyond_all_limits_is_not_kept_and_not_an_error() {
    let mut feed = Feed::new();
    let loads = Loads::default();
    let builder = feed.builder().capacity_bytes(1_000_000, |_| usize::MAX);
    let cache = builder.load_with(loads.loader()).now().unwrap();
    feed.connect();
    let call = begin(&cache, 7);
    loads.take(7).answer("Ada");
    assert_eq!(text(call.end()), "Ada");
    assert_eq!(cache.peek(&7), None);
}

#[test]
fn templates_beyond_a_thousand_are_counted_together() {
    let feed = Feed::new();
    let registry = &feed.context.registry;
    for id in 0..1_100 {
        registry.counters(&format!("user{id}:{{id}}")).hits.add(1);
    }
    let stats = registry.stats();
    assert_eq!(stats.len(), 1_001);
    let others = stats.iter().find(|stats| stats.keys == "others");
    assert_eq!(others.unwrap().hits, 100);
    assert_eq!(stats.iter().map(|stats| stats.hits).sum::<u64>(), 1_100);
}

#[test]
fn a_value_whose_destructor_panics_does_not_disturb_a_call() {
    struct Panics(#[expect(dead_code, reason = "only its destructor matters")] u64);
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a test has requested this panic");
        }
    }
    let mut feed = Feed::new();
    let load = |id| async move { Ok::<_, BoxError>(Some(Panics(id))) };
    let cache = feed.builder().load_with(load).now().unwrap();
    feed.connect();
    for id in 0..3 {
        let mut call = Box::pin(cache.get(&id));
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        // The cache has the other one.
        assert!(polled.is_ready());
    }
    feed.change(0);
    assert!(cache.peek(&0).is_none());
    feed.flush();
    assert!(cache.peek(&1).is_none());
}

#[test]
fn counts_stay_when_a_cache_is_gone_and_caches_of_a_template_are_counted_together() {
    let (feed, cache, loads) = connected();
    let (other, other_loads) = feed.cache();
    fill(&cache, &loads, 7, "Ada");
    fill(&other, &other_loads, 8, "Grace");
    assert_eq!(cache.stats(), other.stats());
    assert_eq!(cache.stats().entries, 2);
    let clone = cache.clone();
    drop(cache);
    assert_eq!(get(&clone, 7).unwrap(), "Ada");
    drop(clone);
    assert_eq!(other.stats().entries, 1);
    drop(other);
    let [stats] = &feed.context.registry.stats()[..] else {
        panic!("one template");
    };
    assert_eq!(stats.keys, "user:{id}");
    assert_eq!((stats.loads, stats.hits, stats.entries), (2, 1, 0));
    assert_eq!(feed.dispatcher.streams(), 0, "the names are let go");
}

#[test]
fn a_cache_whose_subscriber_has_ended_holds_nothing_and_keeps_loading() {
    let (feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "old");
    // The connection is up, but the changes go nowhere.
    feed.dispatcher.close_streams();
    for round in ["first", "second"] {
        assert_eq!(cache.peek(&7), None);
        let call = begin(&cache, 7);
        loads.take(7).answer(round);
        assert_eq!(text(call.end()), round);
    }
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.bypasses), (0, 2));
    let again = feed.builder::<String>().now();
    assert!(again.unwrap_err().to_string().contains("has ended"));
}
