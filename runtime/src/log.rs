use std::fmt;
use std::time::{Duration, Instant};

use crate::handler::Fault;
use crate::outcome::Outcome;
use crate::push::{Escaped, Push};
use crate::spec::Spec;

/// Lets one report through in a while, and counts the others: a flood of bad messages must not
/// become a flood of logs.
#[derive(Debug, Default)]
pub(crate) struct Limit {
    last: Option<Instant>,
    suppressed: u64,
}

impl Limit {
    const PAUSE: Duration = Duration::from_secs(1);

    /// Calls `report` with how many were suppressed before it, if it is time for one.
    pub(crate) fn report(&mut self, report: impl FnOnce(u64)) {
        if self.last.is_some_and(|last| last.elapsed() < Self::PAUSE) {
            self.suppressed += 1;
            return;
        }
        self.last = Some(Instant::now());
        report(std::mem::take(&mut self.suppressed));
    }
}

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
            Some(Fault::Failed(error)) => {
                write!(f, ": {error}")?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            }
        }
    }
}
