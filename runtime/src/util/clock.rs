//! The clocks. Other modules read the time only here, so that one place decides which clock it is.

use std::time::SystemTime;

use tokio::time::Instant;

/// Reads the clock of the runtime's timers, which a test can pause.
#[inline]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Reads the monotonic clock of the system, which does not depend on the runtime: for everything that
/// must be noticed when the runtime stands still, and for threads outside of it.
#[inline]
pub(crate) fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

/// Reads the time of day, which users can compare with their data: for gaps.
#[inline]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
