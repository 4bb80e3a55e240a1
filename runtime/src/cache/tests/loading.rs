use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::calls::*;
use super::feed::Feed;
use crate::cache::NearCacheBuilder;
use crate::error::Error;
use crate::error::Result;

#[test]
fn a_value_is_loaded_once_and_an_absent_key_too() {
    let (_feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "Ada");
    assert_eq!(get(&cache, 7).unwrap(), "Ada");
    let call = begin(&cache, 8);
    loads.take(8).absent();
    assert_eq!(call.end().unwrap(), None);
    assert_eq!(get(&cache, 8), None);
    assert_eq!(loads.count(), 0);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.bypasses), (2, 2, 0));
    assert_eq!((stats.loads, stats.entries), (2, 2));
}

#[test]
fn a_hundred_callers_share_one_load() {
    let (_feed, cache, loads) = connected();
    let calls: Vec<_> = (0..100).map(|_| begin(&cache, 7)).collect();
    assert_eq!(loads.count(), 1);
    loads.take(7).answer("Ada");
    // The first one has the turn.
    for call in calls {
        assert_eq!(text(call.end()), "Ada");
    }
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.misses), (1, 100));
}

#[test]
fn a_caller_who_gives_up_hands_the_load_to_the_next_one() {
    let (_feed, cache, loads) = connected();
    let first = begin(&cache, 7);
    let mut second = begin(&cache, 7);
    let mut third = begin(&cache, 7);
    drop(first);
    loads.take(7).answer("nobody hears this");
    assert!(second.poll().is_none() && third.poll().is_none());
    // One who waits may give up too.
    let fourth = begin(&cache, 7);
    drop(fourth);
    loads.take(7).answer("Ada");
    assert_eq!(text(second.end()), "Ada");
    assert_eq!(text(third.end()), "Ada");
    assert_eq!(get(&cache, 7).unwrap(), "Ada");
}

#[test]
fn the_turn_is_not_lost_with_a_caller_who_gives_up_before_taking_it() {
    let (_feed, cache, loads) = connected();
    let first = begin(&cache, 7);
    let second = begin(&cache, 7);
    let mut third = begin(&cache, 7);
    drop(first);
    // The turn is offered to it, but it was not polled since.
    drop(second);
    assert!(third.poll().is_none());
    let _ = loads.take(7);
    loads.take(7).answer("Ada");
    assert_eq!(text(third.end()), "Ada");
}

#[test]
fn loads_that_everybody_has_given_up_leave_nothing_behind() {
    let (_feed, cache, loads) = connected();
    for id in 0..1_000 {
        let calls = [begin(&cache, id), begin(&cache, id)];
        drop(calls);
    }
    assert_eq!(cache.loads_under_way(), 0);
    assert_eq!(loads.0.lock().drain(..).count(), 1_000);
    fill(&cache, &loads, 7, "Ada");
}

/// An error of a loader.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

#[track_caller]
fn load_error(outcome: Result<Option<Arc<String>>>) -> Error {
    let error = outcome.unwrap_err();
    assert!(error.is_load(), "{error}");
    error
}

#[test]
fn an_error_goes_to_all_who_wait_and_is_not_kept() {
    let (_feed, cache, loads) = connected();
    let calls = [begin(&cache, 7), begin(&cache, 7), begin(&cache, 7)];
    loads.take(7).fails(Refused);
    for call in calls {
        let error = load_error(call.end());
        assert_eq!(
            error.to_string(),
            "the loader of `user:7` has failed: refused"
        );
        let source = std::error::Error::source(&error).unwrap();
        assert!(source.is::<Refused>());
    }
    assert_eq!(cache.stats().entries, 0);
    fill(&cache, &loads, 7, "Ada");
}

#[test]
fn a_loader_that_panics_is_an_error_of_the_call() {
    let (_feed, cache, loads) = connected();
    let call = begin(&cache, 7);
    loads.take(7).panics();
    let error = load_error(call.end());
    let expected = "the loader of `user:7` has failed: it panicked: no answer";
    assert_eq!(error.to_string(), expected);
    fill(&cache, &loads, 7, "Ada");
}

#[test]
fn calls_can_be_spawned() {
    fn sent_to_another_thread(_: impl Send) {}
    let (feed, cache, _loads) = connected();
    sent_to_another_thread(cache.get(&7));
    sent_to_another_thread(cache.get_many(&[7, 8]));
    sent_to_another_thread(feed.builder::<String>().into_future());
    sent_to_another_thread(cache);
}

#[test]
fn many_keys_are_loaded_together_but_each_once() {
    let (_feed, cache, loads) = connected();
    fill(&cache, &loads, 1, "one");
    let other = begin(&cache, 2);
    let cache_ = cache.clone();
    let mut call = Call::begin(async move { cache_.get_many(&[1, 2, 3, 4, 3]).await });
    assert_eq!(loads.count(), 3);
    loads.take(4).answer("four");
    loads.take(3).absent();
    assert!(call.poll().is_none());
    loads.take(2).answer("two");
    assert_eq!(text(other.end()), "two");
    let values = call.end().unwrap();
    let values: Vec<_> = values.iter().map(|value| value.as_deref()).collect();
    let expected = ["one", "two", "", "four", ""].map(str::to_owned);
    let expected = expected
        .iter()
        .map(|text| Some(text).filter(|text| !text.is_empty()));
    assert!(values.into_iter().eq(expected));
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.loads), (1, 6, 4));
}

#[test]
fn one_of_many_keys_that_fails_does_not_keep_the_others_from_the_cache() {
    let (_feed, cache, loads) = connected();
    let cache_ = cache.clone();
    let call = Call::begin(async move { cache_.get_many(&[1, 2]).await });
    loads.take(1).fails(Refused);
    loads.take(2).answer("two");
    assert!(call.end().unwrap_err().is_load());
    assert_eq!(get(&cache, 2).unwrap(), "two");
    assert_eq!(cache.peek(&1), None);
}

#[test]
fn a_key_that_is_no_param_is_refused_without_a_load() {
    let feed = Feed::new();
    let loads = Loads::default();
    let load = loads.loader();
    let cache = NearCacheBuilder::<String, String>::new(feed.context.clone(), "user:{id}".into())
        .load_with(move |_: String| load(0))
        .now()
        .unwrap();
    for key in ["", "a.b", "a:b", "a/b"] {
        let mut call = Box::pin(cache.get(key));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Err(error)) = call.as_mut().poll(&mut context) else {
            panic!("{key:?} is not refused");
        };
        assert!(error.is_encode(), "{error}");
        assert_eq!(cache.peek(key), None);
        cache.invalidate(key);
    }
    assert_eq!(loads.count(), 0);
}

#[test]
fn a_template_that_cannot_work_is_an_error_of_the_beginning() {
    let feed = Feed::new();
    for keys in ["users", "user:{id", "{a}:{b}"] {
        let builder = || NearCacheBuilder::<u64, String>::new(feed.context.clone(), keys.into());
        assert!(builder().now().unwrap_err().is_config());
        let mut beginning = Call(builder().into_future());
        assert!(beginning.poll().unwrap().unwrap_err().is_config());
    }
    assert!(feed.context.registry.stats().is_empty());
}
