//! Tests of the broadcast channel.
//!
//! This file tests single cases. The others compare the channel with a plain model over random
//! schedules: `oracle` for the policies that drop, `latest` for [`Overflow::Latest`]. `memory`
//! measures how much memory a channel holds, `readers` compares readers that come and go with a plain
//! list, `sharing` decodes once for all readers. With `--cfg shuttle`, `model` runs the channel under a model checker (`util::model`), which also
//! needs the reader of `model_reader`.

mod latest;
mod memory;
#[cfg(shuttle)]
mod model;
#[cfg(shuttle)]
pub(crate) mod model_reader;
mod oracle;
mod readers;
mod sharing;
mod wakers;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use crate::broadcast::budget::{Budget, Overflow};
use crate::broadcast::receiver::Receiver;
use crate::broadcast::segments::GapStart;
use crate::broadcast::state::Received;
use crate::broadcast::{Common, Shared};
use crate::gap::{Gap, GapCause, Missed};
use crate::push::Batch;

fn since(cause: GapCause) -> GapStart {
    GapStart {
        cause,
        missed: Missed::Unknown,
        since: SystemTime::now(),
    }
}

fn take(receiver: &mut Receiver) -> Option<Arc<Batch>> {
    let mut context = Context::from_waker(Waker::noop());
    match receiver.poll_recv(&mut context) {
        Poll::Ready(Some(_)) => receiver.batch().cloned(),
        _ => None,
    }
}

#[test]
fn a_burst_goes_out_in_one_batch_and_one_wake_up() {
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    for _ in 0..100 {
        shared.append(0, b"", b"payload", &mut wakers);
    }
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(received)) = pin!(receiver.recv()).poll(&mut context) else {
        panic!("expected a batch");
    };
    assert_eq!(received.gap.unwrap().cause, GapCause::Initial);
    assert_eq!(received.batch, Some(0));
    assert_eq!(receiver.batch().unwrap().len(), 100);
}

#[test]
fn a_gap_waits_until_every_name_is_confirmed_or_denied() {
    let shared = Arc::new(Shared::new(2, Budget::default()));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    let before = since(GapCause::ConnectionLost);
    shared.confirm(0, 1.into(), before, &mut wakers);
    shared.append(0, b"", b"payload", &mut wakers);
    assert!(pin!(receiver.recv()).poll(&mut context).is_pending());
    shared.turn_off(1, 1.into(), before, before.since, &mut wakers);
    assert!(pin!(receiver.recv()).poll(&mut context).is_ready());
}

#[test]
fn a_denied_name_causes_a_gap_when_it_is_confirmed() {
    let shared = Arc::new(Shared::new(2, Budget::default()));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    let before = since(GapCause::ConnectionLost);
    let mut next = || match pin!(receiver.recv()).poll(&mut context) {
        Poll::Ready(Some(Received {
            gap: Some(loss), ..
        })) => loss.gap,
        other => panic!("expected a gap, got {other:?}"),
    };
    shared.confirm(0, 1.into(), before, &mut wakers);
    shared.turn_off(1, 1.into(), before, before.since, &mut wakers);
    assert_eq!(next().cause, GapCause::Initial);
    shared.confirm(1, 1.into(), before, &mut wakers);
    let gap = next();
    assert_eq!(gap.cause, GapCause::Resubscribed);
    assert_eq!(gap.since, before.since);
}

#[test]
fn connections_that_flap_while_a_handler_is_busy_are_one_gap() {
    let shared = Arc::new(Shared::new(1, Budget::default()));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    let first = since(GapCause::ConnectionLost);
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    assert!(pin!(receiver.recv()).poll(&mut context).is_ready());
    shared.confirm(0, 2.into(), first, &mut wakers);
    for generation in 3..1_000 {
        let before = since(GapCause::ConnectionLost);
        shared.confirm(0, generation.into(), before, &mut wakers);
    }
    let Poll::Ready(Some(received)) = pin!(receiver.recv()).poll(&mut context) else {
        panic!("expected a gap");
    };
    assert_eq!(received.gap.unwrap().since, first.since);
    assert!(pin!(receiver.recv()).poll(&mut context).is_pending());
}

#[test]
fn one_push_is_accepted_however_large_it_is() {
    let budget = Budget {
        messages: 10,
        bytes: 100,
        ..Budget::default()
    };
    let shared = Arc::new(Shared::new(1, budget));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    shared.append(0, b"", b"small", &mut wakers);
    shared.append(0, b"", &[0; 1_000], &mut wakers);
    assert!(take(&mut receiver).is_none(), "the initial gap comes alone");
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(received)) = pin!(receiver.recv()).poll(&mut context) else {
        panic!("expected a batch");
    };
    assert_eq!(received.missed, 1);
    let skip = received.batch.unwrap();
    assert_eq!(receiver.batch().unwrap().payload(skip).len(), 1_000);
}

#[test]
fn a_drop_is_counted_once_before_and_after_it_is_reported() {
    let budget = Budget {
        messages: 1,
        ..Budget::default()
    };
    let shared = Arc::new(Shared::new(1, budget));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    for _ in 0..3 {
        shared.append(0, b"", b"", &mut wakers);
    }
    let meter = receiver.meter();
    assert_eq!(meter.backlog().missed, 2);
    assert!(take(&mut receiver).is_none(), "the initial gap comes alone");
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Some(received)) = pin!(receiver.recv()).poll(&mut context) else {
        panic!("expected a batch");
    };
    assert_eq!(received.missed, 2);
    // Otherwise the statistics would show them as queued until the handler's loop continues.
    assert_eq!(meter.backlog().missed, 2);
}

/// A channel whose connection is lost. Its reader has received a first push, at the fence `first`.
struct Losing {
    shared: Arc<Shared>,
    receiver: Receiver,
    first: SystemTime,
    second: SystemTime,
}

impl Losing {
    /// Appends `pushes` more after the first one, and then confirms on another connection. The last
    /// fence of the lost one is `second`.
    fn begin(messages: usize, pushes: usize) -> Self {
        let budget = Budget {
            messages,
            ..Budget::default()
        };
        let shared = Arc::new(Shared::new(1, budget));
        let common = Arc::new(Common::default());
        shared.follow(&common);
        let mut receiver = shared.subscribe();
        let mut wakers = Vec::new();
        shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
        let first = SystemTime::now();
        let second = first + Duration::from_secs(1);
        common.fence.set(first);
        shared.append(0, b"", b"", &mut wakers);
        take(&mut receiver).expect("a batch");
        for _ in 0..pushes {
            shared.append(0, b"", b"", &mut wakers);
        }
        common.fence.set(second);
        let lost = GapStart {
            cause: GapCause::ConnectionLost,
            missed: Missed::Unknown,
            since: second,
        };
        shared.confirm(0, 2.into(), lost, &mut wakers);
        Self {
            shared,
            receiver,
            first,
            second,
        }
    }

    /// Reads until the next gap.
    fn gap(&mut self) -> Gap {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match pin!(self.receiver.recv()).poll(&mut context) {
                Poll::Ready(Some(Received {
                    gap: Some(loss), ..
                })) => return loss.gap,
                Poll::Ready(Some(_)) => {}
                other => panic!("expected a gap, got {other:?}"),
            }
        }
    }
}

#[test]
fn a_gap_begins_at_a_fence_before_the_first_loss_and_ends_after_the_last() {
    // In batches of two, of which one is dropped in part.
    let mut losing = Losing::begin(32, 33);
    let before = SystemTime::now();
    let lag = losing.gap();
    let expected = (GapCause::Lagged, Missed::Exactly(1));
    assert_eq!((lag.cause, lag.missed), expected);
    assert_eq!(lag.since, losing.first);
    assert!(
        lag.until >= before,
        "what was dropped was in the next batch"
    );
    let loss = losing.gap();
    let expected = (GapCause::ConnectionLost, losing.second);
    assert_eq!((loss.cause, loss.since), expected);
}

#[test]
fn a_lag_before_a_lost_connection_is_in_the_span_of_the_gap() {
    let mut losing = Losing::begin(1, 1);
    // This drops the last push of the first connection.
    losing.shared.append(0, b"", b"", &mut Vec::new());
    let gap = losing.gap();
    let expected = (GapCause::ConnectionLost, Missed::AtLeast(1));
    assert_eq!((gap.cause, gap.missed), expected);
    assert_eq!(gap.since, losing.first);
}

#[test]
fn a_push_that_is_dropped_last_is_reported_without_a_message_after_it() {
    let budget = Budget {
        messages: 1,
        overflow: Overflow::DropNewest,
        ..Budget::default()
    };
    let shared = Arc::new(Shared::new(1, budget));
    let mut receiver = shared.subscribe();
    let mut wakers = Vec::new();
    shared.confirm(0, 1.into(), since(GapCause::Initial), &mut wakers);
    for payload in [b"kept", b"gone", b"lost"] {
        shared.append(0, b"", payload, &mut wakers);
    }
    let mut context = Context::from_waker(Waker::noop());
    let mut next = || match receiver.poll_recv(&mut context) {
        Poll::Ready(Some(received)) => (received, receiver.batch().map(|batch| batch.len())),
        other => panic!("expected a gap or a batch, got {other:?}"),
    };
    assert_eq!(next().1, Some(1));
    let (Received { gap, missed, .. }, batch) = next();
    assert_eq!(gap.unwrap().missed, Missed::Exactly(2));
    assert_eq!(missed, 2);
    assert!(batch.is_none());
}
