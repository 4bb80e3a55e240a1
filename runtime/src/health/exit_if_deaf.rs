use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Health;
use super::monitor::HealthMonitor;
use crate::error::{Error, Result};
use crate::util::clock;

/// `EX_UNAVAILABLE` of BSD's `sysexits.h`: "a service is unavailable".
pub(crate) const EXIT_CODE: i32 = 69;

/// Ends the process when the subscriber has not been both live and ready for too long. Dropping it
/// ends the watch.
///
/// On a thread of its own: a runtime whose threads are all blocked runs no task, and what is to be
/// noticed then cannot be one.
#[derive(Debug)]
pub(crate) struct DeafWatch {
    _alive: mpsc::Sender<()>,
}

impl DeafWatch {
    /// # Errors
    ///
    /// When the system has no thread left.
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
        "the subscriber has been deaf for too long: the process ends"
    );
    if !tracing::dispatcher::has_been_set() {
        // Nobody takes logs, and a process that ends must say why.
        eprintln!("redis_push: deaf for {lasted:.1?}, the process ends with {code}: {health}");
    }
    std::process::exit(code)
}
