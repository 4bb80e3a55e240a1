//! What the health reads about the session: the signs of life of its connection, and when its task
//! last ran.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::util::{Mutex, MutexGuard, clock};

/// The signs of life of the session's connection.
///
/// Measured with the clock of the system, not of the runtime: a runtime that stands still must be
/// noticed.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat(Mutex<Beat>);

/// The content of a [`Heartbeat`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beat {
    /// The last sign of life on the current connection; `None` without a connection.
    pub(crate) sign: Option<Instant>,
    /// When a `PING`, or the greeting of a connection, was last answered.
    pub(crate) answered: Option<Instant>,
    /// How long the last answer to a `PING` took.
    pub(crate) rtt: Option<Duration>,
}

impl Beat {
    /// Returns the older signs of life, and the longer time of an answer.
    pub(super) fn and(self, other: Self) -> Self {
        // `None` is less than any other, and means that there is none of one of them.
        Self {
            sign: self.sign.min(other.sign),
            answered: self.answered.min(other.answered),
            rtt: self.rtt.max(other.rtt),
        }
    }
}

impl Heartbeat {
    /// Records a connection until the guard is dropped, which also happens if the session panics.
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        let now = Some(clock::monotonic());
        let mut beat = self.lock();
        (beat.sign, beat.answered) = (now, now);
        Connected(Arc::clone(self))
    }

    /// Records the answer to a `PING`.
    pub(crate) fn answered(&self, rtt: Duration) {
        let now = Some(clock::monotonic());
        let mut beat = self.lock();
        (beat.sign, beat.answered) = (now, now);
        beat.rtt = Some(rtt);
    }

    /// Records that pushes still arrive while a `PING` is not answered: its answer comes after them.
    pub(crate) fn pushes_arrive(&self) {
        self.lock().sign = Some(clock::monotonic());
    }

    /// Returns a copy of the content.
    pub(crate) fn read(&self) -> Beat {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Beat> {
        self.0.lock()
    }
}

/// A guard that exists while there is a connection.
pub(crate) struct Connected(Arc<Heartbeat>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.lock().sign = None;
    }
}

/// The time at which a task last ran.
#[derive(Debug)]
pub(crate) struct LastSeen {
    created: Instant,
    /// Milliseconds after `created`.
    last: AtomicU64,
}

impl LastSeen {
    const INTERVAL: Duration = Duration::from_secs(1);

    pub(crate) fn new() -> Self {
        Self {
            created: clock::monotonic(),
            last: AtomicU64::new(0),
        }
    }

    /// Records that the task runs now.
    pub(crate) fn touch(&self) {
        let elapsed = clock::monotonic() - self.created;
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Relaxed);
    }

    /// Touches this every second while it is polled, next to the task's own work.
    pub(crate) async fn keep_touching(&self) -> ! {
        loop {
            self.touch();
            tokio::time::sleep(Self::INTERVAL).await;
        }
    }

    /// Returns how long ago the task last ran.
    pub(crate) fn ago(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Relaxed));
        (clock::monotonic() - self.created).saturating_sub(last)
    }
}
