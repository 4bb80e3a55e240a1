use super::counters::Counters;
use super::pause::Gate;
use crate::failure::Failures;
use crate::handler::Spec;
use crate::publish::Publisher;

/// What a handler's loop shares with the stats.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) spec: Spec,
    /// What the loop counts.
    pub(crate) counters: Counters,
    /// What each worker beside the loop counts; none where the loop delivers by itself.
    pub(crate) workers: Box<[Counters]>,
    pub(crate) gate: Gate,
    /// Where it leaves deliveries that did not end well.
    pub(crate) failures: Failures,
    /// What publishes for it.
    pub(crate) publisher: Option<Publisher>,
}

impl Lane {
    pub(crate) fn new(spec: Spec, failures: Failures, publisher: Option<Publisher>) -> Self {
        let beside = match spec.workers {
            1 => 0,
            count => count,
        };
        Self {
            spec,
            counters: Counters::default(),
            workers: (0..beside).map(|_| Counters::default()).collect(),
            gate: Gate::default(),
            failures,
            publisher,
        }
    }

    /// All of them.
    pub(crate) fn all_counters(&self) -> impl Iterator<Item = &Counters> {
        std::iter::once(&self.counters).chain(&self.workers)
    }
}
