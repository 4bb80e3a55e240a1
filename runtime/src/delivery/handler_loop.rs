//! The loop of one handler.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::context::HandlerContext;
use super::coop::CoopBudget;
use super::counters::add;
use super::executor::Executor;
use super::instruments::Surroundings;
use super::pause::Turn;
use super::pool::PoolExecutor;
use super::resume::{LoopState, SharedLoopState};
use super::worker::Worker;
use crate::broadcast::Received;
use crate::handler::Handler;
use crate::util::step_back;

/// Delivers to one handler until its broadcast channel is closed and empty.
///
/// Not an `async fn`: its future would have room for each argument twice, and there is one for each handler.
#[expect(clippy::manual_async_fn, reason = "the future is smaller")]
pub(crate) fn run<A, S, H>(
    handler: Arc<H>,
    loop_state: SharedLoopState,
    state: Arc<S>,
    context: Arc<HandlerContext>,
) -> impl Future<Output = ()> + Send
where
    A: Surroundings,
    S: Send + Sync + 'static,
    H: Handler<S>,
{
    async move {
        let mut loop_state = loop_state.lock().await;
        loop_state.account_for_last_run(&context).await;
        let worker = Worker::<_, _, A>::new(handler, state, context);
        match worker.context.workers.len() {
            0 => deliver_all(&mut loop_state, worker).await,
            // Boxed, so that the future of a handler without workers has no room for it.
            _ => {
                let pool = PoolExecutor::new(worker, &mut loop_state.workers);
                Box::pin(deliver_all(&mut loop_state, pool)).await;
            }
        }
    }
}

#[expect(clippy::manual_async_fn, reason = "see `run`")]
fn deliver_all(
    loop_state: &mut LoopState,
    mut executor: impl Executor,
) -> impl Future<Output = ()> + Send {
    async move {
        let mut coop = CoopBudget::default();
        report_gaps(loop_state, &mut executor).await;
        'deliveries: while may_continue(loop_state, &mut executor).await {
            let mut is_for_resync = false;
            // Not kept in a variable, for which the future would have room.
            let Some(Received {
                gap,
                batch,
                known,
                woke_link,
                ..
            }) = receive(loop_state, executor.context(), &mut is_for_resync).await
            else {
                if is_for_resync {
                    continue;
                }
                break;
            };
            if let Some(loss) = gap {
                loop_state.known = known;
                let gap = loss.named(&executor.context().spec.subscriptions);
                loop_state.push_gap(gap, executor.context());
                report_gaps(loop_state, &mut executor).await;
            }
            if let Some(skip) = batch
                && let Some(batch) = loop_state.receiver.batch()
            {
                add(&executor.context().counters.batches, 1);
                if woke_link {
                    // The link has room again. If it had to wait behind this task, this handler would find its
                    // channel empty afterwards, and other buffers would overflow.
                    step_back().await;
                }
                for index in skip..batch.len() {
                    // The gate is closed for a pause, for a resync or at the end.
                    while !executor.context().gate.is_open()
                        || !executor.deliver(batch, index).await
                    {
                        if !Box::pin(opened(loop_state, &mut executor)).await {
                            break 'deliveries;
                        }
                    }
                    if coop.delivered() {
                        coop.spend().await;
                    }
                }
                if !executor.context().workers.is_empty() {
                    loop_state.receiver.keep_in_use();
                }
            }
        }
        // Also after a pause that a shutdown has ended: its deadline is for what is under way.
        settle(loop_state, &mut executor).await;
    }
}

/// Waits for the next gap or batch. Returns `None` at the end, and when a resync is due: then it sets
/// `is_for_resync`.
#[inline]
async fn receive(
    loop_state: &mut LoopState,
    context: &HandlerContext,
    is_for_resync: &mut bool,
) -> Option<Received> {
    let may_resync = loop_state.has_begun && context.can_resync();
    let mut receiving = pin!(loop_state.receiver.recv());
    poll_fn(|cx| match receiving.as_mut().poll(cx) {
        Poll::Pending if may_resync && context.gate.poll_resync_due(cx).is_ready() => {
            *is_for_resync = true;
            Poll::Ready(None)
        }
        received => received,
    })
    .await
}

/// Waits while the handler is paused, and serves requests for a resync. Returns whether the loop should
/// continue.
#[inline]
async fn may_continue(loop_state: &LoopState, executor: &mut impl Executor) -> bool {
    executor.context().gate.is_open() || Box::pin(opened(loop_state, executor)).await
}

async fn opened(loop_state: &LoopState, executor: &mut impl Executor) -> bool {
    executor.wait();
    loop {
        match executor.context().gate.turn().await {
            Turn::Deliver => return true,
            Turn::End => return false,
            // The initial gap, which is yet to come, serves the request.
            Turn::Resync if !loop_state.has_begun => return true,
            Turn::Resync => {
                executor.wait_until_none_runs().await;
                let gap = loop_state.requested_gap(executor.context());
                executor.report(&gap).await;
            }
        }
    }
}

/// Waits until no delivery is queued or under way, and serves their requests for a resync.
async fn settle(loop_state: &mut LoopState, executor: &mut impl Executor) {
    while !executor.wait_until_idle().await
        || loop_state.has_begun && executor.context().gate.is_resync_due()
    {
        may_continue(loop_state, executor).await;
    }
}

/// Reports the gaps that are not reported yet. Each stays in the loop state until the gap handler
/// has succeeded, so a restart reports it again.
async fn report_gaps(loop_state: &mut LoopState, executor: &mut impl Executor) {
    while loop_state.next_gap().is_some() {
        settle(loop_state, executor).await;
        if let Some(gap) = loop_state.next_gap() {
            // Gaps are rare. Boxed, so that the future of an idle loop has no room for one.
            Box::pin(executor.report(gap)).await;
        }
        loop_state.pop_gap();
    }
    let context = executor.context();
    context.sync.handled(loop_state.known);
    context.notify_probe();
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::time::Duration;

    use super::super::filled::Filled;
    use super::super::instruments::{Bare, Observation};
    use super::*;
    use crate::error::Fault;
    use crate::handler::Spec;
    use crate::push::Push;
    use crate::subscription::Subscription;
    use crate::util::clock;

    #[derive(Default)]
    struct Counts(AtomicU64);

    impl Handler<()> for Counts {
        fn spec(&self) -> Spec {
            Spec::new("counts")
                .on(Subscription::channel("numbers"))
                .buffer(64)
        }

        async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
            self.0.fetch_add(1, SeqCst);
            Ok(())
        }
    }

    /// Otherwise it has its turn when the handler has found its buffer empty. Then the handler counts as idle, and
    /// the link ceases to wait.
    #[tokio::test]
    async fn a_link_that_waits_for_room_has_its_turn_before_the_handler_has_handled_all() {
        let handler = Arc::new(Counts::default());
        let filled = Filled::with(64, handler.spec(), &Observation::default());
        let shared = filled.shared;
        let counted = Arc::clone(&handler);
        let link = tokio::spawn(async move {
            poll_fn(|cx| match shared.poll_room(cx.waker()) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            counted.0.load(SeqCst)
        });
        // It waits.
        tokio::task::yield_now().await;
        let looping = tokio::spawn(run::<Bare, _, _>(
            handler,
            filled.loop_state,
            Arc::new(()),
            filled.context,
        ));
        let handled = link.await.unwrap();
        assert!(handled < 64, "{handled} of 64 messages were handled before");
        looping.abort();
    }

    /// tokio puts the woken link before all other tasks of the handler's thread.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_handler_goes_on_at_another_thread_while_the_link_that_it_has_woken_works() {
        let handler = Arc::new(Counts::default());
        let filled = Filled::with(64, handler.spec(), &Observation::default());
        let shared = filled.shared;
        let counted = Arc::clone(&handler);
        let (waits, waiting) = tokio::sync::oneshot::channel();
        let mut waits = Some(waits);
        let link = tokio::spawn(async move {
            poll_fn(|cx| {
                let has_room = shared.poll_room(cx.waker());
                waits.take().map(|waits| waits.send(()));
                if has_room {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            let begin = clock::monotonic();
            while counted.0.load(SeqCst) < 64
                && clock::monotonic() - begin < Duration::from_secs(10)
            {
                std::thread::yield_now();
            }
            counted.0.load(SeqCst)
        });
        waiting.await.unwrap();
        let looping = tokio::spawn(run::<Bare, _, _>(
            handler,
            filled.loop_state,
            Arc::new(()),
            filled.context,
        ));
        assert_eq!(link.await.unwrap(), 64);
        looping.abort();
    }
}
