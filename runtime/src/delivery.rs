//! The loop of one handler: from its receiver to the outcome of each delivery.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Release;
use std::task::Poll;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::batch::Batch;
use crate::gap::{Gap, GapCause};
use crate::handler::{Fault, Handler};
use crate::log::{Limit, Report};
use crate::mount::Lane;
use crate::outcome::{Outcome, add};
use crate::push::Push;
use crate::ring::{Item, Receiver};

/// Delivers to one handler until its ring is closed and empty.
pub(crate) async fn run<S, H>(handler: H, mut receiver: Receiver, state: Arc<S>, lane: Arc<Lane>)
where
    S: Send + Sync + 'static,
    H: Handler<S>,
{
    let mut worker = Worker {
        handler,
        state,
        lane,
        limit: Limit::default(),
    };
    while let Some(Item { gap, missed, batch }) = receiver.recv().await {
        let counters = &worker.lane.counters;
        add(&counters.dropped, missed);
        add(&counters.position, missed);
        if let Some(gap) = gap {
            worker.tell(&gap).await;
        }
        if let Some((batch, skip)) = batch {
            add(&worker.lane.counters.batches, 1);
            for index in skip..batch.len() {
                worker.deliver(&batch, index).await;
                tokio::task::consume_budget().await;
            }
            receiver.done(batch);
        }
    }
}

struct Worker<S, H> {
    handler: H,
    state: Arc<S>,
    lane: Arc<Lane>,
    limit: Limit,
}

impl<S: Send + Sync + 'static, H: Handler<S>> Worker<S, H> {
    async fn deliver(&mut self, batch: &Arc<Batch>, index: usize) {
        let counters = &self.lane.counters;
        let push = Push::new(batch, index, &self.lane.spec.subscriptions);
        add(&counters.position, 1);
        if !push.is_of_template() {
            return counters.record(Outcome::Unmatched);
        }
        counters.running.store(1, Release);
        let ended = caught(self.handler.handle(push, &self.state)).await;
        let outcome = match &ended {
            Some(result) => Outcome::of(result),
            None => Outcome::Panicked,
        };
        counters.running.store(0, Release);
        counters.record(outcome);
        if !matches!(outcome, Outcome::Handled | Outcome::Unmatched) {
            let fault = ended.and_then(Result::err);
            self.limit.report(|suppressed| {
                Report::new(&self.lane.spec, push, outcome, fault.as_ref()).log(suppressed);
            });
        }
    }

    /// Tells the handler of a gap until it has taken it: what it keeps up to date by its messages
    /// is wrong until then.
    async fn tell(&mut self, gap: &Gap) {
        let Lane { spec, counters } = &*self.lane;
        if gap.cause != GapCause::Initial {
            add(&counters.gaps, 1);
            tracing::warn!(target: "redis_push", handler = &*spec.name, %gap, "messages may be missing");
        }
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        loop {
            let problem = match caught(self.handler.handle_gap(gap, &self.state)).await {
                Some(Ok(())) => return,
                Some(Err(Fault::Rejected(rejection))) => rejection.to_string(),
                Some(Err(Fault::Failed(error))) => error.to_string(),
                None => "it panicked".to_owned(),
            };
            add(&counters.gap_failures, 1);
            let delay = backoff.next();
            tracing::error!(
                target: "redis_push", handler = &*spec.name,
                problem,
                ?delay,
                "the gap handler failed; no message is delivered before it succeeds"
            );
            tokio::time::sleep(delay).await;
        }
    }
}

/// Runs a future and catches its panic: `None` if it panicked.
async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // The future is not polled again after a panic. What the handler shares with others is
        // theirs to keep whole, as with a panic in any other task.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Some(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}
