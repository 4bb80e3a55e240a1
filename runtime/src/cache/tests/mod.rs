//! Tests of the cache, with a dispatcher that a test feeds and a loader that a test answers. No time
//! passes and no task runs by itself, so each order of events is the one that the test writes.
//!
//! `feed` is the server's side, and `calls` has the calls and the loads. `loading` tests the loads and
//! those who wait for them, `changing` what changes meanwhile, `holding` what is kept and dropped.
//! `simulation` compares a cache with a plain model of the server in random orders of events. With
//! `--cfg shuttle`, `model` runs a cache under a model checker.

#[cfg(not(shuttle))]
mod calls;
#[cfg(not(shuttle))]
mod changing;
mod feed;
#[cfg(not(shuttle))]
mod holding;
#[cfg(not(shuttle))]
mod loading;
#[cfg(shuttle)]
mod model;
#[cfg(not(shuttle))]
mod simulation;
