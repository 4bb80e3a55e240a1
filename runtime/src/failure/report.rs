use std::fmt;

use crate::error::{Fault, WithCauses};
use crate::handler::{OutcomeKind, Spec};
use crate::push::Push;
use crate::util::{Escaped, PanicMessage, RateLimit};

/// The log entry of a delivery that failed. It does not contain the payload, which is the user's
/// data.
pub(crate) struct Report<'a> {
    spec: &'a Spec,
    push: Push<'a>,
    outcome: OutcomeKind,
    fault: Option<&'a Fault>,
    panic: &'a PanicMessage,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        spec: &'a Spec,
        push: Push<'a>,
        outcome: OutcomeKind,
        fault: Option<&'a Fault>,
        panic: &'a PanicMessage,
    ) -> Self {
        Self {
            spec,
            push,
            outcome,
            fault,
            panic,
        }
    }

    fn log(&self, suppressed: u64) {
        tracing::warn!(
            target: "redis_push", handler = &*self.spec.name,
            channel = %Escaped(self.push.channel()),
            bytes = self.push.payload().len(),
            outcome = ?self.outcome,
            suppressed,
            "{self}"
        );
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.outcome {
            OutcomeKind::Panicked => PANICKED,
            OutcomeKind::TimedOut => TIMED_OUT,
            OutcomeKind::Rejected => REJECTED,
            _ => FAILED,
        })?;
        match self.fault {
            None => match self.panic.as_str() {
                Some(text) => write!(f, ": {text}"),
                None => Ok(()),
            },
            // The source of a rejection, such as an error of serde, may quote the payload.
            Some(Fault::Rejected(rejection)) => write!(f, ": {rejection}"),
            Some(fault @ Fault::Failed(_)) => write!(f, ": {}", WithCauses(fault)),
        }
    }
}

const REJECTED: &str = "handler argument rejected";
const FAILED: &str = "handler failed";
const PANICKED: &str = "handler panicked";
const TIMED_OUT: &str = "handler timed out";

pub(crate) const UNMATCHED: &str = "channel not matched by the template";
/// What to do about it.
pub(crate) const UNMATCHED_HINT: &str =
    "a param ends at `.`, `:` and `/`; one with a star, such as `{name*}`, takes the rest";

/// Logs a push whose channel the glob matches and the template does not.
pub(crate) fn log_unmatched(spec: &Spec, push: Push<'_>, suppressed: u64) {
    let subscription = push.subscription();
    tracing::warn!(
        target: "redis_push", handler = &*spec.name,
        channel = %Escaped(push.channel()),
        %subscription,
        suppressed,
        "{UNMATCHED}: {UNMATCHED_HINT}"
    );
}

/// The rate limits of the log lines about one handler's failed deliveries. There is one for each
/// outcome, so that a flood of one does not hide the other.
#[derive(Debug)]
pub(crate) struct ReportLimits {
    rejected: RateLimit,
    failed: RateLimit,
    panicked: RateLimit,
    timed_out: RateLimit,
}

impl ReportLimits {
    pub(crate) fn new(spec: &Spec) -> Self {
        let limit = |event| RateLimit::new(spec.name.clone(), event);
        Self {
            rejected: limit(REJECTED),
            failed: limit(FAILED),
            panicked: limit(PANICKED),
            timed_out: limit(TIMED_OUT),
        }
    }

    /// Logs a report, unless one with the same outcome was logged less than a second ago.
    pub(crate) fn log(&self, report: &Report<'_>) {
        let limit = match report.outcome {
            OutcomeKind::Rejected => &self.rejected,
            OutcomeKind::Failed => &self.failed,
            OutcomeKind::Panicked => &self.panicked,
            OutcomeKind::TimedOut => &self.timed_out,
            OutcomeKind::Handled | OutcomeKind::Unmatched | OutcomeKind::Skipped => return,
        };
        limit.report(|suppressed| report.log(suppressed));
    }

    /// Logs how many reports were not logged since the last one of each outcome.
    pub(crate) fn flush(&self) {
        for limit in [
            &self.rejected,
            &self.failed,
            &self.panicked,
            &self.timed_out,
        ] {
            limit.flush();
        }
    }
}
