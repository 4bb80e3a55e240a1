use std::time::{Duration, Instant};

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
