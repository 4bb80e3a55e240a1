//! The loop of one handler.

use std::sync::Arc;

use super::context::HandlerContext;
use super::counters::add;
use super::executor::Executor;
use super::pool::PoolExecutor;
use super::resume::{LoopState, SharedLoopState};
use super::worker::Worker;
use crate::broadcast::Received;
use crate::handler::Handler;

/// Delivers to one handler until its broadcast channel is closed and empty.
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
        // Boxed, so that the future of a handler without workers has no room for it.
        _ => {
            let pool = PoolExecutor::new(worker, &mut loop_state.workers);
            Box::pin(deliver_all(&mut loop_state, pool)).await;
        }
    }
}

async fn deliver_all(loop_state: &mut LoopState, mut executor: impl Executor) {
    report_gaps(loop_state, &mut executor).await;
    'deliveries: while executor.context().gate.wait_until_open().await
        && let Some(Received {
            gap, batch, known, ..
        }) = loop_state.receiver.recv().await
    {
        if let Some(gap) = gap {
            loop_state.known = known;
            loop_state.push_gap(gap, executor.context());
            report_gaps(loop_state, &mut executor).await;
        }
        if let Some((batch, skip)) = batch {
            add(&executor.context().counters.batches, 1);
            for index in skip..batch.len() {
                if !executor.context().gate.wait_until_open().await {
                    break 'deliveries;
                }
                executor.deliver(&batch, index).await;
                tokio::task::consume_budget().await;
            }
            if executor.context().workers.is_empty() {
                loop_state.receiver.done(batch);
            } else {
                loop_state.receiver.in_use(batch);
            }
        }
    }
    // Also after a pause that a shutdown has ended: its deadline is for what is under way.
    executor.wait_until_idle().await;
}

/// Reports the gaps that are not reported yet. Each stays in the loop state until the gap handler
/// has succeeded, so a restart reports it again.
async fn report_gaps(loop_state: &mut LoopState, executor: &mut impl Executor) {
    while let Some(gap) = loop_state.next_gap() {
        // Gaps are rare. Boxed, so that the future of an idle loop has no room for one.
        Box::pin(executor.report(gap)).await;
        loop_state.pop_gap();
    }
    executor.context().sync.handled(loop_state.known);
}
