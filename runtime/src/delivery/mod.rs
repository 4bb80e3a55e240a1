//! The loop of one handler: from its receiver to whoever runs it.

mod context;
mod counters;
mod executor;
mod partitioner;
mod pause;
mod pool;
mod resume;
mod snapshot;
mod worker;

pub(crate) use context::Lane;
pub(crate) use counters::{Counters, add};
pub(crate) use pause::Gate;
pub(crate) use resume::{Seat, SharedSeat};

use std::sync::Arc;

use crate::broadcast::Item;
use crate::handler::Handler;

use executor::Hands;
use pool::Pooled;
use worker::Worker;

/// Delivers to one handler until its ring is closed and empty.
pub(crate) async fn run<S, H>(handler: Arc<H>, seat: SharedSeat, state: Arc<S>, lane: Arc<Lane>)
where
    S: Send + Sync + 'static,
    H: Handler<S>,
{
    let mut seat = seat.lock().await;
    seat.take_over(&lane).await;
    let worker = Worker::new(handler, state, lane);
    match worker.lane.workers.len() {
        0 => deliver_all(&mut seat, worker).await,
        // In a box, so that a handler without workers does not hold the room for it.
        _ => {
            let pooled = Pooled::new(worker, &mut seat.workers);
            Box::pin(deliver_all(&mut seat, pooled)).await;
        }
    }
}

async fn deliver_all(seat: &mut Seat, mut hands: impl Hands) {
    tell_owed(seat, &mut hands).await;
    while hands.lane().gate.is_open_or_opens().await
        && let Some(Item { gap, batch, .. }) = seat.receiver.recv().await
    {
        if let Some(gap) = gap {
            seat.owe(gap, hands.lane());
            tell_owed(seat, &mut hands).await;
        }
        if let Some((batch, skip)) = batch {
            add(&hands.lane().counters.batches, 1);
            for index in skip..batch.len() {
                if !hands.lane().gate.is_open_or_opens().await {
                    return;
                }
                hands.deliver(&batch, index).await;
                tokio::task::consume_budget().await;
            }
            seat.receiver.done(batch);
        }
    }
    hands.rest().await;
}

async fn tell_owed(seat: &mut Seat, hands: &mut impl Hands) {
    while let Some(gap) = seat.owed() {
        // Gaps are rare: in a box, so that an idle handler does not hold the room for one.
        Box::pin(hands.tell(gap)).await;
        seat.told();
    }
}
