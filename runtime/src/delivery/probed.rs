//! What a handler's loop and its workers report to the probe of the test kit. Without the feature `testing`
//! these functions are empty; with it, and without a kit, each is one comparison.

use super::context::HandlerContext;
use crate::error::Fault;
use crate::gap::Gap;
use crate::handler::OutcomeKind;
use crate::push::Push;
use crate::util::PanicMessage;

#[cfg(feature = "testing")]
impl HandlerContext {
    /// Returns the error with which a delivery ends, instead of the handler's call.
    #[inline]
    pub(super) fn injected(&self, push: Push<'_>) -> Option<Fault> {
        let probe = self.probe.as_ref()?;
        probe.begins(self.subject(), push)
    }

    /// Reports how a delivery has ended, before the counters know it.
    #[inline]
    pub(super) fn observe(
        &self,
        push: Push<'_>,
        outcome: OutcomeKind,
        fault: Option<&Fault>,
        panic: &PanicMessage,
    ) {
        if let Some(probe) = &self.probe {
            let ending = observed::ending(outcome, fault, panic);
            probe.ends(self.subject(), push, ending);
        }
    }

    /// Reports a gap, after a run of the gap handler, and its problem if the run has failed.
    pub(super) fn observe_gap(&self, gap: &Gap, problem: Option<&str>) {
        if let Some(probe) = &self.probe {
            probe.reports_gap(self.subject(), gap, problem.map(str::to_owned));
        }
    }

    /// Reports that the counters have changed.
    #[inline]
    pub(super) fn notify_probe(&self) {
        if let Some(probe) = &self.probe {
            probe.changed();
        }
    }

    fn subject(&self) -> crate::probe::Subject<'_> {
        crate::probe::Subject {
            name: &self.spec.name,
            place: self.spec.place,
            on_gap: self.spec.on_gap.as_deref(),
        }
    }
}

#[cfg(feature = "testing")]
mod observed {
    use super::*;
    use crate::error::WithCauses;
    use crate::probe::Ending;

    #[cold]
    #[inline(never)]
    pub(crate) fn ending(
        outcome: OutcomeKind,
        fault: Option<&Fault>,
        panic: &PanicMessage,
    ) -> Ending {
        let reason = || fault.map_or_else(String::new, |fault| WithCauses(fault).to_string());
        match outcome {
            OutcomeKind::Handled => Ending::Handled,
            OutcomeKind::Failed => Ending::Failed(reason()),
            OutcomeKind::Rejected => Ending::Rejected(reason()),
            OutcomeKind::Panicked => {
                Ending::Panicked(panic.as_str().unwrap_or_default().to_owned())
            }
            OutcomeKind::TimedOut => Ending::TimedOut,
            OutcomeKind::Unmatched => Ending::Unmatched,
            OutcomeKind::Skipped => Ending::Skipped,
        }
    }
}

#[cfg(feature = "testing")]
pub(crate) use observed::ending;

#[cfg(not(feature = "testing"))]
impl HandlerContext {
    #[inline(always)]
    pub(super) fn injected(&self, _push: Push<'_>) -> Option<Fault> {
        None
    }

    #[inline(always)]
    pub(super) fn observe(
        &self,
        _push: Push<'_>,
        _outcome: OutcomeKind,
        _fault: Option<&Fault>,
        _panic: &PanicMessage,
    ) {
    }

    #[inline(always)]
    pub(super) fn observe_gap(&self, _gap: &Gap, _problem: Option<&str>) {}

    #[inline(always)]
    pub(super) fn notify_probe(&self) {}
}
