use std::time::Duration;

/// Delays that double up to a limit, each somewhere in the upper half of its span, so that many
/// clients of one server do not come back at the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    span: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            span: first,
        }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let span = self.span;
        self.span = (span * 2).min(self.most);
        span.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    pub(crate) fn reset(&mut self) {
        self.span = self.first;
    }
}
