use std::fmt;

use super::outcome_kind::OutcomeKind;
use crate::error::{BoxError, Fault, Rejection};

/// How a delivery ended, as a [layer](crate::Layer) sees it and returns it.
///
/// It carries the error or the rejection, so that the log and the
/// [failure hook](crate::Subscriber::on_failure) receive it from whatever layer returns it. A panic and a
/// timeout are not among the outcomes: they end the layers too.
///
/// ```
/// use redis_push::Outcome;
///
/// let outcome = Outcome::failed("the database is away");
/// assert!(outcome.is_failed());
/// assert_eq!(outcome.as_str(), "failed");
/// assert_eq!(outcome.fault().unwrap().to_string(), "the database is away");
/// ```
#[must_use = "an outcome that is dropped hides how the delivery ended"]
pub struct Outcome(Result<(), Fault>);

impl Outcome {
    /// Creates the outcome of a delivery that succeeded.
    pub fn handled() -> Self {
        Self(Ok(()))
    }

    /// Creates the outcome of a delivery that a layer has skipped: it is counted `skipped`, and is not a failure.
    ///
    /// A gap cannot be skipped: see [`Layer`](crate::Layer).
    pub fn skipped() -> Self {
        Self(Err(Rejection::skip().into()))
    }

    /// Creates the outcome of a delivery that failed, as if the handler had returned the error.
    pub fn failed(error: impl Into<BoxError>) -> Self {
        Self(Err(Fault::failed(error)))
    }

    /// Returns whether the handler succeeded.
    #[must_use]
    pub fn is_handled(&self) -> bool {
        self.0.is_ok()
    }

    /// Returns whether the handler returned an error.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.kind() == OutcomeKind::Failed
    }

    /// Returns whether an argument could not be extracted; the handler's body did not run.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.kind() == OutcomeKind::Rejected
    }

    /// Returns whether an extractor has found that the push was not meant for this handler.
    #[must_use]
    pub fn is_unmatched(&self) -> bool {
        self.kind() == OutcomeKind::Unmatched
    }

    /// Returns whether a layer has skipped the delivery.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        self.kind() == OutcomeKind::Skipped
    }

    /// Returns the error or the rejection. `None` if the delivery was handled or skipped.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.0.as_ref().err().filter(|_| !self.is_skipped())
    }

    /// Returns the error or the rejection by value.
    #[must_use]
    pub fn into_fault(self) -> Option<Fault> {
        let is_skipped = self.is_skipped();
        self.0.err().filter(|_| !is_skipped)
    }

    /// Returns the name of the counter in [`HandlerStats`](crate::HandlerStats): `handled`, `failed`,
    /// `rejected`, `unmatched` or `skipped`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.kind().as_str()
    }

    /// Returns the result of the delivery, in which a skip is a rejection.
    pub(crate) fn into_result(self) -> Result<(), Fault> {
        self.0
    }

    fn kind(&self) -> OutcomeKind {
        OutcomeKind::of(&self.0)
    }
}

impl From<Result<(), Fault>> for Outcome {
    fn from(result: Result<(), Fault>) -> Self {
        Self(result)
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        Self(Err(fault))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self.fault() {
            Some(fault) => write!(f, ": {fault}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the `Debug` of the fault: the source of a rejection may quote the payload.
        write!(f, "Outcome({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_is_one_of_the_counters() {
        let rejected = Fault::from(Rejection::new("no number"));
        let unmatched = Fault::from(Rejection::unmatched("another tenant"));
        for (outcome, name, has_fault) in [
            (Outcome::handled(), "handled", false),
            (Outcome::skipped(), "skipped", false),
            (Outcome::failed("away"), "failed", true),
            (rejected.into(), "rejected", true),
            (unmatched.into(), "unmatched", true),
        ] {
            assert_eq!(outcome.as_str(), name);
            assert_eq!(outcome.fault().is_some(), has_fault, "{outcome}");
            let is = [
                outcome.is_handled(),
                outcome.is_skipped(),
                outcome.is_failed(),
                outcome.is_rejected(),
                outcome.is_unmatched(),
            ];
            assert_eq!(is.iter().filter(|is| **is).count(), 1, "{outcome}");
            assert_eq!(outcome.into_fault().is_some(), has_fault);
        }
    }

    #[test]
    fn neither_form_of_text_quotes_the_source_of_a_rejection() {
        let fault = Fault::from(Rejection::caused_by("not JSON", "the payload `secret`"));
        let outcome = Outcome::from(fault);
        assert_eq!(format!("{outcome}"), "rejected: not JSON");
        assert_eq!(format!("{outcome:?}"), "Outcome(rejected: not JSON)");
        assert_eq!(format!("{:?}", Outcome::skipped()), "Outcome(skipped)");
    }
}
