use crate::util::{Mutex, MutexGuard, clock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What the supervisor knows of its connection's life, for the health.
///
/// By the clock of the system, not of the runtime: a runtime that stands still is to be noticed.
#[derive(Debug, Default)]
pub(crate) struct Heartbeat(Mutex<Beat>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beat {
    /// The last sign of life on the connection of this moment; `None` without one.
    pub(crate) sign: Option<Instant>,
    /// When a `PING` was last answered, or the greeting.
    pub(crate) answered: Option<Instant>,
    /// How long the last answer to a `PING` took.
    pub(crate) rtt: Option<Duration>,
}

impl Heartbeat {
    /// Notes a connection, until the guard is dropped: also by a panic of the session.
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        let now = Some(clock::monotonic());
        let mut beats = self.lock();
        (beats.sign, beats.answered) = (now, now);
        Connected(Arc::clone(self))
    }

    pub(crate) fn answered(&self, rtt: Duration) {
        let now = Some(clock::monotonic());
        let mut beats = self.lock();
        (beats.sign, beats.answered) = (now, now);
        beats.rtt = Some(rtt);
    }

    /// Notes that pushes still come although an answer does not: it stands behind them.
    pub(crate) fn still_taking(&self) {
        self.lock().sign = Some(clock::monotonic());
    }

    pub(crate) fn read(&self) -> Beat {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Beat> {
        self.0.lock()
    }
}

/// Says that there is a connection, for as long as there is.
pub(crate) struct Connected(Arc<Heartbeat>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.lock().sign = None;
    }
}

/// Says when a task was last seen to run.
#[derive(Debug)]
pub(crate) struct LastSeen {
    epoch: Instant,
    /// Milliseconds after the epoch.
    last: AtomicU64,
}

impl LastSeen {
    const PAUSE: Duration = Duration::from_secs(1);

    pub(crate) fn new() -> Self {
        Self {
            epoch: clock::monotonic(),
            last: AtomicU64::new(0),
        }
    }

    pub(crate) fn touch(&self) {
        let millis =
            u64::try_from((clock::monotonic() - self.epoch).as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Relaxed);
    }

    /// Ticks beside what the task does, for as long as that is polled.
    pub(crate) async fn keep_touching(&self) -> ! {
        loop {
            self.touch();
            tokio::time::sleep(Self::PAUSE).await;
        }
    }

    pub(crate) fn ago(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Relaxed));
        (clock::monotonic() - self.epoch).saturating_sub(last)
    }
}
