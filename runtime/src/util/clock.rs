//! The clocks. Other modules read the time only here, so that one place decides which clock it is.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The longest time that a setting can mean. Sums of such times do not overflow, and clocks can
/// represent the moment after one.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// The shortest time of a setting for which zero would mean a loop without a pause, or no attempt at
/// all.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

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
