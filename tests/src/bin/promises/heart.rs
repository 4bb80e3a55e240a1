//! Notices when the machine stands still: no library can keep a time then.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// Moments at which this process did not get to run, and for how long.
static STALLS: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// Starts to watch, on a thread of its own.
pub(crate) fn watch() {
    const BEAT: Duration = Duration::from_millis(2);
    // What is less is the scheduler's slack, of which targets have some of their own.
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

/// How long the machine has stood still since a moment.
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
