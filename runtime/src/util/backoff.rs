use std::time::Duration;

use super::clock;

/// Delays that double up to a limit, with jitter: each is between half of the current span and all of
/// it, so that many clients of one server do not reconnect at the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    span: Duration,
}

impl Backoff {
    /// Creates a back-off whose span begins at `first`, or at `max` if that is less, and grows to
    /// `max`.
    pub(crate) fn new(first: Duration, max: Duration) -> Self {
        let max = max.min(clock::LONGEST);
        let first = first.min(max);
        Self {
            first,
            max,
            span: first,
        }
    }

    /// Returns the next delay, and doubles the span.
    pub(crate) fn next(&mut self) -> Duration {
        let span = self.span;
        self.span = span.saturating_mul(2).min(self.max);
        span.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Sets the span back to its first value.
    pub(crate) fn reset(&mut self) {
        self.span = self.first;
    }
}
