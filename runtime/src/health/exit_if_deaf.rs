use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Health;
use super::monitor::HealthMonitor;
use crate::error::{Error, Result};
use crate::util::clock;

/// The exit code: `EX_UNAVAILABLE` of BSD's `sysexits.h`, "a service is unavailable".
pub(crate) const EXIT_CODE: i32 = 69;

/// Ends the process when the subscriber has not been both live and ready for too long. Dropping this
/// ends the watch.
///
/// The watch runs on its own thread: a runtime whose threads are all blocked runs no task, so a task
/// could not notice that.
#[derive(Debug)]
pub(crate) struct DeafWatch {
    _alive: mpsc::Sender<()>,
}

impl DeafWatch {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot start a thread.
    pub(crate) fn begin(monitor: &Arc<HealthMonitor>, after: Duration) -> Result<Self> {
        let (alive, ended) = mpsc::channel();
        let monitor = Arc::downgrade(monitor);
        std::thread::Builder::new()
            .name("redis-push deaf".to_owned())
            .spawn(move || watch(&monitor, after, &ended))
            .map_err(|error| {
                let text = format!("cannot start the thread of `exit_if_deaf`: {error}");
                Error::config(text).caused_by(error)
            })?;
        Ok(Self { _alive: alive })
    }
}

fn watch(monitor: &Weak<HealthMonitor>, after: Duration, ended: &mpsc::Receiver<()>) {
    let pause = (after / 20).clamp(Duration::from_millis(10), Duration::from_secs(1));
    let mut deaf_since = None;
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) {
        let Some(monitor) = monitor.upgrade() else {
            return;
        };
        let health = monitor.health();
        if monitor.is_shutting_down() {
            return;
        }
        if health.is_live() && health.is_ready() {
            deaf_since = None;
            continue;
        }
        let since = *deaf_since.get_or_insert_with(clock::monotonic);
        if clock::monotonic() - since >= after {
            exit(&health, clock::monotonic() - since);
        }
    }
}

fn exit(health: &Health, lasted: Duration) -> ! {
    let code = EXIT_CODE;
    tracing::error!(
        target: "redis_push", %health, ?lasted, code,
        "subscriber deaf for too long; exiting"
    );
    if !tracing::dispatcher::has_been_set() {
        // No `tracing` subscriber is set, and a process that exits must say why.
        eprintln!("redis_push: deaf for {lasted:.1?}, exiting with {code}: {health}");
    }
    std::process::exit(code)
}
