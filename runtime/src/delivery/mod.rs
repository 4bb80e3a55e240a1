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

pub(crate) use context::HandlerContext;
pub(crate) use counters::{Counters, add};
pub(crate) use pause::PauseGate;
pub(crate) use resume::{LoopState, SharedLoopState};

use std::sync::Arc;

use crate::broadcast::Received;
use crate::handler::Handler;

use executor::Executor;
use pool::PoolExecutor;
use worker::Worker;

/// Delivers to one handler until its ring is closed and empty.
pub(crate) async fn run<S, H>(
    handler: Arc<H>,
    loop_state: SharedLoopState,
    state: Arc<S>,
    context: Arc<HandlerContext>,
) where
    S: Send + Sync + 'static,
    H: Handler<S>,
{
    let mut loop_state = loop_state.lock().await;
    loop_state.account_for_last_run(&context).await;
    let worker = Worker::new(handler, state, context);
    match worker.context.workers.len() {
        0 => deliver_all(&mut loop_state, worker).await,
        // In a box, so that a handler without workers does not hold the room for it.
        _ => {
            let pooled = PoolExecutor::new(worker, &mut loop_state.workers);
            Box::pin(deliver_all(&mut loop_state, pooled)).await;
        }
    }
}

async fn deliver_all(loop_state: &mut LoopState, mut executor: impl Executor) {
    report_owed(loop_state, &mut executor).await;
    while executor.context().gate.wait_until_open().await
        && let Some(Received { gap, batch, .. }) = loop_state.receiver.recv().await
    {
        if let Some(gap) = gap {
            loop_state.owe(gap, executor.context());
            report_owed(loop_state, &mut executor).await;
        }
        if let Some((batch, skip)) = batch {
            add(&executor.context().counters.batches, 1);
            for index in skip..batch.len() {
                if !executor.context().gate.wait_until_open().await {
                    return;
                }
                executor.deliver(&batch, index).await;
                tokio::task::consume_budget().await;
            }
            loop_state.receiver.done(batch);
        }
    }
    executor.wait_until_idle().await;
}

async fn report_owed(loop_state: &mut LoopState, executor: &mut impl Executor) {
    while let Some(gap) = loop_state.owed() {
        // Gaps are rare: in a box, so that an idle handler does not hold the room for one.
        Box::pin(executor.report(gap)).await;
        loop_state.reported();
    }
}
