use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Health;
use super::monitor::Vitals;
use crate::error::{Error, Result};
use crate::subscriber::Subscriber;

/// Ends the process when the subscriber has not been both live and ready for too long. Dropping it
/// ends the watch.
///
/// On a thread of its own: a runtime whose threads are all blocked runs no task, and what is to be
/// noticed then cannot be one.
#[derive(Debug)]
pub(crate) struct Deadline {
    _alive: mpsc::Sender<()>,
}

impl Deadline {
    /// # Errors
    ///
    /// When the system has no thread left.
    pub(crate) fn begin(vitals: &Arc<Vitals>, after: Duration) -> Result<Self> {
        let (alive, ended) = mpsc::channel();
        let vitals = Arc::downgrade(vitals);
        std::thread::Builder::new()
            .name("redis-push deaf".to_owned())
            .spawn(move || watch(&vitals, after, &ended))
            .map_err(|error| {
                let text = format!("cannot start the thread of `exit_if_deaf`: {error}");
                Error::config(text).caused_by(error)
            })?;
        Ok(Self { _alive: alive })
    }
}

fn watch(vitals: &Weak<Vitals>, after: Duration, ended: &mpsc::Receiver<()>) {
    let pause = (after / 20).clamp(Duration::from_millis(10), Duration::from_secs(1));
    let mut deaf_since = None;
    while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) {
        let Some(vitals) = vitals.upgrade() else {
            return;
        };
        let health = vitals.health();
        if vitals.is_shutting_down() {
            return;
        }
        if health.is_live() && health.is_ready() {
            deaf_since = None;
            continue;
        }
        let since = *deaf_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= after {
            exit(&health, since.elapsed());
        }
    }
}

fn exit(health: &Health, lasted: Duration) -> ! {
    let code = Subscriber::DEAF_EXIT_CODE;
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
