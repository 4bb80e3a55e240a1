use std::fmt;

use crate::error::{Fault, WithCauses};
use crate::handler::{Outcome, Spec};
use crate::push::Push;
use crate::util::Escaped;

/// What is logged of a delivery that did not end well. The payload is the user's data and is not.
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
            Outcome::Panicked => "the handler panicked",
            Outcome::TimedOut => "the handler did not end in time",
            Outcome::Rejected => "the handler's arguments could not be taken",
            _ => "the handler failed",
        })?;
        match self.fault {
            None => Ok(()),
            // What stands behind a rejection, such as serde's own words, may quote the payload.
            Some(Fault::Rejected(rejection)) => write!(f, ": {rejection}"),
            Some(fault @ Fault::Failed(_)) => write!(f, ": {}", WithCauses(fault)),
        }
    }
}
