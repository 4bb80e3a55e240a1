//! Small tools that import nothing else from this crate.
//!
//! | file | contents |
//! | --- | --- |
//! | `backoff` | [`Backoff`]: delays that double, with jitter |
//! | `catch_unwind` | [`attempt`] and others: calls of user code that may panic or take too long |
//! | [`clock`] | the three clocks, and when to read which |
//! | `escaped` | [`Escaped`]: a name from the network, made safe to print |
//! | `few` | [`Few`]: a list that most often has one element |
//! | `rate_limit` | [`RateLimit`]: at most one log line a second, and a count of the others |
//! | `shrink` | [`shrink`](shrink()): frees the memory of a queue that was long |
//! | `short_name` | the name of a type without its path |
//! | `slots` | [`Slots`]: values by small numbers |
//! | `step_back` | [`step_back`](step_back()): lets other tasks run |
//! | `sync` | [`Mutex`]: a lock without poisoning, and atomics, which a model checker can replace |
//! | `timestamp` | [`Timestamp`]: a time of day in eight bytes |
//! | `model` | runs a test under a model checker; only with `--cfg shuttle` |
//!
//! In: every other module may call these. Out: nothing, the tools have no state of their own.
//!
//! Invariants:
//!
//! - A module here does not import from the rest of the crate, so it can be read and tested alone.
//! - The other modules, except `testing`, read the time only through [`clock`].
//! - A panic of user code is caught by the function of `catch_unwind` through which the code is
//!   called: the function that creates a future, the future, its destructor, the `Display` of an
//!   error ([`Shown`]) and the destructor of a value ([`Contained`]). The payload of the panic is
//!   dropped there too, because its destructor is user code.

mod backoff;
mod catch_unwind;
pub(crate) mod clock;
mod escaped;
mod few;
#[cfg(all(test, shuttle))]
pub(crate) mod model;
mod rate_limit;
mod short_name;
mod shrink;
mod slots;
mod step_back;
mod sync;
mod timestamp;

pub(crate) use backoff::Backoff;
pub(crate) use catch_unwind::{
    Contained, Ended, PanicMessage, Shown, Timer, attempt, attempt_within, call, caught,
    drop_caught, runs_without_panic,
};
pub(crate) use escaped::{Escaped, TextOrBytes};
pub(crate) use few::Few;
pub(crate) use rate_limit::RateLimit;
pub(crate) use short_name::short_name;
pub(crate) use shrink::shrink;
pub(crate) use slots::{Key, Slots};
pub(crate) use step_back::step_back;
pub(crate) use sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard};
pub(crate) use timestamp::Timestamp;
