//! A limit for tests that start many servers.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How many of these tests run at once. Six servers each, which have to answer each other in time.
const AT_ONCE: usize = 6;

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The turn of one test, until it is dropped.
pub(super) struct Turn(());

impl Turn {
    pub(super) fn wait() -> Self {
        let is_full = |running: &mut usize| *running >= AT_ONCE;
        let running = ENDED.wait_while(running(), is_full);
        *running.unwrap_or_else(PoisonError::into_inner) += 1;
        Self(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *running() -= 1;
        ENDED.notify_one();
    }
}

fn running() -> MutexGuard<'static, usize> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
