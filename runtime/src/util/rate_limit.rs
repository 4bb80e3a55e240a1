use super::clock;
use std::time::{Duration, Instant};

/// Lets one report through in a while, and counts the others: a flood of bad messages must not
/// become a flood of logs.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    last: Option<Instant>,
    suppressed: u64,
}

impl RateLimit {
    const PAUSE: Duration = Duration::from_secs(1);

    /// Calls `report` with how many were suppressed before it, if it is time for one.
    pub(crate) fn report(&mut self, report: impl FnOnce(u64)) {
        if self
            .last
            .is_some_and(|last| clock::monotonic() - last < Self::PAUSE)
        {
            self.suppressed += 1;
            return;
        }
        self.last = Some(clock::monotonic());
        report(std::mem::take(&mut self.suppressed));
    }
}
