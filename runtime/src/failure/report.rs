use std::fmt;

use crate::error::{Fault, WithCauses};
use crate::handler::{Outcome, Spec};
use crate::push::Push;
use crate::util::Escaped;

/// The log entry of a delivery that failed. It does not contain the payload, which is the user's
/// data.
pub(crate) struct Report<'a> {
    spec: &'a Spec,
    push: Push<'a>,
    outcome: Outcome,
    fault: Option<&'a Fault>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        spec: &'a Spec,
        push: Push<'a>,
        outcome: Outcome,
        fault: Option<&'a Fault>,
    ) -> Self {
        Self {
            spec,
            push,
            outcome,
            fault,
        }
    }

    pub(crate) fn log(&self, suppressed: u64) {
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
            Outcome::Panicked => "handler panicked",
            Outcome::TimedOut => "handler timed out",
            Outcome::Rejected => "handler argument rejected",
            _ => "handler failed",
        })?;
        match self.fault {
            None => Ok(()),
            // The source of a rejection, such as an error of serde, may quote the payload.
            Some(Fault::Rejected(rejection)) => write!(f, ": {rejection}"),
            Some(fault @ Fault::Failed(_)) => write!(f, ": {}", WithCauses(fault)),
        }
    }
}
