//! Every look at a clock, so that one place decides which clock that is.

use std::time::SystemTime;

use tokio::time::Instant;

/// The clock of the runtime's timers, which a test can pause.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The monotonic clock of the system, whatever the runtime does: for what must be noticed when the
/// runtime stands still, and for threads outside of it.
#[inline]
pub(crate) fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

/// The time of day, which is what users can compare with their data: for gaps.
#[inline]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
