//! Small tools that know nothing of this crate: a module here imports nothing of ours.

mod backoff;
mod catch_unwind;
mod escaped;
#[cfg(all(test, shuttle))]
pub(crate) mod model;
mod rate_limit;
mod sync;

pub(crate) use backoff::Backoff;
pub(crate) use catch_unwind::{Ended, Timer, attempt, attempt_within, caught, is_harmless};
pub(crate) use escaped::Escaped;
pub(crate) use rate_limit::Limit;
pub(crate) use sync::{Mutex, MutexGuard};
