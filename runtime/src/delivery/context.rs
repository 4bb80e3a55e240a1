use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::counters::{Counters, GapCounters};
use super::instruments::{Instruments, Observation};
use super::log_limits::{Limits, LogLimits};
use super::pause::PauseGate;
use super::sync_state::{SyncState, Unhandled};
use crate::broadcast::Known;
use crate::error::Fault;
use crate::failure::Failures;
use crate::handler::{OnError, Spec};
#[cfg(feature = "testing")]
use crate::probe::SharedProbe;
use crate::push::Extensions;
use crate::util::Mutex;

/// The parts of a mounted handler that its loop shares with the subscriber, the stats and the
/// health.
#[derive(Debug)]
pub(crate) struct HandlerContext {
    pub(crate) spec: Spec,
    /// The counters of the loop.
    pub(crate) counters: Counters,
    pub(crate) gaps: GapCounters,
    /// How often deliveries were repeated. Written by the loop and by all workers, which is rare.
    pub(crate) retries: AtomicU64,
    /// The counters of each worker task. Empty if the loop calls the handler directly.
    pub(crate) workers: Box<[Counters]>,
    /// The worker tasks of the current run of the loop.
    pub(crate) worker_tasks: Mutex<Vec<AbortHandle>>,
    pub(crate) gate: PauseGate,
    /// Which losses are handled.
    pub(crate) sync: SyncState,
    /// The queue for deliveries that failed.
    pub(crate) failures: Failures,
    pub(crate) log_limits: LogLimits,
    /// Values that accompany each push to the handler.
    pub(crate) extensions: Extensions,
    /// What is observed of each delivery.
    pub(crate) instruments: Option<Box<Instruments>>,
    /// What the test kit observes the handler with.
    #[cfg(feature = "testing")]
    pub(crate) probe: Option<SharedProbe>,
}

impl HandlerContext {
    /// `synced` is notified when a gap handler has succeeded or failed.
    pub(crate) fn new(
        spec: Spec,
        failures: Failures,
        extensions: Extensions,
        synced: Arc<Notify>,
    ) -> Self {
        let worker_tasks = match spec.workers {
            1 => 0,
            count => count,
        };
        let is_kept = spec.has_to_be_synced();
        Self {
            spec,
            counters: Counters::default(),
            gaps: GapCounters::default(),
            retries: AtomicU64::new(0),
            workers: (0..worker_tasks).map(|_| Counters::default()).collect(),
            worker_tasks: Mutex::default(),
            gate: PauseGate::default(),
            sync: SyncState::new(is_kept.then_some(synced)),
            failures,
            log_limits: LogLimits::default(),
            extensions,
            instruments: None,
            #[cfg(feature = "testing")]
            probe: None,
        }
    }

    /// Sets what is observed of each delivery.
    pub(crate) fn observed(mut self, observation: &Observation) -> Self {
        self.instruments = Instruments::new(observation, &self.spec, self.workers.len());
        self
    }

    /// Returns whether there is a gap handler.
    pub(crate) fn can_resync(&self) -> bool {
        self.spec.on_gap.is_some()
    }

    /// Requests a run of the gap handler before the next message. There must be one.
    pub(crate) fn request_resync(&self) {
        self.gate.request_resync();
        self.sync.notify();
    }

    /// Requests a resync after a delivery that did not succeed, if its error asks for one or the handler
    /// has `on_error = "resync"`. Returns the error, with a note if there is no gap handler to run.
    #[cold]
    #[inline(never)]
    pub(super) fn resync_after(&self, fault: Option<Fault>) -> Option<Fault> {
        let is_asked_for = fault.as_ref().is_some_and(Fault::requests_resync);
        if !is_asked_for && self.spec.on_error != OnError::Resync {
            return fault;
        }
        if !self.can_resync() {
            return fault.map(|fault| match is_asked_for {
                true => fault.without_gap_handler(),
                false => fault,
            });
        }
        self.request_resync();
        fault
    }

    /// Records that the gap handler has succeeded for this many requests.
    pub(super) fn serve(&self, requests: u64) {
        if requests > 0 {
            self.gate.served(requests);
            self.sync.notify();
        }
    }

    /// Returns what is not handled of these losses, and whether a requested resync is not.
    pub(crate) fn unhandled(&self, losses: Known) -> Unhandled {
        let Unhandled { gap, lag } = self.sync.unhandled(losses);
        let gap = gap || self.gate.requests() > 0;
        Unhandled { gap, lag }
    }

    pub(super) fn log_limits(&self) -> &Limits {
        self.log_limits.of(&self.spec)
    }

    /// Logs how many lines were suppressed since the last ones.
    pub(crate) fn flush_log(&self) {
        self.log_limits.flush();
    }

    /// Returns the counters of the loop, then those of each worker.
    pub(crate) fn all_counters(&self) -> impl Iterator<Item = &Counters> {
        std::iter::once(&self.counters).chain(&self.workers)
    }
}
