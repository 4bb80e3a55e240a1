use crate::error::Fault;

/// How one delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Handled,
    Failed,
    Panicked,
    TimedOut,
    Rejected,
    Unmatched,
}

impl Outcome {
    /// Returns the outcome of a delivery that did not panic.
    #[inline]
    pub(crate) fn of(result: &Result<(), Fault>) -> Self {
        match result {
            Ok(()) => Self::Handled,
            Err(Fault::Failed(_)) => Self::Failed,
            Err(Fault::Rejected(rejection)) if rejection.is_unmatched() => Self::Unmatched,
            Err(Fault::Rejected(_)) => Self::Rejected,
        }
    }
}
