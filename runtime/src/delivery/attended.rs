use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::context::HandlerContext;
use crate::util::{Ended, Timer, attempt_within, clock};

/// What deliveries need to have a timeout, or to be measured. Most handlers have neither, and no `Attended`.
pub(super) struct Attended {
    limit: Option<Duration>,
    timer: Timer,
    stopwatch: Option<Stopwatch>,
}

impl Attended {
    /// Returns `None` if there is nothing to attend to.
    pub(super) fn new(context: &HandlerContext) -> Option<Box<Self>> {
        let limit = context.spec.timeout;
        let timings = context.timings();
        let stopwatch = timings.map(|timings| Stopwatch::new(timings.weight()));
        (limit.is_some() || stopwatch.is_some()).then(|| {
            Box::new(Self {
                limit,
                timer: Timer::default(),
                stopwatch,
            })
        })
    }

    /// Makes an attempt. The first one of a delivery starts its time.
    #[inline]
    pub(super) async fn attempt<F: Future>(
        &mut self,
        is_first: bool,
        slot: Pin<&mut Option<F>>,
        make: impl FnOnce() -> F,
    ) -> Ended<F::Output> {
        if is_first && let Some(stopwatch) = &mut self.stopwatch {
            stopwatch.start();
        }
        attempt_within(self.limit, &mut self.timer, slot, make).await
    }

    /// Adds the time of a delivery that ends.
    #[inline]
    pub(super) fn end(&mut self, context: &HandlerContext, worker: Option<u16>) {
        if let Some(stopwatch) = &mut self.stopwatch
            && let Some(began) = stopwatch.began.take()
            && let Some(timings) = context.timings()
        {
            timings.record(worker, clock::now() - began);
        }
    }
}

/// Measures one in so many deliveries.
struct Stopwatch {
    one_in: u32,
    /// How many deliveries are not measured before the next one that is.
    skip: u32,
    /// When the delivery under way began, if it is measured.
    began: Option<Instant>,
}

impl Stopwatch {
    fn new(one_in: u32) -> Self {
        let mut stopwatch = Self {
            one_in,
            skip: 0,
            began: None,
        };
        stopwatch.choose();
        stopwatch
    }

    #[inline]
    fn start(&mut self) {
        self.began = match self.skip.checked_sub(1) {
            None => {
                self.choose();
                Some(clock::now())
            }
            Some(skip) => {
                self.skip = skip;
                None
            }
        };
    }

    /// Chooses the next delivery at random, because what is published may repeat itself.
    #[inline]
    fn choose(&mut self) {
        if self.one_in > 1 {
            self.skip = fastrand::u32(0..=2 * (self.one_in - 1).min(u32::MAX / 2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_deliveries_is_measured() {
        for one_in in [1, 2, 100] {
            let mut stopwatch = Stopwatch::new(one_in);
            let mut measured = 0;
            for _ in 0..100_000 {
                stopwatch.start();
                measured += u32::from(stopwatch.began.is_some());
            }
            let expected = 100_000 / one_in;
            assert!(
                measured.abs_diff(expected) <= expected / 5,
                "{measured} in {one_in}"
            );
        }
    }
}
