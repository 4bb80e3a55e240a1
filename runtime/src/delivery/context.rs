use super::counters::Counters;
use super::pause::PauseGate;
use crate::failure::Failures;
use crate::handler::Spec;
use crate::push::Extensions;

/// What a handler's loop shares with the stats.
#[derive(Debug)]
pub(crate) struct HandlerContext {
    pub(crate) spec: Spec,
    /// What the loop counts.
    pub(crate) counters: Counters,
    /// What each worker beside the loop counts; none where the loop delivers by itself.
    pub(crate) workers: Box<[Counters]>,
    pub(crate) gate: PauseGate,
    /// Where it leaves deliveries that did not end well.
    pub(crate) failures: Failures,
    /// What goes along with each of its pushes.
    pub(crate) extensions: Extensions,
}

impl HandlerContext {
    pub(crate) fn new(spec: Spec, failures: Failures, extensions: Extensions) -> Self {
        let beside = match spec.workers {
            1 => 0,
            count => count,
        };
        Self {
            spec,
            counters: Counters::default(),
            workers: (0..beside).map(|_| Counters::default()).collect(),
            gate: PauseGate::default(),
            failures,
            extensions,
        }
    }

    /// All of them.
    pub(crate) fn all_counters(&self) -> impl Iterator<Item = &Counters> {
        std::iter::once(&self.counters).chain(&self.workers)
    }
}
