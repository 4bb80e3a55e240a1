#[cfg(all(test, shuttle))]
use shuttle::sync as inner;
#[cfg(not(all(test, shuttle)))]
use std::sync as inner;

use std::sync::PoisonError;

pub(crate) use inner::MutexGuard;

/// The standard lock without poisoning: who locks it keeps its data whole at each step, so that a
/// panic leaves nothing half done.
///
/// Under a model checker it is the checker's lock, which decides who runs next (`util::model`).
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(inner::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(inner::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
