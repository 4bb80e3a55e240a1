//! The loop of one handler: from its receiver to its workers.

use std::sync::Arc;

use crate::batch::Batch;
use crate::gap::Gap;
use crate::handler::Handler;
use crate::mount::Lane;
use crate::outcome::add;
use crate::pool::Pool;
use crate::ring::{Item, Receiver};
use crate::worker::Worker;

/// Delivers to one handler until its ring is closed and empty.
pub(crate) async fn run<S, H>(handler: H, mut receiver: Receiver, state: Arc<S>, lane: Arc<Lane>)
where
    S: Send + Sync + 'static,
    H: Handler<S>,
{
    let mut hands = Hands::new(Arc::new(handler), state, Arc::clone(&lane));
    while lane.gate.is_open_or_opens().await
        && let Some(Item { gap, missed, batch }) = receiver.recv().await
    {
        add(&lane.counters.dropped, missed);
        add(&lane.counters.position, missed);
        if let Some(gap) = gap {
            hands.tell(&gap).await;
        }
        if let Some((batch, skip)) = batch {
            add(&lane.counters.batches, 1);
            for index in skip..batch.len() {
                if !lane.gate.is_open_or_opens().await {
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

/// Who runs the handler: its own loop, or workers beside it.
struct Hands<S, H> {
    own: Worker<S, H>,
    pool: Option<Pool>,
}

impl<S: Send + Sync + 'static, H: Handler<S>> Hands<S, H> {
    fn new(handler: Arc<H>, state: Arc<S>, lane: Arc<Lane>) -> Self {
        let own = Worker::new(handler, state, lane);
        let pool = Pool::of(&own);
        Self { own, pool }
    }

    async fn deliver(&mut self, batch: &Arc<Batch>, index: usize) {
        match &self.pool {
            None => self.own.deliver(batch, index).await,
            Some(pool) => pool.give(batch, index).await,
        }
    }

    /// Tells a gap when every delivery before it has ended.
    async fn tell(&mut self, gap: &Gap) {
        self.rest().await;
        self.own.tell(gap).await;
    }

    /// Waits until no delivery is under way.
    async fn rest(&self) {
        if let Some(pool) = &self.pool {
            pool.rest().await;
        }
    }
}
