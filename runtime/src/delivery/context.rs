use super::counters::Counters;
use super::pause::PauseGate;
use crate::failure::Failures;
use crate::handler::Spec;
use crate::push::Extensions;

/// The parts of a mounted handler that its loop shares with the subscriber, the stats and the
/// health.
#[derive(Debug)]
pub(crate) struct HandlerContext {
    pub(crate) spec: Spec,
    /// The counters of the loop.
    pub(crate) counters: Counters,
    /// The counters of each worker task. Empty if the loop calls the handler directly.
    pub(crate) workers: Box<[Counters]>,
    pub(crate) gate: PauseGate,
    /// The queue for deliveries that failed.
    pub(crate) failures: Failures,
    /// Values that accompany each push to the handler.
    pub(crate) extensions: Extensions,
}

impl HandlerContext {
    pub(crate) fn new(spec: Spec, failures: Failures, extensions: Extensions) -> Self {
        let worker_tasks = match spec.workers {
            1 => 0,
            count => count,
        };
        Self {
            spec,
            counters: Counters::default(),
            workers: (0..worker_tasks).map(|_| Counters::default()).collect(),
            gate: PauseGate::default(),
            failures,
            extensions,
        }
    }

    /// Returns the counters of the loop, then those of each worker.
    pub(crate) fn all_counters(&self) -> impl Iterator<Item = &Counters> {
        std::iter::once(&self.counters).chain(&self.workers)
    }
}
