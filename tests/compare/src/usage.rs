//! Memory, CPU time and allocations of this process so far.

use std::sync::OnceLock;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

static ALLOCATIONS: OnceLock<fn() -> u64> = OnceLock::new();

pub(crate) fn count_allocations_with(count: fn() -> u64) {
    let _ = ALLOCATIONS.set(count);
}

/// Allocations and reallocations of this process, if its allocator counts them.
pub(crate) fn allocations() -> Option<u64> {
    ALLOCATIONS.get().map(|count| count())
}

/// A clock that all processes of the machine share, in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    clock(ClockId::CLOCK_MONOTONIC).as_nanos() as u64
}

/// User and system time of this process, all threads together.
pub(crate) fn cpu() -> Duration {
    clock(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

fn clock(id: ClockId) -> Duration {
    clock_gettime(id).map_or(Duration::ZERO, Duration::from)
}

/// Peak resident memory of this process in KiB.
pub(crate) fn peak_kib() -> u64 {
    status_kib("VmHWM:")
}

/// Resident memory of this process in KiB.
pub(crate) fn resident_kib() -> u64 {
    status_kib("VmRSS:")
}

fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0)
}
