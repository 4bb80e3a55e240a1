use crate::error::Fault;

/// How one delivery ended, for the counters and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OutcomeKind {
    Handled,
    Failed,
    Panicked,
    TimedOut,
    Rejected,
    Unmatched,
    Skipped,
}

impl OutcomeKind {
    /// Returns the kind of a delivery that did not panic.
    #[inline]
    pub(crate) fn of(result: &Result<(), Fault>) -> Self {
        match result {
            Ok(()) => Self::Handled,
            Err(fault) => Self::of_fault(fault),
        }
    }

    pub(crate) fn of_fault(fault: &Fault) -> Self {
        match fault {
            Fault::Failed(_) => Self::Failed,
            Fault::Rejected(rejection) if rejection.is_unmatched() => Self::Unmatched,
            Fault::Rejected(rejection) if rejection.is_skip() => Self::Skipped,
            Fault::Rejected(_) => Self::Rejected,
        }
    }

    /// Returns whether the log and the failure hook are told of it.
    #[inline]
    pub(crate) fn is_failure(self) -> bool {
        !matches!(self, Self::Handled | Self::Unmatched | Self::Skipped)
    }

    /// Returns the name of the counter in `HandlerStats`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
            Self::Rejected => "rejected",
            Self::Unmatched => "unmatched",
            Self::Skipped => "skipped",
        }
    }
}
