//! Measures when this process did not get to run. No library can meet a deadline then.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Stalls of this process: when each ended, and how long it lasted.
static STALLS: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// Starts to measure, on a thread.
pub(crate) fn watch() {
    const BEAT: Duration = Duration::from_millis(2);
    // Shorter stalls are ordinary scheduling delays, for which the targets leave room.
    const STALL: Duration = Duration::from_millis(50);
    thread::spawn(|| {
        loop {
            let begun = Instant::now();
            thread::sleep(BEAT);
            let late = begun.elapsed() - BEAT;
            if late > STALL {
                stalls().push((Instant::now(), late));
            }
        }
    });
}

/// How long the process has been stalled in total since a moment.
pub(crate) fn stalled_since(begun: Instant) -> Duration {
    let stalls = stalls();
    let since = stalls.iter().rev().take_while(|(ended, _)| *ended > begun);
    since.map(|(_, lasted)| *lasted).sum()
}

fn stalls() -> std::sync::MutexGuard<'static, Vec<(Instant, Duration)>> {
    STALLS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
