//! The loop of one handler: from its receiver to whoever runs it.

use std::sync::Arc;

use crate::batch::Batch;
use crate::gap::Gap;
use crate::handler::Handler;
use crate::mount::Lane;
use crate::outcome::add;
use crate::pool::Pooled;
use crate::ring::{Item, Receiver};
use crate::worker::Worker;

/// Delivers to one handler until its ring is closed and empty.
pub(crate) async fn run<S, H>(handler: H, receiver: Receiver, state: Arc<S>, lane: Arc<Lane>)
where
    S: Send + Sync + 'static,
    H: Handler<S>,
{
    let worker = Worker::new(Arc::new(handler), state, lane);
    match worker.lane.workers.len() {
        0 => deliver_all(receiver, worker).await,
        // In a box, so that a handler without workers does not hold the room for it.
        _ => Box::pin(deliver_all(receiver, Pooled::new(worker))).await,
    }
}

/// Who runs a handler: its own loop, or workers beside it.
pub(crate) trait Hands: Send {
    fn lane(&self) -> &Lane;

    /// Handles a push, or gives it to one who does.
    fn deliver(&mut self, batch: &Arc<Batch>, index: usize) -> impl Future<Output = ()> + Send;

    /// Tells a gap when every delivery before it has ended.
    fn tell(&mut self, gap: &Gap) -> impl Future<Output = ()> + Send;

    /// Waits until no delivery is under way.
    fn rest(&mut self) -> impl Future<Output = ()> + Send;
}

async fn deliver_all(mut receiver: Receiver, mut hands: impl Hands) {
    while hands.lane().gate.is_open_or_opens().await
        && let Some(Item { gap, missed, batch }) = receiver.recv().await
    {
        let counters = &hands.lane().counters;
        add(&counters.dropped, missed);
        add(&counters.position, missed);
        if let Some(gap) = gap {
            hands.tell(&gap).await;
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
            receiver.done(batch);
        }
    }
    hands.rest().await;
}
