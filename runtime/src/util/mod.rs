//! Small tools that know nothing of this crate: a module here imports nothing of ours.

mod backoff;
mod catch_unwind;
pub(crate) mod clock;
mod escaped;
#[cfg(all(test, shuttle))]
pub(crate) mod model;
mod rate_limit;
mod sync;

pub(crate) use backoff::Backoff;
pub(crate) use catch_unwind::{Ended, Timer, attempt, attempt_within, caught, runs_without_panic};
pub(crate) use escaped::Escaped;
pub(crate) use rate_limit::RateLimit;
pub(crate) use sync::{Mutex, MutexGuard};
