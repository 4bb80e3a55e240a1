//! What a subscriber may observe of deliveries: their times, and a span for each.

use std::sync::Arc;
use std::time::Duration;

use super::context::HandlerContext;
use super::timings::HandlerTimings;
use super::worker::Worker;
use crate::failure::Report;
use crate::gap::Gap;
use crate::handler::{Handler, OutcomeKind, Spec};
use crate::push::{Batch, Push};
use crate::telemetry::{OpenSpan, Process, Spans, Timings};
use crate::util::Backoff;

/// The settings of a subscriber for its handlers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observation {
    pub(crate) timings: Option<Timings>,
    pub(crate) spans: Option<Spans>,
}

/// The instruments of a handler. Most have none.
#[derive(Debug, Default)]
pub(crate) struct Instruments {
    pub(super) timings: Option<HandlerTimings>,
    spans: Option<(Spans, Process)>,
}

impl Instruments {
    pub(super) fn new(of: &Observation, spec: &Spec, workers: usize) -> Option<Box<Self>> {
        let Observation { timings, spans } = of;
        if timings.is_none() && spans.is_none() {
            return None;
        }
        let timings = timings.as_ref();
        let process = || Process::new(&spec.name, spec.listens_to());
        Some(Box::new(Self {
            timings: timings.map(|setting| HandlerTimings::new(setting, workers)),
            spans: spans.clone().map(|spans| (spans, process())),
        }))
    }
}

impl HandlerContext {
    /// Whether each delivery has a span, for which the loop of the handler is another one.
    pub(crate) fn has_spans(&self) -> bool {
        let instruments = self.instruments.as_ref();
        instruments.is_some_and(|instruments| instruments.spans.is_some())
    }

    pub(super) fn timings(&self) -> Option<&HandlerTimings> {
        self.instruments.as_ref()?.timings.as_ref()
    }

    fn open_span(&self, push: Push<'_>) -> Option<OpenSpan> {
        let (spans, process) = self.instruments.as_ref()?.spans.as_ref()?;
        Some(spans.process(process, push.channel(), push.payload()))
    }

    /// Opens the span of a run of the gap handler. Where there is none, a gap has no span.
    fn open_gap_span(&self, gap: &Gap) -> Option<OpenSpan> {
        if !self.can_resync() {
            return None;
        }
        let (spans, process) = self.instruments.as_ref()?.spans.as_ref()?;
        Some(spans.resync(process, gap.cause, gap.missed))
    }

    /// Records the failure of a run of the gap handler in its span, which is the current one.
    pub(super) fn fail_gap_span(&self, outcome: OutcomeKind, problem: &str) {
        if self.has_spans() {
            OpenSpan::current().fail(outcome.as_str(), problem);
        }
    }

    /// Records a failure in the span of the delivery, which is the current one.
    pub(super) fn fail_span(&self, outcome: OutcomeKind, report: &Report<'_>) {
        if self.has_spans() {
            OpenSpan::current().fail(outcome.as_str(), report);
        }
    }
}

/// What surrounds each delivery and each gap of a loop. It is known when the loop is compiled, so that a loop without spans
/// contains nothing of them.
pub(crate) trait Surroundings: Send + Sync + 'static {
    fn deliver<S: Send + Sync + 'static, H: Handler<S>>(
        worker: &mut Worker<S, H, Self>,
        batch: &Arc<Batch>,
        index: usize,
    ) -> impl Future<Output = ()> + Send
    where
        Self: Sized;

    /// Runs the gap handler once. Returns after which time it is to run again, if it has failed.
    fn tell<S: Send + Sync + 'static, H: Handler<S>>(
        worker: &Worker<S, H, Self>,
        gap: &Gap,
        backoff: &mut Backoff,
    ) -> impl Future<Output = Option<Duration>> + Send
    where
        Self: Sized;
}

/// No surroundings.
pub(crate) enum Bare {}

impl Surroundings for Bare {
    #[inline]
    fn deliver<S: Send + Sync + 'static, H: Handler<S>>(
        worker: &mut Worker<S, H, Self>,
        batch: &Arc<Batch>,
        index: usize,
    ) -> impl Future<Output = ()> + Send {
        worker.deliver_one(batch, index)
    }

    fn tell<S: Send + Sync + 'static, H: Handler<S>>(
        worker: &Worker<S, H, Self>,
        gap: &Gap,
        backoff: &mut Backoff,
    ) -> impl Future<Output = Option<Duration>> + Send {
        worker.tell_once(gap, backoff)
    }
}

/// A span around each delivery, and around each run of the gap handler.
pub(crate) enum InSpan {}

impl Surroundings for InSpan {
    async fn deliver<S: Send + Sync + 'static, H: Handler<S>>(
        worker: &mut Worker<S, H, Self>,
        batch: &Arc<Batch>,
        index: usize,
    ) {
        let push = Push::new(batch, index, &worker.context.spec.subscriptions);
        // The handler does not get it.
        let span = push
            .is_of_template()
            .then(|| worker.context.open_span(push));
        let delivery = worker.deliver_one(batch, index);
        match span.flatten() {
            Some(span) => span.around(delivery).await,
            None => delivery.await,
        }
    }
    async fn tell<S: Send + Sync + 'static, H: Handler<S>>(
        worker: &Worker<S, H, Self>,
        gap: &Gap,
        backoff: &mut Backoff,
    ) -> Option<Duration> {
        let told = worker.tell_once(gap, backoff);
        match worker.context.open_gap_span(gap) {
            Some(span) => span.around(told).await,
            None => told.await,
        }
    }
}
