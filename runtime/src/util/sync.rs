//! The lock of this crate's shared state, and the atomics of what has no lock.

#[cfg(not(all(test, shuttle)))]
use std::sync as inner;
use std::sync::{PoisonError, TryLockError};

#[cfg(all(test, shuttle))]
use shuttle::sync as inner;

pub(crate) use inner::MutexGuard;
/// For state whose interleavings a model checker explores. Counters are std's.
pub(crate) use inner::atomic::{AtomicU64, AtomicUsize};

/// The standard lock without poisoning. The code that holds it must keep the data consistent at each
/// step, so that a panic leaves nothing half done.
///
/// Under a model checker this is the checker's lock, which lets the checker choose the thread that
/// runs next (`util::model`).
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(inner::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(inner::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether somebody holds the lock.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self.0.try_lock(), Err(TryLockError::WouldBlock))
    }
}
