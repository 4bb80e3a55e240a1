use std::time::{Duration, Instant};

use super::clock;

/// A limit of one report a second. The others are counted: a flood of bad messages must not become a
/// flood of logs.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    last: Option<Instant>,
    suppressed: u64,
}

impl RateLimit {
    const INTERVAL: Duration = Duration::from_secs(1);

    /// Calls `report` with the number of suppressed reports, unless the last report is less than a
    /// second ago: then the call is counted as suppressed.
    pub(crate) fn report(&mut self, report: impl FnOnce(u64)) {
        if self
            .last
            .is_some_and(|last| clock::monotonic() - last < Self::INTERVAL)
        {
            self.suppressed += 1;
            return;
        }
        self.last = Some(clock::monotonic());
        report(std::mem::take(&mut self.suppressed));
    }
}
