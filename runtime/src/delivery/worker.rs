use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Release;
use std::time::Duration;

use super::attended::Attended;
use super::context::HandlerContext;
use super::counters::add;
use super::executor::Executor;
use super::instruments::Surroundings;
use crate::error::Fault;
use crate::error::WithCauses;
use crate::failure::{Report, log_unmatched};
use crate::gap::{Gap, GapCause};
use crate::handler::{Handler, OutcomeKind};
use crate::push::{Batch, Push};
use crate::util::{Backoff, Ended, PanicMessage, attempt, attempt_within, runs_without_panic};

/// Runs a handler for one push after another, and counts the outcome of each delivery.
pub(crate) struct Worker<S, H, A> {
    handler: Arc<H>,
    state: Arc<S>,
    pub(crate) context: Arc<HandlerContext>,
    /// The index of the worker task; `None` for the handler's loop.
    number: Option<u16>,
    /// How often the delivery under way was repeated. Here, where there is room beside the index.
    retried: u32,
    /// The timeout and the time of deliveries.
    attended: Option<Box<Attended>>,
    around: PhantomData<A>,
}

impl<S: Send + Sync + 'static, H: Handler<S>, A: Surroundings> Worker<S, H, A> {
    pub(crate) fn new(handler: Arc<H>, state: Arc<S>, context: Arc<HandlerContext>) -> Self {
        Self {
            handler,
            state,
            attended: Attended::new(&context),
            context,
            number: None,
            retried: 0,
            around: PhantomData,
        }
    }

    /// Returns a worker for the same handler, with the counters of the worker task `number`.
    pub(crate) fn numbered(&self, number: u16) -> Self {
        let (handler, state) = (Arc::clone(&self.handler), Arc::clone(&self.state));
        Self {
            number: Some(number),
            ..Self::new(handler, state, Arc::clone(&self.context))
        }
    }

    /// Delivers a push, in the surroundings that this loop has.
    #[inline]
    pub(crate) fn handle(
        &mut self,
        batch: &Arc<Batch>,
        index: usize,
    ) -> impl Future<Output = ()> + Send {
        A::deliver(self, batch, index)
    }

    #[inline]
    pub(super) async fn deliver_one(&mut self, batch: &Arc<Batch>, index: usize) {
        let Self {
            handler,
            state,
            context,
            number,
            retried,
            attended,
            around: _,
        } = self;
        let spec = &context.spec;
        let counters = match *number {
            None => &context.counters,
            Some(number) => &context.workers[usize::from(number)],
        };
        let push = Push::new(batch, index, &spec.subscriptions).to_handler(&context.extensions);
        add(&counters.position, 1);
        if !push.is_of_template() {
            context.observe(push, OutcomeKind::Unmatched, None, &PanicMessage::default());
            counters.record(OutcomeKind::Unmatched);
            if let Some(attended) = attended {
                attended.wait();
            }
            return context.log_unmatched(push);
        }
        counters.running.store(1, Release);
        *retried = 0;
        let ended = loop {
            // The slot ends here, so that the wait for a repetition needs no room of its own.
            let ended = if let Some(fault) = context.injected(push) {
                Ended::Returned(Err(fault))
            } else {
                let slot = pin!(None);
                let make = || handler.handle(push, state);
                match attended {
                    None => attempt(slot, make).await,
                    Some(attended) => {
                        let ended = match attended.begin(*retried == 0) {
                            None => attempt(slot, make).await,
                            Some((limit, timer)) => {
                                attempt_within(Some(limit), timer, slot, make).await
                            }
                        };
                        if matches!(ended, Ended::Returned(Ok(()))) {
                            let is_followed = number.is_none() && index + 1 < batch.len();
                            attended.end(context, *number, is_followed);
                        }
                        ended
                    }
                }
            };
            if matches!(ended, Ended::Returned(Ok(()))) {
                context.observe(push, OutcomeKind::Handled, None, &PanicMessage::default());
                return counters.end(OutcomeKind::Handled);
            }
            if spec.retry.is_none() {
                break ended;
            }
            match context.before_retry(ended, *retried).await {
                Ok(()) => *retried += 1,
                Err(ended) => break ended,
            }
        };
        if let Some(attended) = attended {
            attended.end(context, *number, false);
        }
        let outcome = match &ended {
            Ended::Returned(result) => OutcomeKind::of(result),
            Ended::Panicked(_) => OutcomeKind::Panicked,
            Ended::TimedOut => OutcomeKind::TimedOut,
        };
        if !outcome.is_failure() {
            context.observe(push, outcome, None, &PanicMessage::default());
            return counters.end(outcome);
        }
        let (fault, panic) = match ended {
            Ended::Returned(result) => (result.err(), PanicMessage::default()),
            Ended::Panicked(message) => (None, message),
            Ended::TimedOut => (None, PanicMessage::default()),
        };
        // Before the delivery counts as ended: what it requests is then due.
        let fault = context.resync_after(fault);
        context.observe(push, outcome, fault.as_ref(), &panic);
        counters.end(outcome);
        context.report_failure(push, outcome, fault, panic);
    }

    /// Counts a delivery that ended in a panic outside of the handler.
    pub(crate) fn record_panic(&self) {
        if let Some(number) = self.number {
            let counters = &self.context.workers[usize::from(number)];
            if counters.running.swap(0, Release) > 0 {
                self.context.resync_after(None);
                counters.record(OutcomeKind::Panicked);
            }
        }
    }

    /// Reports a gap to the handler until the gap handler succeeds: data that the handler keeps up
    /// to date from its messages is wrong until then.
    async fn report_gap(&mut self, gap: &Gap) {
        let telling = &self.context.counters.telling;
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        // Stays set until the gap handler succeeds: one that keeps failing blocks the messages just
        // like one that hangs, so it counts as stalled too.
        telling.store(1, Release);
        while let Some(delay) = A::tell(self, gap, &mut backoff).await {
            // After a shutdown that did not wait for this call.
            if self.context.gate.is_over() {
                return;
            }
            tokio::time::sleep(delay).await;
        }
        telling.store(0, Release);
    }

    /// Runs the gap handler once. Returns after which time it is to run again, if it has failed.
    pub(super) async fn tell_once(&self, gap: &Gap, backoff: &mut Backoff) -> Option<Duration> {
        let HandlerContext {
            spec,
            counters,
            failures,
            ..
        } = &*self.context;
        // A request from here on needs another run.
        let requests = match gap.cause {
            GapCause::Initial | GapCause::Requested => self.context.gate.requests(),
            _ => 0,
        };
        let make = || self.handler.handle_gap(gap, &self.state);
        let (outcome, problem) = match attempt(pin!(None), make).await {
            Ended::Returned(Ok(())) => {
                self.context.observe_gap(gap, None);
                self.context.sync.succeeded();
                self.context.serve(requests);
                return None;
            }
            Ended::Returned(Err(fault)) => {
                let text = WithCauses(&fault).to_string();
                let panic = PanicMessage::default();
                runs_without_panic(|| failures.report_gap(spec, gap, Some(fault), panic));
                (OutcomeKind::Failed, text)
            }
            Ended::Panicked(message) => {
                let text = message.to_string();
                failures.report_gap(spec, gap, None, message);
                (OutcomeKind::Panicked, text)
            }
            Ended::TimedOut => unreachable!("a gap handler has no timeout"),
        };
        add(&counters.gap_failures, 1);
        self.context.observe_gap(gap, Some(&problem));
        self.context.fail_gap_span(outcome, &problem);
        self.context.sync.failed(problem.clone());
        let delay = backoff.next();
        runs_without_panic(|| {
            tracing::error!(
                target: "redis_push", handler = &*spec.name,
                problem,
                ?delay,
                "gap handler failed; no message is delivered until it succeeds"
            );
        });
        Some(delay)
    }
}

/// What is rare is not inlined into the loop.
impl HandlerContext {
    #[cold]
    #[inline(never)]
    fn log_unmatched(&self, push: Push<'_>) {
        let limits = self.log_limits();
        limits
            .unmatched
            .report(|suppressed| log_unmatched(&self.spec, push, suppressed));
    }

    #[cold]
    #[inline(never)]
    fn report_failure(
        &self,
        push: Push<'_>,
        outcome: OutcomeKind,
        fault: Option<Fault>,
        panic: PanicMessage,
    ) {
        let spec = &self.spec;
        let report = Report::new(spec, push, outcome, fault.as_ref(), &panic);
        self.fail_span(outcome, &report);
        self.log_limits().reports.log(&report);
        // The fault is dropped if the queue is full.
        runs_without_panic(|| self.failures.report(spec, push, outcome, fault, panic));
    }
}

/// Without worker tasks, the handler's loop is its only worker.
impl<S: Send + Sync + 'static, H: Handler<S>, A: Surroundings> Executor for Worker<S, H, A> {
    fn context(&self) -> &HandlerContext {
        &self.context
    }

    #[inline]
    async fn deliver(&mut self, batch: &Arc<Batch>, index: usize) -> bool {
        self.handle(batch, index).await;
        self.context.notify_probe();
        true
    }

    async fn report(&mut self, gap: &Gap) {
        self.report_gap(gap).await;
        self.context.notify_probe();
    }

    async fn wait_until_idle(&mut self) -> bool {
        true
    }

    async fn wait_until_none_runs(&mut self) {}

    fn wait(&mut self) {
        if let Some(attended) = &mut self.attended {
            attended.wait();
        }
    }
}
