//! What waits for handlers that are stuck, compared with the memory limit.

use std::future::pending;

use redis_push::__bench::{Way, message, pattern_message};
use redis_push::{Fault, Handler, Overflow, Push, RawPush, Spec, Subscription};
use stats_alloc::Region;

use crate::{ALLOCATOR, held};

const KIB: usize = 1024;

const LIMIT: usize = 4 * 1024 * KIB;

/// What may be allocated besides what waits: lists of wakers, and the fixed parts of a channel.
const CONSTANT: usize = 128 * KIB;

/// A handler that never ends, unless the payload is `pass`.
struct Stuck(Spec);

impl Handler<()> for Stuck {
    fn spec(&self) -> Spec {
        self.0.clone()
    }

    async fn handle(&self, push: Push<'_>, _state: &()) -> Result<(), Fault> {
        if push.payload() != b"pass" {
            pending::<()>().await;
        }
        Ok(())
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("c{index}")).collect()
}

/// Handlers that each listen to one of the names, and are stuck with a small message at hand.
fn stuck(limit: usize, names: &[String]) -> Way {
    let on = |name: &String| Spec::new(name.clone()).on(Subscription::channel(name.clone()));
    let mut way = Way::within(limit, names.iter().map(|name| Stuck(on(name))));
    names
        .iter()
        .for_each(|name| way.push(&message(name, b"at hand")));
    way.deliver();
    way
}

pub(crate) fn replaced_messages_keep_no_memory_beyond_the_limit() {
    const CHANNELS: usize = 200;
    let spec = || {
        Spec::new("latest")
            .on(Subscription::pattern("c*"))
            .overflow(Overflow::Latest)
            .buffer_bytes(usize::MAX)
    };
    let large = 256 * KIB;
    for (sizes, at_once) in [
        ([large, 1], false),
        ([large, 1], true),
        ([large, 64 * KIB], false),
        ([large, 64 * KIB], true),
        ([1, large], false),
    ] {
        let mut way = Way::within(LIMIT, [Stuck(spec())]);
        way.push(&pattern_message("c*", "c", b"at hand"));
        way.deliver();
        let names = names(CHANNELS);
        let region = Region::new(ALLOCATOR);
        let mut most = 0;
        let mut push = |name: &str, size| {
            way.push(&pattern_message("c*", name, &vec![b'x'; size]));
            most = most.max(held(&region));
        };
        if at_once {
            // Each channel is large and then small, before the next one.
            for name in &names {
                sizes.into_iter().for_each(|size| push(name, size));
            }
        } else {
            for size in sizes {
                names.iter().for_each(|name| push(name, size));
            }
        }
        let (left, [_, last]) = (held(&region), sizes);
        println!("{sizes:?}: {most} of {LIMIT} bytes, then {left}");
        assert!(most <= LIMIT + large + CONSTANT, "holds {most} bytes");
        // A replaced message is not held: in the end there are 200 messages of the last size.
        assert!(left <= CHANNELS * (last + 200) + CONSTANT, "{left} bytes");
        let fits = at_once && last == 1;
        assert_eq!(way.dropped() == 0, fits, "{} dropped", way.dropped());
    }
}

pub(crate) fn many_stuck_handlers_with_one_large_message_each_stay_within_the_limit() {
    const LARGE: usize = 256 * KIB;
    let names = names(200);
    let way = stuck(LIMIT, &names);
    let region = Region::new(ALLOCATOR);
    let mut most = 0;
    for name in &names {
        way.push(&message(name, &[b'x'; LARGE]));
        most = most.max(held(&region));
    }
    println!("{most} of {LIMIT} bytes, {} dropped", way.dropped());
    assert!(most <= LIMIT + CONSTANT, "holds {most} bytes");
    assert!(most >= LIMIT / 2, "the limit is not used: {most} bytes");
    let fit = (LIMIT / LARGE) as u64;
    let kept = names.len() as u64 - way.dropped();
    assert!((fit / 2..=fit).contains(&kept), "{kept} of {fit} wait");
}

/// A handler that has read large batches expects another one, so its next message opens a large
/// batch.
pub(crate) fn many_stuck_handlers_stay_within_the_limit_after_a_burst() {
    let names = names(500);
    let on = |name: &String| Spec::new(name.clone()).on(Subscription::channel(name.clone()));
    let mut way = Way::within(LIMIT, names.iter().map(|name| Stuck(on(name))));
    let region = Region::new(ALLOCATOR);
    for name in &names {
        (0..2_000).for_each(|_| way.push(&message(name, b"pass")));
        way.deliver();
    }
    names
        .iter()
        .for_each(|name| way.push(&message(name, b"at hand")));
    way.deliver();
    let at_hand = held(&region);
    let mut most = 0;
    for _ in 0..10 {
        for name in &names {
            way.push(&message(name, b"waits"));
            most = most.max(held(&region));
        }
    }
    println!("{at_hand} bytes at hand; with what waits {most}, limit {LIMIT}");
    assert!(most <= at_hand.max(LIMIT) + CONSTANT, "holds {most} bytes");
}

pub(crate) fn raw_pushes_that_nobody_reads_stay_within_the_limit() {
    const COUNT: usize = 1_000;
    let mut way = stuck(LIMIT, &names(1));
    let region = Region::new(ALLOCATOR);
    let mut pushes = way.pushes();
    let mut most = 0;
    for _ in 0..COUNT {
        // Nobody listens to this name, so only the receiver holds it.
        way.push(&message("other", &[b'x'; 64 * KIB]));
        most = most.max(held(&region));
    }
    println!("{most} of {LIMIT} bytes");
    assert!(most <= LIMIT + CONSTANT, "holds {most} bytes");
    let (mut missed, mut received) = (0, 0);
    loop {
        match pushes.try_recv() {
            Ok(Some(RawPush::Message { .. })) => received += 1,
            Ok(Some(other)) => panic!("expected a message, got {other:?}"),
            Ok(None) => break,
            Err(redis_push::PushesError::Lagged(count)) => missed += count,
            Err(other) => panic!("expected a push, got {other}"),
        }
    }
    assert_eq!(received + missed, COUNT as u64);
    assert!(received > 1, "the limit is used");
    way.deliver();
}

pub(crate) fn idle_handlers_give_the_memory_of_a_burst_back() {
    const CHANNELS: usize = 10_000;
    // The memory of the last batch is kept for the next burst, until the limit needs it.
    const BATCH: usize = 64 * KIB;
    for overflow in [Overflow::DropOldest, Overflow::Latest] {
        let spec = Spec::new("idle").on(Subscription::pattern("c*"));
        let mut way = Way::new([Stuck(spec.overflow(overflow))]);
        way.push(&pattern_message("c*", "c", b"pass"));
        way.deliver();
        let region = Region::new(ALLOCATOR);
        for name in names(CHANNELS) {
            way.push(&pattern_message("c*", &name, b"pass"));
        }
        let burst = held(&region);
        // A turn of the loop delivers a limited number of messages.
        while way.handled() <= CHANNELS as u64 {
            way.deliver();
        }
        let left = held(&region);
        println!("{overflow:?}: {burst} bytes, then {left}");
        assert!(left < BATCH, "{left} bytes of {burst} are left");
    }
}
