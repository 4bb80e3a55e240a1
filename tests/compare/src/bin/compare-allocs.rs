//! The program `compare` with a counting allocator, for the allocations per delivery in W4.
//!
//! Counting costs time, so this is a separate program, which `compare` builds and runs for that
//! one column.

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
