use crate::util::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What the supervisor knows of its connection's life, for the health.
///
/// By the clock of the system, not of the runtime: a runtime that stands still is to be noticed.
#[derive(Debug, Default)]
pub(crate) struct Pulse(Mutex<Beats>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beats {
    /// The last sign of life on the connection of this moment; `None` without one.
    pub(crate) sign: Option<Instant>,
    /// When a `PING` was last answered, or the greeting.
    pub(crate) answered: Option<Instant>,
    /// How long the last answer to a `PING` took.
    pub(crate) rtt: Option<Duration>,
}

impl Pulse {
    pub(crate) fn connected(&self) {
        let now = Some(Instant::now());
        let mut beats = self.lock();
        (beats.sign, beats.answered) = (now, now);
    }

    pub(crate) fn disconnected(&self) {
        self.lock().sign = None;
    }

    pub(crate) fn answered(&self, rtt: Duration) {
        let now = Some(Instant::now());
        let mut beats = self.lock();
        (beats.sign, beats.answered) = (now, now);
        beats.rtt = Some(rtt);
    }

    /// Notes that pushes still come although an answer does not: it stands behind them.
    pub(crate) fn still_taking(&self) {
        self.lock().sign = Some(Instant::now());
    }

    pub(crate) fn read(&self) -> Beats {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Beats> {
        self.0.lock()
    }
}

/// Says when a task was last seen to run.
#[derive(Debug)]
pub(crate) struct Tick {
    epoch: Instant,
    /// Milliseconds after the epoch.
    last: AtomicU64,
}

impl Tick {
    const PAUSE: Duration = Duration::from_secs(1);

    pub(crate) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    pub(crate) fn touch(&self) {
        let millis = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Relaxed);
    }

    /// Ticks beside what the task does, for as long as that is polled.
    pub(crate) async fn keep_ticking(&self) -> ! {
        loop {
            self.touch();
            tokio::time::sleep(Self::PAUSE).await;
        }
    }

    pub(crate) fn ago(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Relaxed));
        self.epoch.elapsed().saturating_sub(last)
    }
}
