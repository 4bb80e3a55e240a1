use std::task::{Context, Waker};

use super::calls::*;
use super::feed::Feed;
use crate::gap::Missed;
use crate::push::NodeId;

#[test]
fn a_value_that_changes_while_it_is_loaded_is_given_and_not_kept() {
    let (feed, cache, loads) = connected();
    let first = begin(&cache, 7);
    let second = begin(&cache, 7);
    feed.change(7);
    // Whoever comes after the change begins another load.
    let third = begin(&cache, 7);
    let (old, new) = (loads.take(7), loads.take(7));
    old.answer("old");
    assert_eq!(text(first.end()), "old");
    assert_eq!(text(second.end()), "old");
    assert_eq!(cache.peek(&7), None);
    new.answer("new");
    assert_eq!(text(third.end()), "new");
    assert_eq!(get(&cache, 7).unwrap(), "new");
}

#[test]
fn the_outcome_of_an_overtaken_load_does_not_replace_a_newer_one() {
    let (feed, cache, loads) = connected();
    let first = begin(&cache, 7);
    feed.change(7);
    let second = begin(&cache, 7);
    let (old, new) = (loads.take(7), loads.take(7));
    new.answer("new");
    assert_eq!(text(second.end()), "new");
    old.answer("old");
    assert_eq!(text(first.end()), "old");
    assert_eq!(get(&cache, 7).unwrap(), "new");
}

#[test]
fn a_change_that_arrives_just_after_the_value_removes_it() {
    let (feed, cache, loads) = connected();
    let call = begin(&cache, 7);
    loads.take(7).answer("old");
    // The value is here, but the caller has not run since.
    feed.change(7);
    assert_eq!(text(call.end()), "old");
    assert_eq!(cache.peek(&7), None);
    fill(&cache, &loads, 7, "new");
    feed.change(7);
    assert_eq!(cache.peek(&7), None);
}

#[test]
fn changes_of_other_keys_remove_nothing() {
    let (feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "Ada");
    for key in ["user:77", "user:", "user:7:friends", "user:07"] {
        feed.change_key(key);
    }
    assert_eq!(get(&cache, 7).unwrap(), "Ada");
    feed.change(7);
    assert_eq!(cache.peek(&7), None);
    // The first two and the last two have the prefix, and could be keys of the template.
    assert_eq!(cache.stats().invalidations, 5);
}

#[test]
fn a_program_can_remove_what_it_has_changed_itself() {
    let (_feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "old");
    let other = begin(&cache, 8);
    cache.invalidate(&7);
    cache.invalidate(&8);
    assert_eq!(cache.peek(&7), None);
    loads.take(8).answer("old");
    assert_eq!(text(other.end()), "old");
    assert_eq!(cache.peek(&8), None);
    fill(&cache, &loads, 7, "new");
    assert_eq!(cache.stats().invalidations, 0);
}

#[test]
fn a_flush_removes_everything() {
    let (feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "Ada");
    let loading = begin(&cache, 8);
    feed.flush();
    assert_eq!(cache.peek(&7), None);
    loads.take(8).answer("old");
    assert_eq!(text(loading.end()), "old");
    assert_eq!(cache.peek(&8), None);
    let stats = cache.stats();
    assert_eq!((stats.clears, stats.entries), (1, 0));
}

#[test]
fn nothing_is_kept_or_shared_before_the_server_has_confirmed() {
    let mut feed = Feed::new();
    let (cache, loads) = feed.cache();
    let calls = [begin(&cache, 7), begin(&cache, 7)];
    assert_eq!(loads.count(), 2);
    feed.connect();
    // The value may have changed before the confirmation.
    loads.take(7).answer("one");
    loads.take(7).answer("other");
    let [one, other] = calls.map(|call| text(call.end()));
    assert_eq!((&*one, &*other), ("one", "other"));
    assert_eq!(cache.peek(&7), None);
    assert!(cache.is_synced());
    let stats = cache.stats();
    assert_eq!((stats.bypasses, stats.misses, stats.entries), (2, 0, 0));
    fill(&cache, &loads, 7, "Ada");
    assert_eq!(cache.stats().clears, 0, "the beginning is no loss");
}

#[test]
fn calls_bypass_the_cache_from_the_loss_of_the_connection_to_its_end() {
    let (mut feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "old");
    let bypass = |value: &str| {
        assert!(!cache.is_synced());
        assert_eq!(cache.peek(&7), None);
        let calls = [begin(&cache, 7), begin(&cache, 7)];
        assert_eq!(loads.count(), 2);
        for call in calls {
            loads.take(7).answer(value);
            assert_eq!(text(call.end()), value);
        }
    };
    feed.disconnect();
    bypass("seen by the link");
    feed.dispatcher.end(NodeId::FIRST, Missed::Unknown);
    bypass("seen by the session");
    feed.generation += 1;
    feed.dispatcher.open(feed.generation.into());
    bypass("connected again");
    feed.track();
    assert!(cache.is_synced());
    assert_eq!(cache.peek(&7), None, "it may have changed in the meantime");
    fill(&cache, &loads, 7, "new");
    assert_eq!(get(&cache, 7).unwrap(), "new");
    assert_eq!(cache.stats().clears, 1);
}

#[test]
fn an_outage_between_two_calls_empties_the_cache() {
    let (mut feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "old");
    feed.lose();
    feed.connect();
    assert_eq!(cache.peek(&7), None);
    fill(&cache, &loads, 7, "old");
    // Connections that are lost before they are confirmed.
    for _ in 0..3 {
        feed.lose();
        feed.generation += 1;
        feed.dispatcher.open(feed.generation.into());
    }
    feed.track();
    assert_eq!(cache.peek(&7), None);
}

#[test]
fn a_load_that_spans_an_outage_is_not_kept() {
    let (mut feed, cache, loads) = connected();
    let spans_all = begin(&cache, 7);
    let ends_within = begin(&cache, 8);
    feed.lose();
    loads.take(8).answer("old");
    assert_eq!(text(ends_within.end()), "old");
    feed.connect();
    loads.take(7).answer("old");
    assert_eq!(text(spans_all.end()), "old");
    assert_eq!(cache.peek(&7), None);
    assert_eq!(cache.peek(&8), None);
}

#[test]
fn tracking_that_the_server_ends_and_confirms_again_empties_the_cache() {
    let (feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "old");
    let loading = begin(&cache, 8);
    feed.untrack();
    assert!(!cache.is_synced());
    feed.track();
    assert!(cache.is_synced());
    assert_eq!(cache.peek(&7), None);
    loads.take(8).answer("old");
    assert_eq!(text(loading.end()), "old");
    assert_eq!(cache.peek(&8), None);
}

#[test]
fn pushes_that_an_attached_channel_has_lost_empty_the_cache() {
    let (feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "old");
    feed.dispatcher.interrupt(Missed::AtMost(10));
    assert!(
        !cache.is_synced(),
        "the end of the tracking may be among them"
    );
    feed.track();
    assert!(cache.is_synced());
    assert_eq!(cache.peek(&7), None);
}

#[test]
fn more_changes_than_the_cache_has_entries_empty_it() {
    let mut feed = Feed::new();
    let loads = Loads::default();
    let builder = feed.builder().capacity(1_000);
    let cache = builder.load_with(loads.loader()).now().unwrap();
    feed.connect();
    fill(&cache, &loads, 7, "Ada");
    let loading = begin(&cache, 8);
    (0..1_000).for_each(|id| feed.change(1_000 + id));
    assert_eq!(get(&cache, 7).unwrap(), "Ada");
    (0..1_001).for_each(|id| feed.change(1_000 + id));
    assert_eq!(cache.peek(&7), None);
    assert!(cache.is_synced());
    loads.take(8).answer("old");
    assert_eq!(text(loading.end()), "old");
    assert_eq!(cache.peek(&8), None);
    assert_eq!(cache.stats().clears, 1);
}

#[test]
fn many_changes_are_applied_by_several_calls_and_nothing_is_served_until_all_are() {
    let (feed, cache, loads) = connected();
    fill(&cache, &loads, 7, "Ada");
    fill(&cache, &loads, 8, "old");
    let loading = begin(&cache, 9);
    (0..2_500).for_each(|id| feed.change(1_000 + id));
    feed.change(8);
    feed.change(9);
    for applied in [1_024, 2_048] {
        assert_eq!(cache.peek(&7), None);
        assert_eq!(cache.stats().invalidations, applied);
    }
    // The change is not applied when the value comes.
    loads.take(9).answer("old");
    assert_eq!(text(loading.end()), "old");
    for id in [8, 9] {
        assert_eq!(cache.peek(&id), None);
    }
    assert_eq!(get(&cache, 7).unwrap(), "Ada");
    let stats = cache.stats();
    assert_eq!((stats.invalidations, stats.clears), (2_502, 0));
}

#[test]
fn a_task_without_budget_sees_what_has_changed() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let (feed, cache, loads) = connected();
        fill(&cache, &loads, 7, "old");
        feed.change(7);
        let mut context = Context::from_waker(Waker::noop());
        let mut spend = || {
            Box::pin(tokio::task::consume_budget())
                .as_mut()
                .poll(&mut context)
        };
        while spend().is_ready() {}
        assert_eq!(cache.peek(&7), None);
    });
}
