use std::hint::spin_loop;
use std::time::{Duration, Instant};

/// Returns whether the clock of the runtime's timers is paused.
///
/// tokio does not tell. A paused clock stands still while this thread does not await, and one that is not
/// paused is that of the system.
pub(super) fn is_paused() -> bool {
    let before = tokio::time::Instant::now();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(20) {
        spin_loop();
    }
    tokio::time::Instant::now() == before
}

#[cfg(test)]
mod tests {
    use super::is_paused;

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_is_noticed() {
        assert!(is_paused());
        tokio::time::resume();
        assert!(!is_paused());
    }

    #[tokio::test]
    async fn the_clock_of_the_system_is_not_paused() {
        assert!(!is_paused());
    }
}
