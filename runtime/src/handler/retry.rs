use std::time::Duration;

/// How often a delivery that failed is repeated, and after which delays: the policy
/// [`Spec::retry`](crate::Spec::retry).
///
/// ```
/// use redis_push::{Retry, handlers, push_handler};
/// use std::time::Duration;
///
/// #[push_handler(channel = "orders", retry = 3, retry_delay = "50ms")]
/// async fn on_order(order: &str) -> Result<(), std::io::Error> {
///     println!("{order}");
///     Ok(())
/// }
///
/// // The same policy, with a limit of its own for the delays.
/// let retry = Retry::times(3)
///     .delay(Duration::from_millis(50))
///     .max_delay(Duration::from_secs(1));
/// # let _: Vec<redis_push::Mount<()>> =
/// handlers![on_order.retry(retry)]
/// # ;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retry {
    pub(crate) times: u32,
    pub(crate) delay: Duration,
    pub(crate) max_delay: Duration,
}

impl Retry {
    /// Repeats a delivery up to this many times (0: not at all). It is the same as the option `retry`.
    ///
    /// The first delay is 100 milliseconds, and the longest 10 seconds.
    #[must_use]
    pub const fn times(times: u32) -> Self {
        Self {
            times,
            delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
        }
    }

    /// Sets the delay before the first repetition. It is the same as the option `retry_delay`.
    ///
    /// Each further delay is twice as long, up to [`max_delay`](Self::max_delay), or to this delay if
    /// that is longer. Every delay is shortened at random by up to a half, so that several processes do not repeat
    /// at the same moment.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the longest delay.
    #[must_use]
    pub const fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Returns the delay after this many repetitions, before jitter.
    pub(crate) fn delay_after(&self, retried: u32) -> Duration {
        let factor = 2_u32.saturating_pow(retried);
        let most = self.max_delay.max(self.delay);
        self.delay.saturating_mul(factor).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_their_limit() {
        let retry = Retry::times(9)
            .delay(Duration::from_secs(1))
            .max_delay(Duration::from_secs(5));
        let delays = [0, 1, 2, 3, 400].map(|retried| retry.delay_after(retried).as_secs());
        assert_eq!(delays, [1, 2, 4, 5, 5]);
        let longer = retry.delay(Duration::from_secs(7));
        assert_eq!(longer.delay_after(2).as_secs(), 7);
        assert_eq!(longer.delay(Duration::MAX).delay_after(3), Duration::MAX);
    }
}
