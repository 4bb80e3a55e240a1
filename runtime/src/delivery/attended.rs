use std::time::Duration;

use tokio::task::coop::has_budget_remaining;
use tokio::time::Instant;

use super::context::HandlerContext;
use crate::util::{Timer, clock};

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

    /// Begins an attempt. The first one of a delivery starts its time. Returns what limits it, if it has a limit.
    #[inline]
    pub(super) fn begin(&mut self, is_first: bool) -> Option<(Duration, &mut Timer)> {
        if is_first && let Some(stopwatch) = &mut self.stopwatch {
            stopwatch.start();
        }
        self.limit.map(|limit| (limit, &mut self.timer))
    }

    /// Adds the time of a delivery that ends. If it is followed by another one, for which the loop awaits
    /// nothing, that begins now: unless the loop yields or is [held back](Self::wait).
    #[inline]
    pub(super) fn end(&mut self, context: &HandlerContext, worker: Option<u16>, is_followed: bool) {
        let Some(stopwatch) = &mut self.stopwatch else {
            return;
        };
        stopwatch.next = None;
        if let Some(began) = stopwatch.began.take()
            && let Some(timings) = context.timings()
        {
            let now = clock::now();
            timings.record(worker, now - began);
            // What is left of the budget says whether the loop yields. The end of a span runs code of the
            // user.
            if is_followed && has_budget_remaining() && !context.has_spans() {
                stopwatch.next = Some(now);
            }
        }
    }

    /// Notes that the next delivery begins later than the end of the last one.
    #[cold]
    pub(super) fn wait(&mut self) {
        if let Some(stopwatch) = &mut self.stopwatch {
            stopwatch.next = None;
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
    /// When the next delivery begins, if that is known already: reading the clock is most of what a
    /// measurement costs.
    next: Option<Instant>,
}

impl Stopwatch {
    fn new(one_in: u32) -> Self {
        let mut stopwatch = Self {
            one_in,
            skip: 0,
            began: None,
            next: None,
        };
        stopwatch.choose();
        stopwatch
    }

    #[inline]
    fn start(&mut self) {
        let next = self.next.take();
        self.began = match self.skip.checked_sub(1) {
            None => {
                self.choose();
                Some(next.unwrap_or_else(clock::now))
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
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::sync::{Arc, OnceLock};
    use std::task::Poll;

    use super::super::filled::Filled;
    use super::super::handler_loop::run;
    use super::super::instruments::{Bare, Observation};
    use super::*;
    use crate::error::Fault;
    use crate::handler::{Handler, Spec};
    use crate::push::Push;
    use crate::subscription::Subscription;
    use crate::telemetry::Timings;

    /// Pauses its loop in the hundredth delivery. The first delivery of a batch takes a second.
    #[derive(Default)]
    struct Pauses {
        called: AtomicU64,
        context: OnceLock<Arc<HandlerContext>>,
    }

    impl Handler<()> for Pauses {
        fn spec(&self) -> Spec {
            Spec::new("pauses").on(Subscription::channel("numbers"))
        }

        async fn handle(&self, _push: Push<'_>, _state: &()) -> Result<(), Fault> {
            match self.called.fetch_add(1, SeqCst) + 1 {
                1 => tokio::time::sleep(Duration::from_secs(1)).await,
                100 => self.context.get().expect("it is set").gate.pause(),
                _ => {}
            }
            Ok(())
        }
    }

    /// A delivery begins when the one before it has ended, unless the loop waits or yields between them.
    #[tokio::test(start_paused = true)]
    async fn no_delivery_takes_the_time_that_the_loop_waits() {
        const MESSAGES: u64 = 20_000;
        let handler = Arc::new(Pauses::default());
        let observation = Observation {
            timings: Some(Timings::default()),
            spans: None,
        };
        let filled = Filled::with(MESSAGES, handler.spec(), &observation);
        let context = filled.context;
        assert!(handler.context.set(Arc::clone(&context)).is_ok());
        let (state, shown) = (Arc::new(()), Arc::clone(&context));
        let mut looping = pin!(run::<Bare, _, _>(
            handler,
            filled.loop_state,
            state,
            context
        ));
        let handled = || shown.counters.handled.load(SeqCst);
        let mut yields = 0;
        while handled() < MESSAGES {
            let is_pending = poll_fn(|cx| Poll::Ready(looping.as_mut().poll(cx).is_pending()));
            assert!(is_pending.await);
            yields += 1;
            // Whatever runs beside the loop takes an hour, and the first delivery may end after that.
            tokio::time::advance(Duration::from_secs(3_600)).await;
            shown.gate.resume();
        }
        assert!(yields > 5, "{yields}");
        let times = shown.timings().expect("they are measured").read();
        assert_eq!(times.count(), MESSAGES);
        assert_eq!(times.sum, Duration::from_secs(3_600));
        let batches = shown.counters.batches.load(SeqCst);
        assert!(batches < MESSAGES / 100, "{batches}");
    }

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
