//! The limits of a handler's log lines.

use std::sync::OnceLock;

use crate::failure::{ReportLimits, UNMATCHED};
use crate::handler::Spec;
use crate::util::RateLimit;

/// The limits of a handler. Most handlers log nothing, so they are made for the first line.
#[derive(Debug, Default)]
pub(crate) struct LogLimits(OnceLock<Box<Limits>>);

#[derive(Debug)]
pub(super) struct Limits {
    /// Of the lines about failed deliveries.
    pub(super) reports: ReportLimits,
    /// Of the lines about gaps, if the handler is slow.
    pub(super) lags: RateLimit,
    /// Of the lines about channels that no template matches.
    pub(super) unmatched: RateLimit,
}

impl LogLimits {
    /// Returns the limits of the handler with this spec.
    pub(super) fn of(&self, spec: &Spec) -> &Limits {
        self.0.get_or_init(|| {
            Box::new(Limits {
                reports: ReportLimits::new(spec),
                lags: RateLimit::new(spec.name.clone(), "messages may be missing"),
                unmatched: RateLimit::new(spec.name.clone(), UNMATCHED),
            })
        })
    }

    /// Logs how many lines were suppressed since the last ones.
    pub(super) fn flush(&self) {
        if let Some(limits) = self.0.get() {
            limits.reports.flush();
            limits.lags.flush();
            limits.unmatched.flush();
        }
    }
}
