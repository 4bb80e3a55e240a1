use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use crate::util::{Timestamp, clock};

/// A time at which nothing was missing: everything that the server had published by then has
/// arrived, or is part of a gap that is reported already.
///
/// It is the time at which a command was sent whose reply has arrived in its place among the
/// pushes. What arrives after that reply was published after that time, however long it has waited
/// in the server, on a slow line or in a socket. So a gap that begins here is never too short,
/// while the time at which a push arrived may be much later than that of the first loss.
///
/// The dispatcher sets the fence, under its lock. All its broadcast channels read it when they open
/// a batch.
#[derive(Debug)]
pub(crate) struct Fence(
    /// Nanoseconds since the Unix epoch.
    AtomicU64,
);

impl Fence {
    /// Moves the fence.
    ///
    /// It may move backwards, because the clock of the system may have been set back.
    pub(crate) fn set(&self, time: SystemTime) {
        self.0.store(Timestamp::from(time).as_nanos(), Relaxed);
    }

    #[inline]
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.load(Relaxed))
    }
}

impl Default for Fence {
    /// Creates a fence at the current time.
    fn default() -> Self {
        let fence = Self(AtomicU64::new(0));
        fence.set(clock::wall());
        fence
    }
}
