//! The same program with an allocator that counts, for the allocations per delivery of W4.
//!
//! The counting costs time, so it is a program of its own, which `compare` builds and runs for
//! that one column.

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> std::process::ExitCode {
    compare::main(Some(|| {
        let stats = ALLOCATOR.stats();
        (stats.allocations + stats.reallocations) as u64
    }))
}
